"""report.html: one page without scripts that asks no network; style and plots are in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proof.report import STYLE_SHEET
from workflow.report import bars, strip, words

if TYPE_CHECKING:
    from proof.report.svg import Picture

HERE = Path(__file__).parent


def render_html(facts: Mapping[str, Any]) -> str:
    """The page of a report. Every text is escaped, an unknown name in a template is an error."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([HERE, STYLE_SHEET.parent]),  # a proof's report has the parts of tables and plots
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sheets = "\n".join(path.read_text(encoding="utf-8") for path in (STYLE_SHEET, HERE / "page.css"))
    plots = {name: picture and Markup(picture.svg) for name, picture in _plots(facts).items()}  # noqa: S704 - ElementTree escaped every text in it
    environment.globals.update(words=words, style=Markup(sheets), plots=plots, report=facts)  # noqa: S704 - our own files
    return environment.get_template("campaign.html.j2").render()


def _plots(facts: Mapping[str, Any]) -> dict[str, Picture | None]:
    """Plots by the name of what they show: ``baseline``, ``final``, ``profiles``, and each candidate's short name with ``c:``."""
    found = {
        f"c:{item['short_name']}": strip.draw(
            strip.rows_of(item["legs"]), f"strip-{place}", f"Every repeat of {item['short_name']}"
        )
        for place, item in enumerate(facts["candidates"], 1)
    }
    sets = [
        strip.Row(item["dir"].rpartition("/")[2], leg.look, leg.launches)
        for item in facts["baseline"]
        for leg in strip.rows_of(item["legs"])
    ]
    found["baseline"] = strip.draw(sets, "strip-baseline", "Every repeat of the baseline")
    final = strip.rows_of(facts["final"]["legs"]) if facts["final"]["measured"] else []
    found["final"] = strip.draw(final, "strip-final", "Every repeat of the final comparison")
    found["profiles"] = bars.draw(facts["profiles"])
    return found

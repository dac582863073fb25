"""Writes the report of a proof. The same object gives the same bytes: no clock is read, no path, no setting of the reader's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proof.report import accepts, meaning, power, tables, words
from proof.report.shape import Proof, read

if TYPE_CHECKING:
    import jinja2

HERE = Path(__file__).parent


def write(proof: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write report.md and report.html into ``folder``, each whole or not at all; their paths.

    Raises IncompleteProofError, before anything is written, where a key is missing or of another type.
    """
    whole = read(proof)
    texts = {"report.md": render_markdown(whole), "report.html": render_html(whole)}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in texts.items():
        path, part = folder / name, folder / f"{name}.part"
        part.write_bytes(text.encode())
        part.replace(path)
        written.append(path)
    return written


def render_html(proof: Proof) -> str:
    """One page without scripts that asks no network: style and plots are in it."""
    import jinja2
    from markupsafe import Markup

    fair, other = (found for _, found in accepts.grouped(proof.worlds))
    plots = {
        "accepts": accepts.draw(proof.worlds),
        "power_fair": power.draw(fair, "power-fair", "Power in the worlds that meet the stated assumptions"),
        "power_other": power.draw(other, "power-other", "Power in the worlds that do not meet them"),
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((HERE / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    drawn = {name: plot and Markup(plot.svg) for name, plot in plots.items()}  # noqa: S704 - ElementTree escaped every text in it
    return _render(environment, "report.html.j2", proof, {"plots": drawn, "style": style})


def render_markdown(proof: Proof) -> str:
    """The same facts without plots."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown: `finalize` escapes every expression instead
        finalize=words.markdown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["verbatim"] = words.Verbatim
    return _render(
        environment, "report.md.j2", proof, {"code": words.code, "rate": lambda rate: words.Verbatim(words.full(rate))}
    )


def _render(environment: jinja2.Environment, template: str, proof: Proof, more: Mapping[str, Any]) -> str:
    environment.globals.update(
        proof=proof, tables=tables, words=words, tried=tables.tried(proof), confusion=tables.confusion(proof),
        missed=tables.missed(proof), groups=accepts.grouped(proof.worlds), means=meaning.means(proof),
        limits=meaning.limits(proof), no_misses=meaning.no_misses(proof), same_counts=meaning.same_counts(proof.worlds), **more,
    )  # fmt: skip
    return environment.get_template(template).render()

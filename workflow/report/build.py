"""Puts the report together from ledger, sealed rows and verdicts. Same evidence, same bytes: no clock is read here."""

from __future__ import annotations

import re
import shlex
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from workflow.canonical import pretty, write_atomic
from workflow.context import Context, baseline_dir
from workflow.figures import LegFigures, delta_pct, leg_figures
from workflow.history import Tried, read_verdicts, tried
from workflow.measure.types import Settings
from workflow.state import State, Stopped

REPORT_SCHEMA = "countersign.report/1"  # 1: first form
PORT = 8000
STOPPED: dict[Stopped, str] = {
    "": "it is still under way",
    "levers": "every declared lever was tried",
    "candidates": "the bound on candidates was reached",
    "wall": "the time budget ended: this report is partial",
    "refused": "the producer asked for a change that may not be made; see log.jsonl",
}


def write_report(ctx: Context, state: State) -> None:
    """Write report.json and report.md, each whole or not at all."""
    facts = build(ctx, state)
    write_atomic(ctx.run_dir / "report.json", pretty(facts))
    write_atomic(ctx.run_dir / "report.md", render(facts).encode())


def build(ctx: Context, state: State) -> dict[str, Any]:
    """Every fact of the report as plain data."""
    config = ctx.config
    story = tried(ctx.run_dir, ctx.ledger, config.noise_band_pct)
    verdicts = read_verdicts(ctx.run_dir) if config.use_auditor else {}
    asked = [str(entry.body["short_name"]) for entry in ctx.ledger.of_kind("request") if entry.body["scope"] != "baseline"]
    return {
        "schema": REPORT_SCHEMA,
        "campaign_id": ctx.campaign_id,
        "engine": config.engine,
        "model": config.model,
        "audited": config.use_auditor,
        "stopped": state["stopped"],
        "stopped_because": STOPPED[state["stopped"]],
        "partial": state["stopped"] == "wall",
        "noise_band_pct": config.noise_band_pct,
        "workload": config.workload.model_dump(mode="json"),
        "error_budget": {
            "alpha": config.alpha,
            "alpha_per_look": config.alpha_per_look,
            "looks_planned": config.looks_planned,
            "looks_spent": sum(name != "final" for name in asked),
        },
        "baseline": [_set(ctx, number, verdicts) for number in range(1, state["baseline_sets"] + 1)],
        "candidates": [_candidate(item) for item in story],
        "banked": [item.short_name for item in story if item.decided == "banked"],
        "final": _final(ctx, state, verdicts),
        "set_aside": [
            {"launch_id": entry.body["launch_id"], "foreign_cores": entry.body["foreign_cores"]}
            for entry in ctx.ledger.of_kind("set_aside")
        ],
        "winner": _winner(ctx),
    }


def _judged(name: str, ctx: Context, verdicts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """What was said about one request; with no auditor, UNAUDITED."""
    entry, found = ctx.ledger.get(f"verdict/{name}"), verdicts.get(name, {})
    if entry is None:
        return {"verdict": "UNAUDITED", "action": "", "outcome": "", "reasons": [], "effect": None, "verdict_sha256": None}
    error = entry.body.get("error")
    return {
        **{key: entry.body[key] for key in ("verdict", "action", "outcome", "verdict_sha256")},
        "reasons": [error] if error else list(found.get("reasons", [])),
        "effect": found.get("effect"),
    }


def _set(ctx: Context, number: int, verdicts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    folder = baseline_dir(number)
    figures = leg_figures(ctx.run_dir, ctx.ledger, folder)
    name = "baseline" if number == 1 else f"baseline-set{number}"
    return {"dir": folder, **figures.as_dict(), **_spread(figures), **_judged(name, ctx, verdicts)}


def _spread(figures: LegFigures) -> dict[str, float | None]:
    """(max - min) / median in percent, of all repeats and of the launches' medians; null without rows."""

    def spread(values: tuple[float, ...]) -> float | None:
        return 100 * (max(values) - min(values)) / statistics.median(values) if len(values) > 1 else None

    return {"repeat_spread_pct": spread(figures.values), "launch_spread_pct": spread(figures.launch_medians)}


def _candidate(item: Tried) -> dict[str, Any]:
    return {
        "short_name": item.short_name,
        "lever": item.lever,
        "flags": item.flags,
        "env": item.env,
        "digest": item.digest,
        "why": item.why,
        "decided": item.decided,
        "verdict": item.verdict,
        "action": item.action,
        "outcome": item.outcome,
        "refuted": item.refuted,
        "reasons": item.reasons,
        "next_steps": item.next_steps,
        "delta_pct": item.delta_pct,
        "effect": (item.judged or {}).get("effect"),
        "ref": item.ref.as_dict(),
        "cand": item.cand.as_dict(),
    }


def _final(ctx: Context, state: State, verdicts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    if not state["final_measured"]:
        why = "the time budget ended" if state["stopped"] == "wall" else "nothing was banked"
        return {"measured": False, "skipped_because": why}
    ref, cand = (leg_figures(ctx.run_dir, ctx.ledger, f"final/{leg}") for leg in ("ref", "cand"))
    figures = {"ref": ref.as_dict(), "cand": cand.as_dict(), "delta_pct": delta_pct(ref, cand)}
    return {"measured": True, **figures, **_judged("final", ctx, verdicts)}


def _winner(ctx: Context) -> dict[str, Any]:
    best = ctx.in_force
    return {"flags": dict(best.flags), "env": dict(best.env), "command": launch_command(ctx, best)}


def launch_command(ctx: Context, settings: Settings) -> str:
    """The server's command line as a shell line, with the environment it was measured in, on a port of its own."""
    from workflow.measure.runner import model_dir

    env = [f"{key}={value}" for key, value in sorted(ctx.engine.environment(settings.env).items()) if key != "PATH"]
    return shlex.join(["env", *env, *ctx.engine.argv(settings.flags, model_dir(ctx.config.model), PORT)])


class Verbatim(str):
    """Text of our own that is markdown already."""

    __slots__ = ()


def escape(value: object) -> str:
    """Text from anywhere as one line of markdown that shows it letter by letter."""
    if isinstance(value, Verbatim):
        return value
    line = re.sub(r"[\x00-\x20\x7f\x85\u2028\u2029]+", " ", str(value))
    line = re.sub(r"([\\`*_\[\]<|~&])", r"\\\1", line)
    return re.sub(r"^(\s*\d*)([-+>#.)])", r"\1\\\2", line) if re.match(r"\s*([-+>#]|\d+[.)])(\s|$|[>#])", line) else line


def code_block(text: str) -> Verbatim:
    """A fenced block whose fence is longer than any run of backticks in the text."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return Verbatim(f"{fence}sh\n{text}\n{fence}")


def number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """A figure, or n/a; never NaN."""
    return "n/a" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"


def effect_text(effect: Mapping[str, Any] | None) -> str:
    """The auditor's launch-level bounds, where it had enough launches to give any."""
    found = effect or {}
    bounds = [found.get("lower_pct"), found.get("upper_pct")]
    if found.get("rule") != "launches" or bounds == [None, None]:
        return ""
    low, high = ("unbounded" if value is None else number(value, sign=True) for value in bounds)
    return f"bounds {low} .. {high} % (one-sided, {number(100 * found['alpha'], 2)} % each)"


def render(facts: Mapping[str, Any]) -> str:
    """report.md of a report; every text is escaped, an unknown name in the template is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - markdown: `finalize` escapes every expression instead
        finalize=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["verbatim"] = Verbatim
    environment.globals.update(number=number, code_block=code_block, effect_text=effect_text)
    return environment.get_template("report.md.j2").render(report=facts)

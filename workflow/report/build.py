"""Puts the report together from ledger, sealed rows and verdicts. Same evidence, same bytes: no clock is read here."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from proof.report import words as proof_words
from workflow import winner
from workflow.canonical import pretty, write_atomic
from workflow.config import CampaignConfig
from workflow.context import baseline_dir, in_force, levers_to_try
from workflow.figures import LegFigures, delta_pct
from workflow.history import Tried, parse_name, tried
from workflow.ledger import Ledger
from workflow.measure.types import Settings
from workflow.report import evidence, judged
from workflow.report.markdown import render
from workflow.report.profiles import profiles
from workflow.report.timeline import timeline
from workflow.serving import Engine, get_engine

REPORT_SCHEMA = "countersign.report/2"  # 1: first form; 2: legs, settings that differ, findings, timeline, profiles
PORT = 8000
STOPPED: Mapping[str, str] = {
    "": "it is still under way",
    "levers": "every declared lever was tried",
    "candidates": "the bound on candidates was reached",
    "wall": "the time budget ended: this report is partial",
    "device": "the time budget of the servers ended: this report is partial",
    "money": "the money for language models was spent: this report is partial",
    "producers": "its producers had nothing more to propose",
    "refused": "the producer asked for a change that may not be made; see log.jsonl",
    "early": "it ended before every declared lever was tried; its ledger does not say why",
}
OWN_ENV = ("PATH", "HOME", "TMPDIR")
"""Environment of a measured server that belongs to its sandbox."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a report is made from: a run directory and its ledger."""

    run_dir: Path
    campaign_id: str
    config: CampaignConfig
    ledger: Ledger
    stopped: str
    """Why no further change was proposed; a key of ``STOPPED``."""


def stopped_because(config: CampaignConfig, ledger: Ledger) -> str:
    """Why a campaign ended, as its last line says; worked out for ledgers of before that line said it."""
    last = ledger.get("finished")
    if last is None:
        return ""
    said = last.body.get("stopped")
    if isinstance(said, str) and said in STOPPED:
        return said
    directions = len({parse_name(str(entry.body["short_name"]))[0] for entry in ledger.of_kind("proposal")})
    if directions >= config.max_candidates:
        return "candidates"
    return "levers" if directions >= len(levers_to_try(config, get_engine(config.engine))) else "early"


def write_report(run: Run) -> list[Path]:
    """Write report.json, report.md and report.html, each whole or not at all, and the winner's folder; the reports' paths."""
    from workflow.report.page import render_html

    facts = build(run)
    best = in_force(run.run_dir, run.config, run.ledger)
    if get_engine(run.config.engine).starts:
        winner.write(run.run_dir, *started(run, best), best.overlays)
    written = []
    for name, data in (
        ("report.json", pretty(facts)),
        ("report.md", render(facts).encode()),
        ("report.html", render_html(facts).encode()),
    ):
        write_atomic(run.run_dir / name, data)
        written.append(run.run_dir / name)
    return written


def build(run: Run) -> dict[str, Any]:
    """Every fact of the report as plain data (docs/report.md); each text is one line of characters that can be seen."""
    config, ledger = run.config, run.ledger
    verdicts = judged.read(run.run_dir) if config.use_auditor else judged.Verdicts({}, "")
    known = {name: judged.told(item) for name, item in verdicts.found.items()}
    story = tried(run.run_dir, ledger, config.noise_band_pct, read=evidence.figures, verdicts=known)
    requests = ledger.of_kind("request")
    sets = sum(entry.body.get("scope") == "baseline" for entry in requests)
    looks = sum(entry.body.get("scope") == "patch" for entry in requests)
    facts = {
        "schema": REPORT_SCHEMA,
        "campaign_id": run.campaign_id,
        "engine": config.engine,
        "model": config.model,
        "audited": config.use_auditor,
        "unsigned": [str(entry.body.get("short_name")) for entry in ledger.of_kind("bank") if entry.body.get("unsigned")],
        "refusals": [str(entry.body.get("said")) for entry in ledger.of_kind("refusal")],
        "stopped": run.stopped,
        "stopped_because": STOPPED[run.stopped],
        "partial": run.stopped in ("wall", "device", "money", "early"),
        "noise_band_pct": config.noise_band_pct,
        "workload": config.workload.model_dump(mode="json"),
        "error_budget": {
            "alpha": config.alpha,
            "alpha_per_look": config.alpha_per_look,
            "looks_planned": config.looks_planned,
            "looks_spent": looks,
        },
        "baseline": [_set(run, number, verdicts) for number in range(1, sets + 1)],
        "candidates": [_candidate(run, item, verdicts) for item in story],
        "banked": [item.short_name for item in story if item.decided == "banked"],
        "final": _final(run, verdicts),
        "set_aside": [
            {"launch_id": entry.body["launch_id"], "foreign_cores": evidence.finite(entry.body["foreign_cores"])}
            for entry in ledger.of_kind("set_aside")
        ],
        "sandboxes": evidence.sandboxes(run.run_dir, ledger),
        "winner": _winner(run),
        "timeline": timeline(ledger),
        "profiles": profiles(run.run_dir, ledger),
        "verdicts_damage": verdicts.damage,
    }
    return cast("dict[str, Any]", proof_words.clean(facts))


def _set(run: Run, number: int, verdicts: judged.Verdicts) -> dict[str, Any]:
    folder = baseline_dir(number)
    figures = evidence.figures(run.run_dir, run.ledger, folder)
    name = "baseline" if number == 1 else f"baseline-set{number}"
    legs = evidence.legs(run.run_dir, run.ledger, folder)
    return {"dir": folder, **figures.as_dict(), **_spread(figures), "legs": legs, **judged.judged(name, run.ledger, verdicts)}


def _spread(figures: LegFigures) -> dict[str, float | None]:
    """(max - min) / median in percent, of all repeats and of the launches' medians; null without rows."""

    def spread(values: tuple[float, ...]) -> float | None:
        middle = statistics.median(values) if len(values) > 1 else 0.0
        return 100 * (max(values) - min(values)) / middle if middle else None

    return {"repeat_spread_pct": spread(figures.values), "launch_spread_pct": spread(figures.launch_medians)}


def _candidate(run: Run, item: Tried, verdicts: judged.Verdicts) -> dict[str, Any]:
    said = judged.judged(item.short_name, run.ledger, verdicts)
    return {
        **said,
        "short_name": item.short_name,
        "kind": "overlay" if item.overlay else "config",
        "overlay": item.overlay,
        "isolated_speedup": _isolated(run, item.short_name),
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
        "reasons": judged.texts(item.reasons),
        "delta_pct": item.delta_pct,
        "ref": item.ref.as_dict(),
        "cand": item.cand.as_dict(),
        **_measured(run, f"config/{item.short_name}"),
    }


def _isolated(run: Run, name: str) -> float | None:
    """Speed-up of an overlay by itself, as its benchmark states it."""
    entry = run.ledger.get(f"isolated/{name}")
    return evidence.finite(entry.body["speedup"]) if entry is not None else None


def _measured(run: Run, folder: str) -> dict[str, Any]:
    return {
        "legs": evidence.legs(run.run_dir, run.ledger, folder),
        "config_diff": evidence.config_diff(run.run_dir, run.ledger, folder),
    }


def _final(run: Run, verdicts: judged.Verdicts) -> dict[str, Any]:
    if run.ledger.get("request/final") is None:
        return {"measured": False, "skipped_because": _skipped(run)}
    ref, cand = (evidence.figures(run.run_dir, run.ledger, f"final/{leg}") for leg in ("ref", "cand"))
    return {
        "measured": True,
        "ref": ref.as_dict(),
        "cand": cand.as_dict(),
        "delta_pct": delta_pct(ref, cand),
        **judged.judged("final", run.ledger, verdicts),
        **_measured(run, "final"),
        "parts": judged.parts(verdicts.found.get("final", {})),
    }


def _skipped(run: Run) -> str:
    if not run.stopped:
        return STOPPED[""]
    return "the time budget ended" if run.ledger.of_kind("bank") else "nothing was banked"


def _winner(run: Run) -> dict[str, Any]:
    best = in_force(run.run_dir, run.config, run.ledger)
    names = [item.name for item in best.overlays]
    return {"flags": dict(best.flags), "env": dict(best.env), "overlays": names, "command": launch_command(run, best)}


def launch_command(run: Run, settings: Settings) -> str:
    """The server's command line as a shell line, with the environment it was measured in, on a port of its own.

    With overlays in force it is the script in ``winner/``, which installs them; of a server that was visited, a remark.
    """
    if not get_engine(run.config.engine).starts:
        return f"# {run.config.server} was visited, not started: keep the command that starts it"
    if settings.overlays:
        return f"{winner.FOLDER}/{winner.START}"
    argv, environment = started(run, settings)
    return shlex.join(["env", *(f"{key}={environment[key]}" for key in sorted(environment)), *argv])


def started(run: Run, settings: Settings) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment of the winner on a port of its own, without what belongs to the sandbox.

    As the newest complete launch of the settings in force was started; as the engine would start it where no launch tells.
    """
    argv, environment = _as_measured(run) or _as_declared(run, get_engine(run.config.engine), settings)
    return argv, {key: value for key, value in environment.items() if key not in OWN_ENV}


def _as_measured(run: Run) -> tuple[list[str], dict[str, str]] | None:
    sets = sum(entry.body.get("scope") == "baseline" for entry in run.ledger.of_kind("request"))
    banked = [f"config/{entry.body['short_name']}/cand" for entry in run.ledger.of_kind("bank")]
    for folder in ("final/cand", *reversed(banked[-1:]), *([] if banked else [baseline_dir(sets)])):
        found = evidence.server(run.run_dir, run.ledger, folder) or {}
        argv, env = found.get("argv"), found.get("env")
        if not isinstance(argv, list) or not isinstance(env, dict) or "--port" not in argv[:-1]:
            continue
        if all(isinstance(item, str) for item in (*argv, *env.values())):
            place = argv.index("--port") + 1
            return [*argv[:place], str(PORT), *argv[place + 1 :]], env
    return None


def _as_declared(run: Run, engine: Engine, settings: Settings) -> tuple[list[str], dict[str, str]]:
    from workflow.measure.building import model_dir

    return engine.argv(settings.flags, model_dir(run.config.model), PORT), engine.environment(settings.env)

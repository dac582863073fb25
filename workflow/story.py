"""One campaign told in full from its files: how it stands, what was planned, judged, banked and dropped, and why."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.campaign import LEDGER, read_campaign, stored_config
from workflow.errors import CountersignError
from workflow.history import VERDICTS, contradicted, read_verdicts, tried
from workflow.ledger import Ledger
from workflow.looking import reading, when
from workflow.plain import columns, path_text
from workflow.status import Status, status

SCHEMA = "countersign.campaign_shown/1"  # 1: first form
FILES = ("report.md", "report.json", "report.html", "audit_request.json", VERDICTS, "ledger.jsonl", "log.jsonl")


@dataclass(frozen=True, slots=True)
class Story:
    """Everything ``campaign show`` prints."""

    status: Status
    created_unix: float
    conditions: str
    plans: list[dict[str, Any]]
    verdicts: list[dict[str, Any]]
    banked: list[dict[str, Any]]
    dropped: list[dict[str, Any]]
    set_aside: list[dict[str, Any]]
    files: dict[str, str]
    problems: list[str]
    """What could not be read, or contradicts the ledger."""

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        parts = {name: getattr(self, name) for name in ("created_unix", "plans", "verdicts", "banked", "dropped")}
        rest = {"set_aside": self.set_aside, "files": self.files, "problems": self.problems}
        return {"schema": SCHEMA, "status": self.status.as_dict(), **parts, **rest}


def story(run_dir: Path) -> Story:
    """Read a campaign. Raises UsageError when the directory is none, EvidenceError when record or ledger are damaged."""
    with reading(run_dir):
        record = read_campaign(run_dir)
        config = stored_config(run_dir, record)
        created = float(record["created_unix"])
        when(created)
        ledger = Ledger(run_dir / LEDGER, time.time, read_only=True)
        judged, problems = _judged(run_dir, ledger)
        gains, unread = _gains(run_dir, ledger, config.noise_band_pct)
        auditor = "an auditor signs every bank" if config.use_auditor else "UNAUDITED: the plain rule decides"
        return Story(
            status=status(run_dir),
            created_unix=created,
            conditions=f"{config.engine} / {config.model}, {config.workload.concurrency} clients; {auditor}",
            plans=_plans(ledger),
            verdicts=[_verdict(dict(entry.body), judged, gains) for entry in ledger.of_kind("verdict")],
            banked=[_bank(dict(entry.body), gains) for entry in ledger.of_kind("bank")],
            dropped=[_drop(dict(entry.body), gains) for entry in ledger.of_kind("drop")],
            set_aside=[_only(entry.body, "launch_id", "foreign_cores") for entry in ledger.of_kind("set_aside")],
            files={name: path_text(run_dir / name) for name in FILES if (run_dir / name).is_file()},
            problems=problems + unread,
        )


def _judged(run_dir: Path, ledger: Ledger) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The whole verdicts by name, and what is wrong with them."""
    try:
        with reading(run_dir):
            stored = read_verdicts(run_dir)
            wrong = contradicted(stored, ledger) if (run_dir / VERDICTS).exists() else None
    except CountersignError as error:
        return {}, [str(error)]
    return stored, [wrong] if wrong else []


def _gains(run_dir: Path, ledger: Ledger, band_pct: float) -> tuple[dict[str, float | None], list[str]]:
    """Gain of each proposal in percent, from the sealed rows; empty when one of them cannot be read."""
    try:
        with reading(run_dir):
            found = {item.short_name: item.delta_pct for item in tried(run_dir, ledger, band_pct)}
    except CountersignError as error:
        return {}, [f"no gains: {error}"]
    return {name: gain if gain is not None and math.isfinite(gain) else None for name, gain in found.items()}, []


def _plans(ledger: Ledger) -> list[dict[str, Any]]:
    sealed = [str(entry.body["launch_id"]) for entry in ledger.of_kind("sealed")]
    return [_plan(entry.body, sealed) for entry in ledger.of_kind("plan")]


def _plan(body: Mapping[str, Any], sealed: list[str]) -> dict[str, Any]:
    folder, order = str(body["dir"]), [str(leg) for leg in body["order"]]
    done = sum(name.startswith(f"{folder}/") for name in sealed)
    return {"dir": folder, "order": order, "sealed": done, **_only(body, "repeats", "requests_per_repeat")}


def _verdict(body: dict[str, Any], judged: Mapping[str, Mapping[str, Any]], gains: Mapping[str, float | None]) -> dict[str, Any]:
    name = str(body["short_name"])
    whole = judged.get(name, {})
    reasons = [str(body["error"])] if body.get("error") else [str(reason) for reason in whole.get("reasons", [])]
    steps = [str(step) for step in whole.get("next_steps", [])]
    told = {"reasons": reasons, "next_steps": steps, "delta_pct": gains.get(name)}
    return {"short_name": name, **_only(body, "verdict", "action", "outcome"), **told}


def _bank(body: dict[str, Any], gains: Mapping[str, float | None]) -> dict[str, Any]:
    kept = _only(body, "short_name", "flags", "env", "median_tok_s", "audited")
    return {**kept, "unsigned": body.get("unsigned") is True, "delta_pct": gains.get(str(body["short_name"]))}


def _drop(body: dict[str, Any], gains: Mapping[str, float | None]) -> dict[str, Any]:
    return {**_only(body, "short_name", "reason", "refuted"), "delta_pct": gains.get(str(body["short_name"]))}


def _only(body: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: body[key] for key in keys}


def as_text(told: Story) -> list[str]:
    """Lines for people. What comes out of files may hold anything: the caller prints them one by one, cleaned."""
    lines = told.status.as_text().split("\n")
    step = lines.pop()
    lines[1:1] = [f"begun     {when(told.created_unix)} UTC", f"measures  {told.conditions}"]
    rows = [("plan", "order", "sealed", "repeats", "requests a repeat")]
    for plan in told.plans:
        sealed = f"{plan['sealed']} of {len(plan['order'])}"
        rows.append((plan["dir"], " ".join(plan["order"]), sealed, str(plan["repeats"]), str(plan["requests_per_repeat"])))
    lines += ["", *columns(rows)] if told.plans else []
    lines += _part("verdicts", [line for item in told.verdicts for line in _verdict_lines(item)])
    lines += (
        [f"  no {VERDICTS} here: `countersign audit` prints the reasons"] if told.verdicts and VERDICTS not in told.files else []
    )
    lines += _part("banked", [f"{item['short_name']}: {_settings(item)}{_gain(item)}{_signed(item)}" for item in told.banked])
    lines += _part("dropped", [f"{item['short_name']}: {item['reason']}{_refuted(item)}" for item in told.dropped])
    aside = [f"{item['launch_id']}: strangers used {item['foreign_cores']} cores, measured again" for item in told.set_aside]
    lines += _part("set aside", aside)
    lines += _part("files", list(told.files.values()))
    lines += _part("PROBLEMS", told.problems)
    return [*lines, "", step]


def _part(title: str, lines: list[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def _verdict_lines(item: Mapping[str, Any]) -> list[str]:
    first = f"{item['short_name']}: {item['verdict']} ({item['outcome']}), action {item['action']}{_gain(item)}"
    return [first, *(f"  - {reason}" for reason in item["reasons"]), *(f"  next: {step}" for step in item["next_steps"])]


def _settings(item: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in [*item["flags"].items(), *item["env"].items()])


def _gain(item: Mapping[str, Any]) -> str:
    return "" if item["delta_pct"] is None else f", {item['delta_pct']:+.1f} %"


def _signed(item: Mapping[str, Any]) -> str:
    return "; UNAUDITED" if not item["audited"] else "; UNSIGNED" if item["unsigned"] else ""


def _refuted(item: Mapping[str, Any]) -> str:
    return "; refuted, it is not tried again" if item["refuted"] else ""

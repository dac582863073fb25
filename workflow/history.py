"""The story of a campaign, put together from the ledger and the verdicts: for producers, status and report alike."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workflow.canonical import digest, pretty, write_atomic
from workflow.errors import EvidenceError
from workflow.figures import LegFigures, delta_pct, leg_figures, plain_rule
from workflow.ledger import Entry, Ledger

VERDICTS = "verdicts.json"
PROPOSAL_SCHEMA = "countersign.proposal/1"  # 1: first form
UNAUDITED = "UNAUDITED"

Decided = Literal["banked", "dropped", "to_fix", "open"]
_NAME = re.compile(r"c(\d+)-.*?(?:-try(\d+))?")


@dataclass(frozen=True, slots=True)
class Tried:
    """One proposal and what became of it."""

    short_name: str
    direction: int
    attempt: int
    lever: str
    flags: dict[str, Any]
    env: dict[str, str]
    overlay: dict[str, Any] | None
    """``{dir, name, op, target, entry, sha256}`` of an overlay; None for a lever."""
    unbuilt: str | None
    """Why the overlay's source could not be built."""
    authored: bool
    """True: the overlay is its producer's own code, none of the catalogue."""
    digest: str
    why: str
    decided: Decided
    verdict: str
    """PASS, FLAG, FAIL, UNAUDITED, or empty while it is open."""
    action: str
    outcome: str
    delta_pct: float | None
    reasons: list[str]
    next_steps: list[str]
    refuted: bool
    ref: LegFigures
    cand: LegFigures
    judged: dict[str, Any] | None
    """The whole verdict, where an auditor gave one."""


def short_name(direction: int, lever: str, attempt: int) -> str:
    """Name and directory of a proposal."""
    return f"c{direction:02d}-{lever}" + (f"-try{attempt}" if attempt > 1 else "")


def parse_name(name: str) -> tuple[int, int]:
    """Direction and attempt of a proposal's name."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise EvidenceError(f"{name!r}: not the name of a proposal", "The ledger was written by something else.")
    return int(match[1]), int(match[2] or 1)


def read_verdicts(run_dir: Path) -> dict[str, dict[str, Any]]:
    """The verdicts on disk by short name; empty when there are none. Raises EvidenceError when the file is damaged."""
    path = run_dir / VERDICTS
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_bytes())
        return {str(item["short_name"]): item for item in (found if isinstance(found, list) else [found])}
    except (ValueError, KeyError, TypeError) as error:
        raise EvidenceError(f"{path}: not a list of verdicts ({error!r})", f"countersign audit {run_dir}") from error


Read = Callable[[Path, Ledger, str], LegFigures]
"""Reads the figures of a leg: run directory, ledger, folder."""


def contradicted(stored: Mapping[str, Mapping[str, Any]], ledger: Ledger | None) -> str | None:
    """Where verdicts.json is not what the ledger vouches for, in words; None when it is."""
    for entry in ledger.of_kind("verdict") if ledger else []:
        name, said = str(entry.body["short_name"]), entry.body["verdict_sha256"]
        if said is not None and (name not in stored or digest(stored[name]) != said):
            return f"verdicts.json does not hold the verdict on {name!r} that the ledger recorded"
    return None


def tried(
    run_dir: Path, ledger: Ledger, band_pct: float, *, read: Read = leg_figures, verdicts: dict[str, dict[str, Any]] | None = None
) -> list[Tried]:
    """Every proposal, oldest first. A report, which must not stop at damage, brings its own ``read`` and ``verdicts``."""
    known = read_verdicts(run_dir) if verdicts is None else verdicts
    found = []
    for entry in ledger.of_kind("proposal"):
        name = str(entry.body["short_name"])
        ref, cand = (read(run_dir, ledger, f"config/{name}/{leg}") for leg in ("ref", "cand"))
        found.append(_tried(ledger, entry, (ref, cand), band_pct, known.get(name)))
    return found


def _tried(
    ledger: Ledger, proposal: Entry, legs: tuple[LegFigures, LegFigures], band_pct: float, judged: dict[str, Any] | None
) -> Tried:
    name, (ref, cand) = str(proposal.body["short_name"]), legs
    verdict, bank, drop = (ledger.get(f"{kind}/{name}") for kind in ("verdict", "bank", "drop"))
    decided: Decided = "banked" if bank else "dropped" if drop else "to_fix" if verdict else "open"
    direction, attempt = parse_name(name)
    body = proposal.body
    if verdict is not None:
        word, action, outcome = (str(verdict.body[key]) for key in ("verdict", "action", "outcome"))
        crash = verdict.body.get("error")
        reasons = [str(crash)] if crash else list((judged or {}).get("reasons", []))
    else:
        word, action, outcome = (UNAUDITED if bank or drop else ""), "", ""
        reasons = [plain_rule(ref, cand, band_pct).reason] if bank else []
    if drop is not None and not reasons:
        reasons = [str(drop.body["reason"])]
    return Tried(
        short_name=name,
        direction=direction,
        attempt=attempt,
        lever=str(body["lever"]),
        flags=dict(body["flags"]),
        env=dict(body["env"]),
        overlay=dict(body["overlay"]) if body.get("overlay") else None,
        unbuilt=str(body["unbuilt"]) if body.get("unbuilt") else None,
        authored=bool(body.get("authored")),
        digest=str(body["digest"]),
        why=str(body["why"]),
        decided=decided,
        verdict=word,
        action=action,
        outcome=outcome or ("" if decided == "open" else "not shown" if drop else "gain above the band"),
        delta_pct=delta_pct(ref, cand),
        reasons=reasons,
        next_steps=list((judged or {}).get("next_steps", [])),
        refuted=bool(drop and drop.body["refuted"]),
        ref=ref,
        cand=cand,
        judged=judged,
    )


def write_claim(run_dir: Path, name: str, claim: dict[str, Any]) -> None:
    """Keep the producer's own words beside the evidence; nobody reads a number from them."""
    folder = run_dir / "config" / name
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "proposal.json", pretty({"schema": PROPOSAL_SCHEMA, "short_name": name, **claim}))

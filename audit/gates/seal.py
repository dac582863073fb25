"""Intake's damage report and the seals, as findings."""

from __future__ import annotations

from audit.contract import Finding
from audit.evidence import Evidence
from audit.intake.model import Damage

EMPTY = "not measured: no rows yet"
MEASURE = "Measure first (COMMANDS.md beside the request, if init-pair wrote it, says how), then audit again."
RESTORE = "Restore the files from a copy, or measure again: a number that rests on them cannot be believed."


def _finding(item: Damage) -> Finding:
    line = f":{item.source.line}" if item.source.line else ""
    return Finding(
        gate=item.gate,
        status="fail",
        situation="damaged",
        ids=list(item.ids),
        reason=f"{item.source.file}{line}: {item.what}",
        next_step=RESTORE,
        evidence=[item.source],
    )


def intake(ev: Evidence) -> list[Finding]:
    """Every damage record of the raw rows; legs that could not be told."""
    found = [_finding(item) for item in ev.damage if item.gate == "intake"]
    for words in ev.problems:
        empty = words.startswith(EMPTY)
        step = MEASURE if empty else "Name the legs in the request (eval_dir, cand_dir)."
        found.append(Finding(gate="legs", status="unknown", reason=words, next_step=step, ids=[] if empty else ["R18"]))
    if not found and not ev.all_legs:
        return [Finding(gate="intake", status="ok", reason=f"{len(ev.sources)} files read whole, none damaged")]
    if not found:
        rows = sum(len(leg.rows) for leg in ev.all_legs)
        count = sum(len(launch.files) for leg in ev.all_legs for launch in leg.launches)
        return [Finding(gate="intake", status="ok", reason=f"{rows} rows in {count} files, every line read and none damaged")]
    return found


def seals(ev: Evidence) -> list[Finding]:
    """Own launches: sealed, ledgered, unaltered."""
    found = [_finding(item) for item in ev.damage if item.gate == "seal"]
    if found:
        return found
    if not ev.own:
        reason = "the rows are not sealed: whether they were edited later cannot be told"
        return [Finding(gate="seal", status="unknown", ids=["O12"], reason=reason)]
    if not ev.ledger_present:
        reason = "ledger.jsonl is missing: nothing outside the launches vouches for their seals"
        step = "Audit the whole run directory, its ledger included."
        return [Finding(gate="seal", status="unknown", ids=["O12"], reason=reason, next_step=step)]
    count = sum(len(leg.launches) for leg in ev.all_legs)
    return [
        Finding(
            gate="seal", status="ok", ids=["O12"], reason=f"{count} launches match their seals, and the seals match the ledger"
        )
    ]

"""How a campaign stands, from its files alone. Nothing is written, so it may be asked while the campaign runs."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workflow.campaign import LEDGER, read_campaign
from workflow.ledger import Ledger
from workflow.owner import owner


@dataclass(frozen=True, slots=True)
class Status:
    """A look at one campaign."""

    campaign_id: str
    phase: str
    """``created``, ``baseline``, ``proposing``, ``final`` or ``finished``, or the proposal under way."""
    sealed: int
    planned: int
    """Launches of all plans drawn so far; those of later candidates are not known yet."""
    banked: tuple[str, ...]
    dropped: tuple[str, ...]
    verdicts: dict[str, str]
    audited: bool
    owner: str | None
    """Process that runs it now."""
    next_step: str

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {"schema": "countersign.status/1", **asdict(self)}

    def as_text(self) -> str:
        """For people."""
        said = [f"{name}: {verdict}" for name, verdict in self.verdicts.items()]
        return "\n".join(
            [
                f"campaign  {self.campaign_id}" + ("" if self.audited else "  (UNAUDITED)"),
                f"phase     {self.phase}",
                f"launches  {self.sealed} sealed of {self.planned} planned so far",
                f"banked    {', '.join(self.banked) or 'nothing'}",
                f"dropped   {', '.join(self.dropped) or 'nothing'}",
                f"verdicts  {'; '.join(said) or 'none'}",
                f"owner     {self.owner or 'nobody runs it now'}",
                f"next      {self.next_step}",
            ]
        )


def status(run_dir: Path) -> Status:
    """Look at a campaign directory. Raises UsageError when it is none, EvidenceError when its ledger was edited."""
    record = read_campaign(run_dir)
    ledger = Ledger(run_dir / LEDGER, time.time, read_only=True)
    holder = owner(run_dir)
    finished = ledger.get("finished") is not None
    if finished and (run_dir / "report.md").is_file():
        step = f"read {run_dir / 'report.html'} (or report.md); `countersign audit {run_dir}` checks it"
    elif finished:
        step = f"countersign audit {run_dir}"
    elif holder:
        step = "wait for its owner"
    else:
        step = f"countersign campaign resume {run_dir}"
    names = {kind: tuple(str(e.body["short_name"]) for e in ledger.of_kind(kind)) for kind in ("bank", "drop")}
    return Status(
        campaign_id=str(record["campaign_id"]),
        phase=_phase(ledger),
        sealed=len(ledger.of_kind("sealed")),
        planned=sum(len(entry.body["order"]) for entry in ledger.of_kind("plan")),
        banked=names["bank"],
        dropped=names["drop"],
        verdicts={str(e.body["short_name"]): f"{e.body['verdict']} ({e.body['outcome']})" for e in ledger.of_kind("verdict")},
        audited=bool(record.get("config", {}).get("use_auditor")),
        owner=holder,
        next_step=step,
    )


def _phase(ledger: Ledger) -> str:
    if ledger.get("finished"):
        return "finished"
    if ledger.get("plan/final"):
        return "final"
    proposals = [str(entry.body["short_name"]) for entry in ledger.of_kind("proposal")]
    if proposals:
        decided = ledger.get(f"bank/{proposals[-1]}") or ledger.get(f"drop/{proposals[-1]}")
        return "proposing" if decided else proposals[-1]
    return "baseline" if ledger.get("campaign") else "created"

"""The auditor's nodes, and the only file of the campaign that imports ``audit``. Loaded only when an auditor is wanted."""

from __future__ import annotations

import hashlib
import traceback
from typing import TYPE_CHECKING

from audit import audit_path, canonical_json, questions, render
from workflow import rereading
from workflow.asking import BudgetSpentError, asking
from workflow.canonical import write_atomic
from workflow.context import Context
from workflow.desk import desk
from workflow.errors import CountersignError, EvidenceError
from workflow.history import VERDICTS
from workflow.state import State
from workflow.views import baseline_view

if TYPE_CHECKING:
    from audit import Verdict, Verdicts
    from workflow.ledger import Entry

MOST_REASONS, MOST_WORDS = 5, 500
"""Of a verdict, in the ledger: what was found stands there to be read; the whole verdict is in verdicts.json."""


class AuditNodes:
    """Each node asks the auditor about the newest evidence and ledgers its answer; none of them decides."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def audit_baseline(self, state: State) -> State:
        """Judge the newest A/A set and let the baseline producer answer, within the bound."""
        ctx, sets = self._ctx, state["baseline_sets"]
        entry, reasons = self._judge("baseline" if sets == 1 else f"baseline-set{sets}")
        left = ctx.config.auditor_max_remeasure - (sets - 1)
        view = baseline_view(sets, entry.body, reasons, left)
        try:
            with asking("baseline"):
                answer = ctx.people.producers.baseline(view, desk(ctx, []))
        except BudgetSpentError as error:
            ctx.sink.say(str(error))
            answer = "go_on"
        again = answer == "measure_again" and left > 0
        if again:
            ctx.sink.say(f"baseline: measuring a whole new set ({left} left)")
        elif entry.body["verdict"] != "PASS":
            ctx.sink.say("baseline: the campaign goes on with the measured band, marked")
        return {"measure_again": again}

    def audit_profile(self, state: State) -> State:
        """Judge the newest profile, where one could be taken."""
        name = f"profile-{state['profiles']}"
        if self._ctx.ledger.get(f"request/{name}") is not None:
            self._judge(name)
        return {}

    def audit_harness(self, state: State) -> State:
        """Judge the isolated benchmark of an overlay, where one could be run."""
        name = f"harness-{state['short_name']}"
        if self._ctx.ledger.get(f"request/{name}") is not None:
            self._judge(name)
        return {}

    def audit_patch(self, state: State) -> State:
        """Judge the proposal that was just measured."""
        self._judge(state["short_name"])
        return {}

    def audit_final(self, state: State) -> State:  # noqa: ARG002 - a node takes the state
        """Judge everything that was banked, together."""
        self._judge("final")
        return {}

    def _judge(self, name: str) -> tuple[Entry, list[str]]:
        """The ledgered verdict on a request and its reasons. An auditor that crashes has said FAIL, never a pass."""
        ctx = self._ctx
        request = ctx.ledger.get(f"request/{name}")
        if request is None:
            raise EvidenceError(f"{name}: no request in the ledger", "The run was edited. Start a new campaign.")
        try:
            found = self._read_again(name, audit_path(ctx.run_dir))
            verdicts = {verdict.short_name: verdict for verdict in found}
            rendered = render(found, "json")
            mine = verdicts[name]
        except CountersignError:
            raise
        except Exception as error:  # noqa: BLE001 - the named edge: a crash of the judge is a verdict, not the campaign's end
            ctx.log.error("auditor_crashed", request=name, traceback=traceback.format_exc())
            return self._crashed(name, request, error)
        self._unchanged(verdicts)
        write_atomic(ctx.run_dir / VERDICTS, rendered.encode())
        reasons = [str(reason) for reason in mine.reasons]
        body = {
            "short_name": name,
            "verdict": mine.verdict,
            "action": mine.action,
            "outcome": mine.outcome,
            "verdict_sha256": verdict_digest(mine),
            "signed_off": mine.signed_off,
            "reasons": [reason[:MOST_WORDS] for reason in reasons[:MOST_REASONS]],
            "request_sha256": request.body["request_sha256"],
        }
        entry = ctx.ledger.append("verdict", f"verdict/{name}", body)
        ctx.sink.say(f"auditor on {name}: {mine.verdict} ({mine.outcome})" + "".join(f"\n    {reason}" for reason in reasons))
        ctx.sink.decided(name, mine.verdict, mine.outcome)
        ctx.log.info("verdict", request=name, **{key: body[key] for key in ("verdict", "action", "outcome", "verdict_sha256")})
        return entry, reasons

    def _read_again(self, name: str, found: Verdicts) -> Verdicts:
        """The verdicts, recomputed with what a second reader says of this one, where there is one to ask."""
        ctx, ask = self._ctx, self._ctx.people.second_reader
        if ask is None or ctx.ledger.get(f"opinions/{name}") is not None:
            return found
        lines = rereading.answers(name, questions(ctx.run_dir, name), ask)
        if not lines:
            return found
        kept = rereading.keep(ctx.run_dir, name, lines)
        said = rereading.summary(name, lines)
        body = {"short_name": name, "sha256": hashlib.sha256(kept).hexdigest(), "said": said}
        ctx.ledger.append("opinions", f"opinions/{name}", body)
        ctx.sink.say(said)
        return audit_path(ctx.run_dir)

    def _unchanged(self, verdicts: dict[str, Verdict]) -> None:
        """Every verdict given before must come out again; else the evidence or the auditor changed under the campaign."""
        for entry in self._ctx.ledger.of_kind("verdict"):
            before, name = entry.body["verdict_sha256"], str(entry.body["short_name"])
            if before is not None and (name not in verdicts or verdict_digest(verdicts[name]) != before):
                self._damaged(name, verdicts.get(name))
                raise EvidenceError(
                    f"{name}: the verdict in the ledger does not come out again from the evidence",
                    f"Run `countersign audit {self._ctx.run_dir}` and compare; start a new campaign.",
                )

    def _damaged(self, name: str, now: Verdict | None) -> None:
        """Put on record what the evidence says now."""
        word = "gone" if now is None else f"{now.verdict} ({now.outcome}): {'; '.join(str(reason) for reason in now.reasons)}"
        said = f"the verdict on {name} does not come out again; it is {word[:1000]}"
        self._ctx.ledger.append("damage", f"damage/{name}", {"short_name": name, "said": said})

    def _crashed(self, name: str, request: Entry, error: Exception) -> tuple[Entry, list[str]]:
        words = f"the auditor crashed: {type(error).__name__}: {error}"[:500]
        body = {
            "short_name": name,
            "verdict": "FAIL",
            "action": "remeasure",
            "outcome": "not_measured",
            "verdict_sha256": None,
            "request_sha256": request.body["request_sha256"],
            "error": words,
        }
        self._ctx.sink.say(f"auditor on {name}: {words}; not banked, the traceback is in log.jsonl")
        self._ctx.sink.decided(name, "FAIL", "the auditor crashed")
        return self._ctx.ledger.append("verdict", f"verdict/{name}", body), [words]


def verdict_digest(verdict: Verdict) -> str:
    """sha256 (hex) of a verdict's canonical JSON, as the auditor writes it."""
    return hashlib.sha256(canonical_json(verdict).encode()).hexdigest()

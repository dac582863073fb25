"""From a producer's answer to a frozen proposal: checked, named, kept as a claim, ledgered. Nothing is measured here."""

from __future__ import annotations

from typing import NamedTuple

from agents import Proposal, config_tuner
from workflow.budget import holds_another
from workflow.context import Context, change_digest, check_change
from workflow.errors import ConfigError, EvidenceError
from workflow.history import Tried, parse_name, short_name, tried, write_claim
from workflow.ledger import Entry
from workflow.state import Stopped
from workflow.views import campaign_view


class Answer(NamedTuple):
    """A frozen proposal's name, or why there is none."""

    name: str
    stopped: Stopped

    @property
    def attempt(self) -> int:
        """Attempt of the named proposal; 1 when there is none."""
        return parse_name(self.name)[1] if self.name else 1


def next_proposal(ctx: Context, attempt: int, spent_s: float) -> Answer:
    """The next proposal to measure; ``attempt`` above 1 asks for a fix of the newest one.

    A proposal that was frozen by an interrupted session comes first. Every pass of the loop freezes a direction, and
    those are bounded, or turns a missing fix into a fresh direction, so it ends.
    """
    while True:
        story = tried(ctx.run_dir, ctx.ledger, ctx.config.noise_band_pct)
        pending = next((item for item in story if item.decided == "open"), None)
        if pending is not None:
            before = _refuted(story, pending.digest)
            if before is None:
                return Answer(pending.short_name, "")
            drop(ctx, pending.short_name, f"the same change was refuted as {before}", refuted=True)
            attempt = 1
            continue
        direction = max((item.direction for item in story), default=0) + (attempt == 1)
        if direction > ctx.config.max_candidates:
            return Answer("", "candidates")
        proposal = config_tuner(campaign_view(ctx, story, attempt))
        if proposal is None and attempt > 1:
            _give_up(ctx, story, "its producer had no fix to offer")
            attempt = 1
            continue
        if proposal is None:
            return Answer("", "levers")
        if not holds_another(ctx, spent_s):
            ctx.sink.say(
                f"sweep: {ctx.config.wall_minutes:g} min would not hold another candidate ({spent_s / 60:.1f} min spent)"
            )
            _give_up(ctx, story, "the time budget ended before it could be measured again")
            return Answer("", "wall")
        try:
            _check(ctx, proposal, story)
        except ConfigError as error:
            _give_up(ctx, story, "its producer answered with a change that may not be made")
            ctx.sink.say(f"proposal refused: {error}")
            ctx.log.warning("proposal_refused", reason=str(error))
            return Answer("", "refused")
        _freeze(ctx, short_name(direction, proposal.lever, attempt), proposal)


def _check(ctx: Context, proposal: Proposal, story: list[Tried]) -> None:
    check_change(ctx, proposal.lever, proposal.flags, proposal.env)
    if any(item.decided == "banked" and item.lever == proposal.lever for item in story):
        raise ConfigError(f"lever {proposal.lever!r} is in force already", "Propose a lever that is not banked.")


def _refuted(story: list[Tried], mark: str) -> str | None:
    """Name of the proposal that was refuted with this digest; what was refuted once stays refuted."""
    return next((item.short_name for item in story if item.refuted and item.digest == mark), None)


def _freeze(ctx: Context, name: str, proposal: Proposal) -> None:
    mark = change_digest(proposal.flags, proposal.env)
    write_claim(ctx.run_dir, name, {**proposal.model_dump(mode="json"), "digest": mark})
    body = {
        "short_name": name,
        "lever": proposal.lever,
        "flags": proposal.flags,
        "env": proposal.env,
        "digest": mark,
        "why": proposal.why,
    }
    ctx.ledger.append("proposal", f"proposal/{name}", body)
    ctx.sink.say(f"{name}: {proposal.why}")


def _give_up(ctx: Context, story: list[Tried], reason: str) -> None:
    """Drop the newest proposal when it was sent back and nothing came of it."""
    if story and story[-1].decided == "to_fix":
        drop(ctx, story[-1].short_name, f"{story[-1].verdict} ({story[-1].outcome}); {reason}", refuted=False)


def drop(ctx: Context, name: str, reason: str, *, refuted: bool) -> None:
    """Record that a proposal is not banked, and whether its change may ever come again."""
    body = {"short_name": name, "digest": proposal_of(ctx, name).body["digest"], "reason": reason, "refuted": refuted}
    ctx.ledger.append("drop", f"drop/{name}", body)
    ctx.sink.say(f"{name}: dropped, {reason}")
    ctx.sink.decided(name, "dropped", reason)


def proposal_of(ctx: Context, name: str) -> Entry:
    """The ledgered proposal of that name. Raises EvidenceError when there is none."""
    found = ctx.ledger.get(f"proposal/{name}")
    if found is None:
        raise EvidenceError(f"{name}: no such proposal in the ledger", "The run was edited. Start a new campaign.")
    return found

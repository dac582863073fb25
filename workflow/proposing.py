"""From a producer's answer to a frozen proposal: checked, named, kept as a claim, ledgered. Nothing is measured here."""

from __future__ import annotations

from typing import NamedTuple

from agents import CampaignView, Proposal, config_tuner, kernel_integrator
from workflow.budget import holds_another
from workflow.catalogue import Put, overlays_on_offer, put_into_run
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
            if before is None and pending.unbuilt is None:
                return Answer(pending.short_name, "")
            reason = pending.unbuilt or f"the same change was refuted as {before}"
            drop(ctx, pending.short_name, reason, refuted=before is not None)
            attempt = 1
            continue
        direction = max((item.direction for item in story), default=0) + (attempt == 1)
        proposal = _ask(ctx, story, attempt)
        if proposal is None and attempt > 1:
            _give_up(ctx, story, "its producer had no fix to offer")
            attempt = 1
            continue
        if proposal is None:
            return Answer("", "candidates" if _bounded(ctx, story) else "levers")
        if not holds_another(ctx, spent_s, 3 if proposal.overlay else 2):
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


def _ask(ctx: Context, story: list[Tried], attempt: int) -> Proposal | None:
    """The producer whose turn it is: of a fix the one that made the proposal, else the sweep first, then the kernel track."""
    view: CampaignView = campaign_view(ctx, story, attempt)
    if attempt > 1:
        return kernel_integrator(view) if story[-1].overlay else config_tuner(view)
    found = config_tuner(view) if _directions(story, overlays=False) < ctx.config.max_candidates else None
    if found is None and _directions(story, overlays=True) < ctx.config.max_overlays:
        found = kernel_integrator(view)
    return found


def _directions(story: list[Tried], *, overlays: bool) -> int:
    return len({item.direction for item in story if bool(item.overlay) == overlays})


def _bounded(ctx: Context, story: list[Tried]) -> bool:
    """True when a bound on candidates, and not the lack of ideas, ended the search."""
    sweep = _directions(story, overlays=False) >= ctx.config.max_candidates
    return sweep or 0 < ctx.config.max_overlays <= _directions(story, overlays=True)


def _check(ctx: Context, proposal: Proposal, story: list[Tried]) -> None:
    if proposal.overlay is not None:
        _check_overlay(ctx, proposal)
    else:
        check_change(ctx, proposal.lever, proposal.flags, proposal.env)
    if any(item.decided == "banked" and item.lever == proposal.lever for item in story):
        raise ConfigError(f"lever {proposal.lever!r} is in force already", "Propose a lever that is not banked.")


def _check_overlay(ctx: Context, proposal: Proposal) -> None:
    """Raise ConfigError unless the proposal is exactly one overlay of this campaign's catalogue."""
    if proposal.overlay not in {item.name for item in overlays_on_offer(ctx)}:
        what = f"overlay {proposal.overlay!r} is not one of this campaign's overlays, or another one of its target is in force"
        raise ConfigError(what, "Propose one that is on offer.")
    if proposal.lever != proposal.overlay or proposal.flags or proposal.env:
        raise ConfigError(f"overlay {proposal.overlay!r} comes with settings", "Propose the overlay alone: one change at a time.")


def _refuted(story: list[Tried], mark: str) -> str | None:
    """Name of the proposal that was refuted with this digest; what was refuted once stays refuted."""
    return next((item.short_name for item in story if item.refuted and item.digest == mark), None)


def _freeze(ctx: Context, name: str, proposal: Proposal) -> None:
    put = _overlay(ctx, name, proposal)
    mark = change_digest(proposal.flags, proposal.env, put.told["sha256"] if put else None)
    write_claim(ctx.run_dir, name, {**proposal.model_dump(mode="json"), "digest": mark})
    body = {
        "short_name": name,
        "lever": proposal.lever,
        "flags": proposal.flags,
        "env": proposal.env,
        "digest": mark,
        "why": proposal.why,
        **({"overlay": put.told} if put else {}),
        **({"unbuilt": put.unbuilt} if put and put.unbuilt else {}),
    }
    ctx.ledger.append("proposal", f"proposal/{name}", body)
    ctx.sink.say(f"{name}: {proposal.why}")


def _overlay(ctx: Context, name: str, proposal: Proposal) -> Put | None:
    """The overlay of a proposal as a folder of the run; None for a lever."""
    if proposal.overlay is None:
        return None
    chosen = next(item for item in overlays_on_offer(ctx) if item.name == proposal.overlay)
    return put_into_run(ctx, name, chosen)


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

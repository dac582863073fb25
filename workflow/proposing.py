"""From a producer's answer to a frozen proposal: checked, named, kept as a claim, ledgered. Nothing is measured here."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from agents import CampaignView, Proposal
from workflow import authored
from workflow.asking import BudgetSpentError, asking
from workflow.budget import lacks
from workflow.canonical import digest
from workflow.catalogue import Put, copied, overlays_on_offer, overlays_to_try, put_into_run, routed
from workflow.context import Context, change_digest, check_change, levers_to_try
from workflow.desk import desk
from workflow.errors import ConfigError, EvidenceError
from workflow.history import Tried, parse_name, short_name, tried, write_claim
from workflow.ledger import Entry
from workflow.state import Stopped
from workflow.views import campaign_view

SHOWN, MOST_WORDS, MOST_SAID = 200, 600, 4000
"""Letters that are kept of a refused proposal, of why it was refused, and of what a producer says of its own."""


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
    idle = False
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
        attempt = 1 if idle else _next_attempt(ctx, story, attempt)
        direction = max((item.direction for item in story), default=0) + (attempt == 1)
        try:
            asked = _ask(ctx, story, attempt)
        except BudgetSpentError as error:
            ctx.sink.say(str(error))
            _give_up(ctx, story, "the money for models was spent before its producer could answer")
            return Answer("", "money")
        proposal = asked.proposal and plain(asked.proposal)
        if proposal is None and attempt > 1:
            _give_up(ctx, story, "its producer had no fix to offer")
            attempt, idle = 1, True
            continue
        if proposal is None:
            return Answer("", _exhausted(ctx, story))
        short_of = lacks(ctx, spent_s, 3 if proposal.overlay else 2)
        if short_of:
            minutes = (
                f"{ctx.config.wall_minutes:g} min" if short_of == "wall" else f"{ctx.config.device_minutes:g} min of servers"
            )
            ctx.sink.say(f"sweep: {minutes} would not hold another candidate ({spent_s / 60:.1f} min spent)")
            _give_up(ctx, story, "the time budget ended before it could be measured again")
            return Answer("", short_of)
        try:
            _check_track(proposal, overlay=asked.overlay)
            _check(ctx, proposal, story)
        except ConfigError as error:
            _give_up(ctx, story, "its producer answered with a change that may not be made")
            refuse(ctx, proposal, error, len(story))
            return Answer("", "refused")
        _freeze(ctx, short_name(direction, proposal.lever, attempt), proposal)
        idle = False


def _next_attempt(ctx: Context, story: list[Tried], attempt: int) -> int:
    """The attempt to ask for: a fix only of the newest proposal, sent back, or a producer's own code that could not be built."""
    last = story[-1] if story else None
    if last is None:
        return 1
    if last.authored and last.unbuilt and last.attempt <= ctx.config.auditor_max_fix:
        return last.attempt + 1
    return attempt if last.decided == "to_fix" else 1


class _Asked(NamedTuple):
    """What a producer answered, and whether it is the one of the kernel track."""

    proposal: Proposal | None
    overlay: bool


def _ask(ctx: Context, story: list[Tried], attempt: int) -> _Asked:
    """The producer whose turn it is: of a fix the one that made the proposal, else the sweep first, then the kernel track."""
    view: CampaignView = campaign_view(ctx, story, attempt)
    if attempt > 1:
        overlay = bool(story[-1].overlay)
        return _Asked((_integrator if overlay else _tuner)(ctx, view, story), overlay)
    found = _tuner(ctx, view, story) if _directions(story, overlays=False) < ctx.config.max_candidates else None
    if found is None and _directions(story, overlays=True) < ctx.config.max_overlays:
        return _Asked(_integrator(ctx, view, story), overlay=True)
    return _Asked(found, overlay=False)


def plain(proposal: Proposal) -> Proposal:
    """A proposal that can be written down: no half characters, no endless words, no promise that is no number."""
    words = {key: _text(value)[:MOST_SAID] for key, value in (("what", proposal.what), ("why", proposal.why))}
    promise = proposal.expected_gain_pct
    gain = promise if promise is not None and math.isfinite(promise) else None
    return proposal.model_copy(update={**words, "lever": _text(proposal.lever), "expected_gain_pct": gain})


def _text(value: str) -> str:
    return value.encode("utf-8", "replace").decode()


def _tuner(ctx: Context, view: CampaignView, story: list[Tried]) -> Proposal | None:
    with asking("config_tuner"):
        return ctx.people.producers.config_tuner(view, desk(ctx, story, _checked(ctx, story, view.attempt, overlay=False)))


def _integrator(ctx: Context, view: CampaignView, story: list[Tried]) -> Proposal | None:
    with asking("kernel_integrator"):
        return ctx.people.producers.kernel_integrator(view, desk(ctx, story, _checked(ctx, story, view.attempt, overlay=True)))


def _checked(ctx: Context, story: list[Tried], attempt: int, *, overlay: bool) -> Callable[[Proposal], None]:
    """What holds for a proposal before its producer is done with it; a refusal goes to the ledger and back to the producer."""

    def check(proposal: Proposal) -> None:
        try:
            _check_track(proposal, overlay=overlay)
            _check(ctx, proposal, story)
            _check_new(proposal, story, attempt)
        except ConfigError as error:
            refuse(ctx, proposal, error, len(story))
            raise

    return check


def _check_track(proposal: Proposal, *, overlay: bool) -> None:
    """Raise ConfigError for an overlay of the config tuner, or a serving setting of the kernel integrator."""
    if overlay and proposal.overlay is None:
        what = f"{proposal.lever!r} comes without an overlay: a serving setting is no kernel, whatever it is called"
        raise ConfigError(what, "Propose an overlay alone, or nothing; settings are the config tuner's.")
    if not overlay and (proposal.overlay is not None or proposal.authored is not None):
        raise ConfigError("an overlay is no configuration", "Propose a declared lever, or nothing.")


def _check_new(proposal: Proposal, story: list[Tried], attempt: int) -> None:
    """Raise ConfigError for what was tried: a refuted change stays refuted, a dropped one has had its attempts."""
    same = [item for item in story if _same(item, proposal)]
    refuted = next((item.short_name for item in same if item.refuted), None)
    if refuted is not None:
        raise ConfigError(f"the same change was refuted as {refuted}, whatever it is called now", "Propose another change.")
    dropped = next((item.short_name for item in same if item.decided == "dropped"), None)
    if dropped is not None or (same and attempt == 1):
        raise ConfigError(f"this change has had its attempts ({same[-1].short_name})", "Propose another change.")


def _same(item: Tried, proposal: Proposal) -> bool:
    if proposal.authored is not None:
        return item.digest == _mark(proposal, None)
    return item.lever == proposal.lever and not item.authored


def _mark(proposal: Proposal, put: Put | None) -> str:
    """Digest of a change; of written code what it does counts, not how it is set."""
    code = authored.code_digest(proposal.authored) if proposal.authored else put.told["sha256"] if put else None
    return change_digest(proposal.flags, proposal.env, code)


def refuse(ctx: Context, proposal: Proposal, error: ConfigError, tried_before: int) -> None:
    """Record that a proposal may not be made, and say so."""
    proposal = plain(proposal)
    mark = digest(proposal.model_dump(mode="json"))
    said = f"{proposal.lever[:SHOWN]} ({proposal.what[:SHOWN]}) was not measured: {str(error)[:MOST_WORDS]}"
    body = {"lever": proposal.lever[:SHOWN], "sha256": mark, "said": said}
    ctx.ledger.append("refusal", f"refusal/{tried_before}/{mark[:16]}", body)
    ctx.sink.say(f"proposal refused: {error}")
    ctx.log.warning("proposal_refused", reason=str(error))


def _directions(story: list[Tried], *, overlays: bool) -> int:
    return len({item.direction for item in story if bool(item.overlay) == overlays})


def _exhausted(ctx: Context, story: list[Tried]) -> Stopped:
    """Why nothing more is proposed: a bound on candidates, no lever left, or no idea."""
    sweep = _directions(story, overlays=False) >= ctx.config.max_candidates
    if sweep or 0 < ctx.config.max_overlays <= _directions(story, overlays=True):
        return "candidates"
    decided = {item.lever for item in story}
    return "levers" if all(item.name in decided for item in levers_to_try(ctx.config, ctx.engine)) else "producers"


def _check(ctx: Context, proposal: Proposal, story: list[Tried]) -> None:
    if proposal.authored is not None:
        _alone(proposal)
        taken = {item.name for item in overlays_to_try(ctx.config, ctx.engine)} | {item.name for item in ctx.engine.levers}
        ops = [item["op"] for item in routed(ctx)]
        authored.check(proposal, ctx.engine, ctx.bench.sandbox, ops, taken)
        if proposal.authored.target in {item.target for item in ctx.in_force.overlays}:
            raise ConfigError(f"{proposal.authored.target} is replaced already by an overlay in force", "Aim at another one.")
    elif proposal.overlay is not None:
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
    _alone(proposal)


def _alone(proposal: Proposal) -> None:
    if proposal.lever != proposal.overlay or proposal.flags or proposal.env:
        what = f"overlay {proposal.overlay!r} comes with settings, or under another name"
        raise ConfigError(what, "Propose the overlay alone: one change at a time.")


def _refuted(story: list[Tried], mark: str) -> str | None:
    """Name of the proposal that was refuted with this digest; what was refuted once stays refuted."""
    return next((item.short_name for item in story if item.refuted and item.digest == mark), None)


def _freeze(ctx: Context, name: str, proposal: Proposal) -> None:
    put = _overlay(ctx, name, proposal)
    mark = _mark(proposal, put)
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
        **({"authored": True} if proposal.authored else {}),
    }
    ctx.ledger.append("proposal", f"proposal/{name}", body)
    ctx.sink.say(f"{name}: {proposal.why}")


def _overlay(ctx: Context, name: str, proposal: Proposal) -> Put | None:
    """The overlay of a proposal as a folder of the run; None for a lever."""
    if proposal.authored is not None:
        return put_into_run(ctx, name, lambda folder: authored.write(folder, proposal))
    if proposal.overlay is None:
        return None
    chosen = next(item for item in overlays_on_offer(ctx) if item.name == proposal.overlay)
    return put_into_run(ctx, name, copied(chosen))


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

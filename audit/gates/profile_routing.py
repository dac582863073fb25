"""Profile scope: was the right operation chosen to work on, and is no more promised than its corrected share can bring?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from audit.contract import Finding, Situation
from audit.evidence import Evidence
from audit.gates.harness import Fault, place
from audit.gates.profile_ops import Shares, corrected, figures, findings, ok, profiles, quoted
from audit.intake.profiles import Profile
from audit.intake.symbols import Namer
from audit.intake.topn import Routed

GATE = "profile_routing"
IDLE_FAMILIES = ("collective", "copy")
"""Families that are no kernels to rewrite."""


class Chosen(NamedTuple):
    """A routed item and what it stands for: its operations and their corrected share, percent."""

    item: Routed
    ops: frozenset[str]
    pct: float


def ceiling_pct(share_pct: float, speedup: float) -> float:
    """Amdahl's bound on the whole's gain, percent, when a part of this share runs ``speedup`` times as fast."""
    return 100 * (1 / (1 - share_pct / 100 * (1 - 1 / speedup)) - 1)


def check(ev: Evidence) -> list[Finding]:
    """Every routed operation against its corrected share; the largest editable one that nobody routed."""
    faults: list[Fault] = []
    words = []
    shown: tuple[tuple[str, float, str], ...] = ()
    for profile, namer in profiles(ev):
        if not profile.routed:
            continue
        truth = corrected(profile, namer)
        chosen = [_meant(item, truth, namer) for item in profile.routed]
        for one in chosen:
            faults += _one(ev, one, truth, namer)
        faults += _skipped(ev, profile, [one for one in chosen if one.ops], truth)
        speedup = ev.policy.profile.speedup
        words += [
            f"{quoted(c.item.op)} {c.pct:.3g} %, at most {ceiling_pct(c.pct, speedup):+.3g} % at {speedup:g}x" for c in chosen
        ]
        shown = shown or figures(truth, ev.policy.limits.shown)
    if not words:
        return [Finding(gate=GATE, status="n/a", ids=["P09"], reason="nothing was routed on the word of this profile")]
    return findings(GATE, faults, ok(ev, GATE, ["A16", "P09"], f"routed by shares that hold: {', '.join(words)}", shown))


def _meant(item: Routed, truth: Shares, namer: Namer) -> Chosen:
    """The operations that a routed name stands for: a raw name, an operation, a family, or part of one operation's name."""
    wanted = item.op.strip().lower()
    op = namer(item.op).op
    for test in (
        lambda share: item.op in share.names or share.op == op,
        lambda share: share.family == wanted,
        lambda share: wanted in share.op.lower() or any(wanted in name.lower() for name in share.names),
    ):
        found = [share for share in truth.ops if test(share)]
        if found:
            return Chosen(item, frozenset(share.op for share in found), sum(share.pct for share in found))
    return Chosen(item, frozenset(), 0.0)


def _one(ev: Evidence, one: Chosen, truth: Shares, namer: Namer) -> Iterator[Fault]:
    rules, item = ev.policy.profile, one.item
    at, name = place(item.source), quoted(item.op)
    if not one.ops:
        words = f"{at}: {name!r} was routed and is no operation of {', '.join(truth.files) or 'any profile here'}"
        yield Fault(None, ("P09", "A16"), words, item.source, "Name the kernel as the trace does.")
        return
    bound = ceiling_pct(one.pct, rules.speedup)
    shown: tuple[tuple[str, float, str], ...] = (("share", one.pct, "%"), (f"ceiling at {rules.speedup:g}x", bound, "%"))
    shown += figures(truth, ev.policy.limits.shown)
    if one.pct < rules.min_share_pct:
        kind: Situation = "not_comparable" if one.pct < rules.dead_pct else "flagged"
        words = f"{at}: {name!r} was routed and takes {one.pct:.3g} % of the time: {bound:+.2g} % at best at {rules.speedup:g}x"
        yield Fault(kind, ("P09", "A16"), words, item.source, "Route the operations that take the time.", figures=shown)
    elif item.share_pct is not None and abs(item.share_pct - one.pct) >= rules.share_points:
        wrong = abs(item.share_pct - one.pct) >= rules.wrong_points
        words = f"{at}: {name!r} was routed for {item.share_pct:.3g} % of the time and takes {one.pct:.3g} %"
        kind = "not_comparable" if wrong else "flagged"
        yield Fault(kind, ("P01",), words, item.source, "Route by the corrected shares.", figures=shown)
    if item.gain_pct is not None:
        most = ceiling_pct(one.pct, item.speedup) if item.speedup else 100 * (1 / max(1 - one.pct / 100, 1e-9) - 1)
        if item.gain_pct > most * (1 + rules.arithmetic_pct / 100):
            how = f"at {item.speedup:g}x" if item.speedup else "if it took no time at all"
            words = (
                f"{at}: {name!r} is promised to bring {item.gain_pct:+.3g} %; with {one.pct:.3g} % of the time "
                f"it brings {most:+.3g} % {how}"
            )
            yield Fault(
                "flagged",
                ("A04",),
                words,
                item.source,
                "Promise no more than Amdahl's bound.",
                figures=(*shown, ("bound", most, "%")),
            )
    if all(namer(name).origin == "closed" for share in truth.ops if share.op in one.ops for name in share.names[:1]):
        words = f"{at}: {name!r} was routed and lives in a closed or prebuilt library"
        yield Fault("flagged", ("P07",), words, item.source, "Route a backend swap for it, or what has a source.", figures=shown)


def _skipped(ev: Evidence, profile: Profile, chosen: list[Chosen], truth: Shares) -> Iterator[Fault]:
    """The largest operation with a source is routed, or nothing routed is much smaller."""
    rules = ev.policy.profile
    routed = frozenset(op for one in chosen for op in one.ops)
    rows = {entry.name for table in profile.tables for entry in table.entries if entry.editable}
    open_ = [
        share for share in truth.ops
        if share.family not in IDLE_FAMILIES and (share.origin == "open" or (share.origin == "unknown" and rows & {*share.names}))
    ]  # fmt: skip
    if not chosen or not open_ or open_[0].op in routed:
        return
    best, top = max(one.pct for one in chosen), open_[0]
    points = top.pct - best
    if points < rules.share_points:
        return
    kind: Situation = "not_comparable" if points >= rules.wrong_points else "flagged"
    source = chosen[0].item.source
    words = (
        f"{place(source)}: {quoted(top.op)} takes {top.pct:.3g} % of the time and has a source, and was skipped; "
        f"the largest that was routed takes {best:.3g} %"
    )
    shown = (("skipped", top.pct, "%"), (f"ceiling at {rules.speedup:g}x", ceiling_pct(top.pct, rules.speedup), "%"))
    step = "Route it, or say in the list why not."
    yield Fault(kind, ("A16",), words, source, step, figures=(*shown, *figures(truth, ev.policy.limits.shown)))

"""Profile scope: was the profiled server the one that was benched?"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import pairwise

from audit.contract import Finding, Situation
from audit.evidence import Evidence
from audit.gates.harness import Fault, place
from audit.gates.profile_ops import findings, ok, profiles
from audit.intake.profiles import Stated
from audit.intake.settings import OPEN, same

GATE = "profile_config"
STEP = "Profile the configuration that is benched, with the same flags."


def check(ev: Evidence) -> list[Finding]:
    """Settings that the profile states, against each other and against those behind the benchmark's rows."""
    faults: list[Fault] = []
    compared = []
    for profile, _ in profiles(ev):
        records = [*profile.profiled, *([profile.benched] if profile.benched else [])]
        for one, other in pairwise(records):
            faults += _between(ev, one, other, "benched with" if other is profile.benched else "said to be profiled with")
            compared.append(f"{one.source.file} and {other.source.file}")
    if not compared:
        words = "the profile and the benched server are not both described: whether they are the same configuration is open"
        step = "Keep server_args.json beside the trace, and the benchmark's rows (bench_runs.jsonl) in the folder or above it."
        return [Finding(gate=GATE, status="unknown", ids=["P10"], reason=words, next_step=step)]
    return findings(GATE, faults, ok(ev, GATE, ["P10"], f"the same settings: {'; '.join(compared)}"))


def _between(ev: Evidence, one: Stated, other: Stated, how: str) -> Iterator[Fault]:
    """Settings that both state and that differ: graphs on or off is told, anything else is another server."""
    keys, rules = ev.policy.keys, ev.policy.profile
    moved = [
        key
        for key in sorted(one.values.keys() & other.values.keys())
        if keys.kind(key) == "invariant" and not {one.values[key], other.values[key]} & {*OPEN}
        and not same(one.values[key], other.values[key])
    ]  # fmt: skip
    graphs = [key for key in moved if any(fnmatchcase(keys.bare(key), pattern) for pattern in rules.graph_keys)]
    sizes: tuple[tuple[list[str], Situation], ...] = (
        ([key for key in moved if key not in graphs], "not_comparable"),
        (graphs, "flagged"),
    )
    for names, kind in sizes:
        if names:
            key = names[0]
            more = f", and {', '.join(names[1 : ev.policy.limits.shown])}" if len(names) > 1 else ""
            words = (
                f"profiled with {key}={one.values[key][:80]} ({place(one.source)}), "
                f"{how} {other.values[key][:80]} ({place(other.source)}){more}: the shares are another server's"
            )
            ids = ("P10", *keys.taxonomy(key))
            yield Fault(kind, ids, words, one.source, STEP, figures=(("settings", float(len(names)), "settings"),))

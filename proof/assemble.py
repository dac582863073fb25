"""Puts a proof together: scores, worlds, goals and what is needed to repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from audit import known_lies
from proof import goals, score
from proof.key import Key
from proof.rates import Rate
from proof.score import Scored

Json = dict[str, Any]
SCHEMA = "countersign.proof/1"  # 1: first form


class Setup(NamedTuple):
    """What was run."""

    mode: Literal["quick", "full"]
    seed: int
    version: str
    policies: Mapping[str, str]
    """Policy -> digest."""
    machine: str
    blind: bool


class Steady(NamedTuple):
    """Cases that were audited several times, and those that did not get the same bytes."""

    cases: int
    times: int
    unstable: tuple[str, ...]


class Pace(NamedTuple):
    """How fast the replay of the cases was."""

    requests: int
    seconds: float
    jobs: int


def _first_looks() -> list[Json]:
    """What the judge made of each set of recipes before any rule was made for them."""
    looks = json.loads((Path(__file__).parent / "first_looks.json").read_text(encoding="utf-8"))
    return [{name: value if name == "what" else Rate(*value).plain() for name, value in look.items()} for look in looks]


def proof(setup: Setup, key: Key, scores: Sequence[Scored], worlds: Sequence[Json], steady: Steady, pace: Pace) -> Json:
    """The whole object of proof.json."""
    lies = known_lies()
    names = {lie.id: lie.name for lie in lies}
    gate_of = {lie.id: lie.gate for lie in lies if lie.gate}
    rates = score.rates(scores)
    unstable = Rate(len(steady.unstable), steady.cases)
    held = [*goals.of_cases(rates), *goals.of_worlds(worlds)]
    return {
        "schema": SCHEMA,
        "auditor_version": setup.version,
        "mode": setup.mode,
        "seed": setup.seed,
        "key_digest": key.digest,
        "policy_digests": dict(setup.policies),
        "machine": setup.machine,
        "blind": setup.blind,
        "goals": held,
        "cases": [score.as_case(item) for item in scores],
        "confusion": score.confusion(scores),
        "rates": {name: rate.plain() for name, rate in rates.items()},
        "ids": score.by_id(scores, names),
        "gates": score.by_gate(scores, gate_of),
        "misses": score.misses(scores),
        "worlds": list(worlds),
        "stability": {"cases": steady.cases, "times": steady.times, "unstable": list(steady.unstable), "rate": unstable.plain()},
        "first_looks": _first_looks(),
        "speed": {
            "requests": pace.requests, "seconds": round(pace.seconds, 3), "jobs": pace.jobs,
            "per_second": round(pace.requests / pace.seconds, 1) if pace.seconds > 0 else None,
        },
    }  # fmt: skip

"""A campaign with everything against it: auditor and producers that answer at random, machines that fail, sessions that die."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

import workflow.audit_nodes
import workflow.campaign
import workflow.report.page
from agents import BaselineView, Builtin, CampaignView, Desk, ModelError, OpView, Proposal
from agents.contract import BaselineAnswer
from audit import Verdict, Verdicts
from audit.contract import Effect, Launches
from tests.support.campaigns import ListSink, services
from tests.support.simulated import FakeClock, SimulatedDriver, World
from workflow.asking import People
from workflow.campaign import FILE, LEDGER, Outcome, resume, run
from workflow.config import CampaignConfig
from workflow.errors import EvidenceError, InfrastructureError
from workflow.ledger import Ledger
from workflow.routing import step_bound

LEVERS = ("continuous-batching", "dtype-bfloat16", "attn-eager")
OVERLAYS = ("packed_swiglu", "fused_rms_norm")
MODULES = {"Qwen2MLP": 500.0, "Qwen2RMSNorm": 300.0, "Qwen2Attention": 200.0}

Answer = Literal[
    "next", "none", "same", "refuted", "banked", "first", "last", "undeclared", "strange", "merged", "not there", "escape",
    "with flags", "down", "broke",
]  # fmt: skip
"""What a producer of changes does: what the built-in one would, nothing, the newest change again, ..., or its model fails."""
Manner = Literal["says", "crashes", "forgets"]
"""How the auditor answers; ``forgets``: on other requests than the one that was asked."""
Where = Literal["line", "line written", "look"]
"""Where a session dies: before or after a ledger line that it records, or at a look at the clock."""
Ended = Literal["finished", "died", "down", "refused"]
"""How a session ended; ``down``: InfrastructureError, ``refused``: EvidenceError."""


class Death(BaseException):
    """Ends a session without leaving the test process; nothing in the product catches it."""


class EndlessError(Exception):
    """A producer was asked more often than the whole campaign has steps."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the auditor says of a request that it has not judged yet."""

    verdict: str = "PASS"
    outcome: str = "proven"
    action: str = "pass"
    manner: Manner = "says"
    signed: bool = True
    """False: its second reader could not be asked."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session: what is drawn before it begins. Answers come in their order, again and again."""

    said: tuple[Said, ...] = (Said(),)
    asked: tuple[Answer, ...] = ("next",)
    baselines: tuple[BaselineAnswer, ...] = ("go_on",)
    backwards: bool = False
    """The profiler puts the smallest operation first and leaves the others out."""
    doubts: bool = False
    """The auditor says something else of whatever it has judged before."""
    sick: frozenset[tuple[int, str]] = frozenset()
    """Direction and leg whose servers die."""
    contended: bool = False
    """Strangers use the machine while the first launch of each leg runs."""
    dies: tuple[Where, int] | None = None
    """Where the session dies, and at which of these, counted from 0."""


class DyingClock(FakeClock):
    """The campaign's clock over all sessions; dies at a look. Ledger lines, log lines and sessions look at it."""

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None

    def __call__(self) -> float:
        """The time, or the end."""
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Death
        return super().__call__()


@dataclass
class Hostile:
    """Everything that answers in one campaign, over all its sessions."""

    config: CampaignConfig
    run_dir: Path
    clock: DyingClock = field(default_factory=DyingClock)
    judged: dict[str, Verdict] = field(default_factory=dict)
    """The newest verdict that was given on each request."""
    doubted: bool = False
    """In this session a verdict that the ledger holds came out as another."""
    launched: list[str] = field(default_factory=list)
    """Launches of the newest session."""

    def session(self, drawn: Session) -> tuple[Ended, Outcome | None]:
        """Create or resume the campaign and let it go on until it ends in one of the ways that are allowed."""
        self.doubted = False
        self.clock.left, self.clock.now = None, self.clock.now + 3600.0
        drivers: list[SimulatedDriver] = []
        wanted = services(self._world(drawn), self.clock, drivers, ListSink())
        try:
            with self._in_place(drawn):
                if (self.run_dir / FILE).exists():
                    return "finished", resume(self.run_dir, wanted)
                return "finished", run(self.config, wanted, self.run_dir.parent, self.run_dir.name)
        except Death:
            return "died", None
        except InfrastructureError:
            return "down", None
        except EvidenceError:
            if not self.doubted:
                raise
            return "refused", None
        finally:
            self.clock.left = None
            self.launched = [name for driver in drivers for name in driver.launched]

    @contextmanager
    def _in_place(self, drawn: Session) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patched:
            roles = Roles(drawn, step_bound(self.config))
            patched.setattr(workflow.campaign, "people", lambda *_, **__: People(roles, None))
            patched.setattr(workflow.audit_nodes, "audit_path", self._auditor(drawn))
            patched.setattr(workflow.report.page, "render_html", lambda _: "<!-- the page is not what is tested -->")
            if drawn.dies is not None:
                where, number = drawn.dies
                if where == "look":
                    self.clock.left = number
                else:
                    patched.setattr(Ledger, "append", dying(number, written=where == "line written"))
            yield

    def _world(self, drawn: Session) -> World:
        names = [*LEVERS, *OVERLAYS]
        launches = [f"config/c{number:02d}-{name}" for number in range(1, 5) for name in names]
        foreign = {f"{name}/{leg}/launch_000": 0.7 for name in launches for leg in ("ref", "cand")} if drawn.contended else {}
        fail: dict[str, Literal["start", "load"]] = {
            f"config/c{number:02d}-{name}/{leg}/*": "load" for number, leg in drawn.sick for name in names
        }
        return World(launch_noise=0.002, profile=MODULES if self.config.profile else None, fail=fail, foreign=foreign)

    def _auditor(self, drawn: Session) -> Callable[..., Verdicts]:
        said = cycle(drawn.said)

        def audit_path(run_dir: Path, *_: Any, **__: Any) -> Verdicts:
            ledger = Ledger(run_dir / LEDGER, lambda: 0.0, read_only=True)
            requests = json.loads((run_dir / "audit_request.json").read_bytes())
            found = []
            for number, request in enumerate(requests):
                name = str(request["short_name"])
                word = ledger.get(f"verdict/{name}")
                if word is not None and word.body["verdict_sha256"] is not None:
                    found.append(self._again(name, doubts=drawn.doubts))
                    continue
                new = next(said)
                if new.manner == "crashes" and number == len(requests) - 1:
                    raise ZeroDivisionError("no rows")
                if new.manner != "forgets":
                    self.judged[name] = _verdict(request, new)
                    found.append(self.judged[name])
            return Verdicts(found, as_list=True)

        return audit_path

    def _again(self, name: str, *, doubts: bool) -> Verdict:
        if not doubts:
            return self.judged[name]
        self.doubted = True
        return msgspec.structs.replace(self.judged[name], verdict="PASS", outcome="proven", note="on second thoughts")


class Roles:
    """See ``Producers``: answers in the drawn order, whatever was asked."""

    def __init__(self, drawn: Session, most: int) -> None:
        self._asked, self._baselines = cycle(drawn.asked), cycle(drawn.baselines)
        self._backwards = drawn.backwards
        self._left = most
        self._builtin = Builtin()

    def baseline(self, view: BaselineView, desk: Desk) -> BaselineAnswer:
        """See ``Producers.baseline``."""
        return next(self._baselines)

    def profiler(self, ops: list[OpView], desk: Desk) -> list[str]:
        """See ``Producers.profiler``."""
        names = [item.op for item in ops]
        return names[-1:] if self._backwards else names

    def config_tuner(self, view: CampaignView, desk: Desk) -> Proposal | None:
        """See ``Producers.config_tuner``."""
        mine = [item.name for item in view.levers]
        return self._change(view, mine, lambda: self._builtin.config_tuner(view, desk))

    def kernel_integrator(self, view: CampaignView, desk: Desk) -> Proposal | None:
        """See ``Producers.kernel_integrator``."""
        mine = [item.name for item in view.overlays]
        return self._change(view, mine, lambda: self._builtin.kernel_integrator(view, desk))

    def _change(self, view: CampaignView, mine: list[str], usual: Callable[[], Proposal | None]) -> Proposal | None:
        self._left -= 1
        if self._left < 0:
            raise EndlessError(f"asked again and again, attempt {view.attempt}: {view.history[-1:]}")
        word = next(self._asked)
        if word in ("down", "broke"):
            raise ModelError("timeout" if word == "down" else "budget", "no answer")
        if word == "next":
            return usual()
        return _odd(view, mine, word)


def _odd(view: CampaignView, mine: list[str], word: Answer) -> Proposal | None:
    """A change that the built-in producers would not propose, as far as this campaign can be asked for it.

    Of ``mine``, the levers of a tuner and the overlays of an integrator; test_stubborn.py has roles that do not keep to theirs.
    """
    names = {
        "same": [item.lever for item in view.history],
        "refuted": [item.lever for item in view.history if item.outcome == "refuted"],
        "banked": view.banked,
        "first": mine[:1],
        "last": mine,
    }.get(word, [])
    known = [name for name in names if name in mine]
    if known:
        return named(view, known[-1])
    batching: Mapping[str, Any] = {"continuous_batching": True}
    foreign: dict[Answer, dict[str, Any]] = {
        "undeclared": {"lever": "continuous-batching", "flags": {"gpu": 1}},
        "strange": {"lever": "warp", "flags": {"warp": 9}},
        "merged": {"lever": "continuous-batching", "flags": {**batching, "dtype": "bfloat16"}},
        "not there": {"lever": "warp", "flags": {}, "overlay": "warp"},
        "escape": {"lever": "../../../escape", "flags": batching},
        "with flags": {"lever": "packed_swiglu", "flags": batching, "overlay": "packed_swiglu"},
    }
    if word not in foreign:
        return None
    return Proposal.model_validate({**foreign[word], "what": "faster", "why": "because"})


def named(view: CampaignView, name: str) -> Proposal:
    """The lever or overlay of that name as it is declared, whatever was decided of it."""
    lever = next((item for item in view.levers if item.name == name), None)
    if lever is not None:
        return Proposal(lever=name, flags=lever.flags, env=lever.env, what="faster", why="again")
    return Proposal(lever=name, flags={}, overlay=name, what="faster", why="again")


def dying(number: int, *, written: bool) -> Callable[..., Any]:
    """A ``Ledger.append`` that dies at the n-th line it records: before it, or when it is on the disk."""
    real = Ledger.append
    left = number

    def append(self: Ledger, kind: Any, key: str, body: Mapping[str, Any]) -> Any:
        nonlocal left
        fresh = self.get(key) is None
        left -= fresh
        if fresh and left < 0 and not written:
            raise Death
        entry = real(self, kind, key, body)
        if fresh and left < 0:
            raise Death
        return entry

    return append


def _verdict(request: Mapping[str, Any], said: Said) -> Verdict:
    """A whole verdict with the drawn words, which need not be words that an auditor has."""
    word: Any = said.verdict
    action: Any = said.action
    outcome: Any = said.outcome
    return Verdict(
        short_name=str(request["short_name"]), audit_scope=request["scope"], verdict=word, action=action, outcome=outcome,
        lever_class="n/a", lever_evidence=[], counts_as_kernel_win=False, e2e_delta_pct=None, lever_decomposition=[],
        non_overlapping=None, same_conditions_ok=None, baseline_drift_pct=None, engagement_ok=None, headline_integrity="drawn",
        metrics={}, correctness_status="drawn", launches=Launches(None, None, []), effect=Effect(rule="none"), flags=[],
        reasons=["drawn"], findings=[], not_checked=[], next_steps=["draw again"], note="", policy="drawn",
        policy_digest="0" * 64, input_digest="0" * 64, signed_off=word in ("PASS", "FLAG") and said.signed,
    )  # fmt: skip

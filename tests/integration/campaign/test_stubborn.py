"""Answers that no campaign trips over, each in the smallest campaign that meets it."""

from __future__ import annotations

from pathlib import Path

import workflow.checkpoint

# isort: split
import pytest

import workflow.campaign
from agents import Builtin, CampaignView, Desk, OpView, Proposal
from tests.support.campaigns import services, small_config
from tests.support.hostile import LEVERS, MODULES, Hostile, Said, Session
from tests.support.simulated import World
from workflow.asking import People
from workflow.campaign import LEDGER, run
from workflow.ledger import Ledger

REFUTED, OPEN = Said("FAIL", "refuted", "eject"), Said("FAIL", "underpowered", "remeasure")


def test_a_fix_that_was_refuted_before_is_dropped_once_whenever_the_session_dies(tmp_path: Path) -> None:
    """The first lever is refuted, the second goes back, and its producer answers with the first, again and again."""
    config = small_config(use_auditor=True, levers=LEVERS)
    stubborn = Session(said=(Said(), REFUTED, OPEN, Said()), asked=("next", "next", "refuted", "refuted", "none"))
    calm = Hostile(config, tmp_path / "calm" / "sim")
    assert calm.session(stubborn)[0] == "finished"
    keys = [entry.key for entry in Ledger(calm.run_dir / LEDGER, lambda: 0.0, read_only=True).entries]
    again = keys.index(f"drop/c02-{LEVERS[0]}-try2")
    killed = Hostile(config, tmp_path / "killed" / "sim")
    assert killed.session(Session(said=stubborn.said, asked=stubborn.asked, dies=("line written", again)))[0] == "died"
    assert killed.session(Session(asked=("refuted",)))[0] == "finished"


def test_a_pass_on_servers_that_died_banks_nothing(tmp_path: Path) -> None:
    """An auditor that signs what has no row is not believed; the campaign goes on."""
    config = small_config(use_auditor=True, levers=LEVERS)
    hostile = Hostile(config, tmp_path / "sim")
    ended, done = hostile.session(Session(sick=frozenset({(1, "cand")})))
    assert ended == "finished" and done is not None and f"c01-{LEVERS[0]}" not in done.banked


class Odd(Builtin):
    """The built-in roles with one odd answer each."""

    def __init__(self, expected: float | None = None, why: str = "because", ops: list[str] | None = None) -> None:
        self._expected, self._why, self._ops = expected, why, ops

    def profiler(self, ops: list[OpView], desk: Desk) -> list[str]:
        """See ``Producers.profiler``."""
        return [item.op for item in ops] if self._ops is None else self._ops

    def config_tuner(self, view: CampaignView, desk: Desk) -> Proposal | None:
        """See ``Producers.config_tuner``."""
        found = super().config_tuner(view, desk)
        return found and found.model_copy(update={"expected_gain_pct": self._expected, "why": self._why})


class Swapped(Builtin):
    """An integrator that proposes levers, or a tuner that proposes overlays, as long as it is asked."""

    def __init__(self, answer: Proposal, role: str) -> None:
        self._answer, self._role = answer, role

    def config_tuner(self, view: CampaignView, desk: Desk) -> Proposal | None:
        """See ``Producers.config_tuner``."""
        return self._answer if self._role == "config_tuner" else None

    def kernel_integrator(self, view: CampaignView, desk: Desk) -> Proposal | None:
        """See ``Producers.kernel_integrator``."""
        return self._answer if self._role == "kernel_integrator" else None


LEVER = Proposal(lever="attn-eager", flags={"attn_implementation": "eager"}, what="faster", why="because")
OVERLAY = Proposal(lever="packed_swiglu", flags={}, overlay="packed_swiglu", what="faster", why="because")


@pytest.mark.parametrize("role", ["kernel_integrator", "config_tuner"])
def test_a_role_that_answers_for_the_other_gets_no_more_looks(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Levers and overlays have bounds of their own, whoever proposes them; the error budget is divided by these."""
    swapped = Swapped(LEVER if role == "kernel_integrator" else OVERLAY, role)
    monkeypatch.setattr(workflow.campaign, "people", lambda *_: People(swapped, None))
    config = small_config(profile=True, max_candidates=1, levers=("attn-eager",), overlays=("packed_swiglu",), max_overlays=1)
    done = run(config, services(World(profile=MODULES)), tmp_path)
    plans = Ledger(done.run_dir / LEDGER, lambda: 0.0, read_only=True).of_kind("plan")
    assert sum(str(entry.body["dir"]).startswith("config/") for entry in plans) <= 2


ODD = {
    "a gain that is no number": Odd(expected=float("nan")),
    "a gain without end": Odd(expected=float("inf")),
    "half a character": Odd(why="\ud800"),
    "an operation that nobody routed": Odd(ops=["Warp"]),
    "an operation twice": Odd(ops=["Qwen2MLP", "Qwen2MLP"]),
}


@pytest.mark.parametrize("what", ODD)
def test_an_odd_answer_does_not_end_the_campaign(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a producer says beside its change is its own affair; what it says of operations counts where it names one."""
    monkeypatch.setattr(workflow.campaign, "people", lambda *_: People(ODD[what], None))
    config = small_config(profile=True, levers=LEVERS[:1], overlays=("packed_swiglu",))
    done = run(config, services(World(profile=MODULES)), tmp_path)
    assert done.banked == ("c01-continuous-batching",)
    routes = Ledger(done.run_dir / LEDGER, lambda: 0.0, read_only=True).of_kind("route")
    assert all(len(entry.body["routed"]) == len({item["op"] for item in entry.body["routed"]}) for entry in routes)

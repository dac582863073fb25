"""Every campaign halts within its bound and banks only what was signed, whatever happens to it: a hypothesis state machine.

The real graph, nodes, ledger and checkpoints over simulated servers; the auditor's words, the producers' answers, failing
machines and the places where sessions die are drawn. CI draws the same examples every time. To look further:

    COUNTERSIGN_MACHINE=2000 pytest tests/integration/campaign/test_machine.py -k whatever_happens

draws that many others, new ones each time; a failure prints the steps that lead to it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

import workflow.nodes
import workflow.proposing
from agents import Proposal
from tests.support import invariants
from tests.support.campaigns import small_config, tree
from tests.support.comparing import seals
from tests.support.hostile import LEVERS, OVERLAYS, Answer, Hostile, Manner, Said, Session, Where
from workflow.audit_nodes import AuditNodes
from workflow.campaign import LEDGER
from workflow.config import CampaignConfig, MeasureConfig, ModelsConfig
from workflow.context import Context
from workflow.routing import step_bound

ASKED = os.environ.get("COUNTERSIGN_MACHINE")
DRAWN = settings(
    max_examples=int(ASKED or 60),
    derandomize=ASKED is None,
    database=None,
    deadline=None,
    stateful_step_count=5,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink) if ASKED else (Phase.generate,),
)
LITTLE = MeasureConfig(aa_launches=2, launches=1, repeats=2, final_launches=1, min_repeat_s=0.5)
MEMORY = Path("/dev/shm")
"""Where there is one, runs lie in memory: what is tested is what was written, not that the disk has it."""

GOING: tuple[Answer, ...] = ("next", "next", "same", "refuted", "first", "last")
"""Answers that keep a campaign going; the others mostly end it."""
ENDING: tuple[Answer, ...] = (
    "none", "banked", "undeclared", "strange", "merged", "not there", "escape", "with flags", "down", "broke",
)  # fmt: skip
VERDICTS = ("PASS", "PASS", "PASS", "FLAG", "FLAG", "FAIL", "FAIL", "FAIL", "", "verdict: PASS", "pass", "UNSIGNED")
OUTCOMES = (*["proven"] * 4, *["refuted", "underpowered"] * 2, "not_measured", "evidence_damaged", "", "nonsense")


def config(drawn: Random) -> CampaignConfig:
    """A campaign with other bounds each time."""
    return small_config(
        measure=LITTLE,
        levers=LEVERS,
        overlays=OVERLAYS,
        use_auditor=drawn.random() < 0.8,
        auditor_max_remeasure=drawn.choice([0, 1, 2]),
        auditor_max_fix=drawn.choice([0, 1, 1, 2]),
        max_candidates=drawn.choice([0, 2, 3, 3, 4]),
        profile=drawn.random() < 0.5,
        max_overlays=drawn.choice([0, 1, 2]),
        wall_minutes=2.0 if drawn.random() < 0.1 else 120.0,
        models=ModelsConfig(on_degraded=drawn.choice(["open", "closed"])),
    )


def session(drawn: Random) -> Session:
    """What meets the campaign in one session; most of them die somewhere."""
    where: Where | None = drawn.choice(["line", "line written", "look", None])
    return Session(
        said=tuple(said(drawn) for _ in range(6)),
        asked=tuple(drawn.choice(ENDING if drawn.random() < 0.06 else GOING) for _ in range(5)),
        baselines=tuple(drawn.choices(["measure_again", "go_on"], k=2)),
        backwards=drawn.random() < 0.3,
        doubts=drawn.random() < 0.1,
        sick=frozenset({(drawn.choice([1, 2, 3]), drawn.choice(["cand", "cand", "off", "ref"]))} if drawn.random() < 0.3 else ()),
        contended=drawn.random() < 0.2,
        dies=None if where is None else (where, drawn.randrange(300 if where == "look" else 50)),
    )


def said(drawn: Random) -> Said:
    """A word that an auditor has, or not."""
    manner: Manner = "says" if drawn.random() < 0.9 else drawn.choice(["crashes", "forgets"])
    words = drawn.choice(VERDICTS), drawn.choice(OUTCOMES), drawn.choice(["pass", "remeasure", "nonsense"])
    return Said(*words, manner, signed=drawn.random() < 0.7)


SEEDS = st.integers(0, 2**48 - 1)
"""Each stands for a configuration or a session: drawn piece by piece, hypothesis would mostly draw the shortest campaigns."""


class Campaigns(RuleBasedStateMachine):
    """One campaign, session by session; the last one is left in peace."""

    def __init__(self) -> None:
        super().__init__()
        self.out = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.run_dir = self.out / "sim"
        self.finished = False
        self.broken_off = 0
        self.ledger = b""

    @initialize(seed=SEEDS)
    def create(self, seed: int) -> None:
        """Nothing is run yet."""
        self.seed = seed
        self.config = config(Random(seed))
        note(str(self.config.model_dump(exclude_defaults=True)))
        self.world = Hostile(self.config, self.run_dir)

    @precondition(lambda self: not self.finished)
    @rule(seed=SEEDS)
    def disturbed(self, seed: int) -> None:
        """Run or resume, to whatever end."""
        self.go_on(session(Random(f"{self.seed} {seed} {self.broken_off}")))

    @precondition(lambda self: self.finished)
    @rule()
    def over(self) -> None:
        """Nothing is left to disturb."""

    def go_on(self, drawn: Session) -> None:
        """One session and what must hold after it."""
        before = seals(self.run_dir)
        ended, done = self.world.session(drawn)
        note(f"{drawn}: {ended} {done.banked if done else ''}")
        self.finished = ended == "finished"
        self.broken_off += ended != "finished"
        if not (self.run_dir / LEDGER).exists():
            return
        after = seals(self.run_dir)
        assert {name: after.get(name) for name in before} == before, "SEALED: a sealed launch was replaced"
        assert not {f"sealed/{name}" for name in self.world.launched} & set(before), "SEALED: measured again"
        ledger = (self.run_dir / LEDGER).read_bytes()
        assert ledger.startswith(self.ledger), "LEDGER: a line was changed"
        self.ledger = ledger
        invariants.holds(self.run_dir, self.config)
        begun, bound = invariants.nodes_begun(self.run_dir), step_bound(self.config)
        assert begun <= bound + self.broken_off, f"BOUND: {begun} nodes in {self.broken_off} broken sessions, {bound} allowed"

    def teardown(self) -> None:
        """Left in peace, every campaign comes to its end; whoever resumes a finished one changes nothing."""
        try:
            if sys.exc_info()[0] is None:  # else the example failed, or was given up while it was drawn
                self.go_on(Session())
                assert self.finished, "END: a campaign that is left in peace does not end"
                before = tree(self.run_dir)
                self.go_on(Session(doubts=True))
                assert tree(self.run_dir) == before and not self.world.launched, "END: a resume changed what was finished"
        finally:
            shutil.rmtree(self.out)


def test_whatever_happens_only_what_is_signed_is_banked_and_the_campaign_ends() -> None:
    """Verdicts, proposals, degradations, deaths and resumes in any order."""
    run_state_machine_as_test(Campaigns, settings=DRAWN)


def bank_all(*_: object) -> str:
    """A decision that does not look at the verdict."""
    return "bank"


def lax(ctx: Context, proposal: Proposal, _: object, real: Any = workflow.proposing._check) -> None:
    """The check of a proposal, blind to what is banked."""
    real(ctx, proposal, [])


MUTANTS: dict[str, tuple[object, str, object, str]] = {
    "banks whatever was said": (workflow.nodes, "judge", bank_all, "BANK"),
    "takes every verdict for signed": (workflow.nodes, "unsigned", lambda *_: False, "UNSIGNED"),
    "forgets what was refuted": (workflow.proposing, "_refuted", lambda *_: None, "REFUTED"),
    "lets a banked lever come again": (workflow.proposing, "_check", lax, "TWICE"),
    "lets a verdict change": (AuditNodes, "_unchanged", lambda *_: None, "VERDICTS"),
    "counts no directions": (workflow.proposing, "_directions", lambda *_, **__: 0, "Recursion limit|LOOKS|BOUND|asked again"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_machine_finds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule can be broken, and is then found by its own words."""
    owner, attribute, planted, words = MUTANTS[name]
    monkeypatch.setattr(owner, attribute, planted)
    found = settings(DRAWN, max_examples=200, derandomize=True, phases=(Phase.generate,))
    with pytest.raises(Exception, match=words):
        run_state_machine_as_test(Campaigns, settings=found)

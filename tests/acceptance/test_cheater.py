"""A producer that cheats in every way, as one whole campaign on real servers: nothing is banked, each attempt is on record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.campaigns import Ended, campaign, embedded, say
from tests.integration.campaign.test_cheats import ORDERS, edit
from tests.support import cheats
from tests.support.fake_model import fake_model
from tests.support.players import Play, Turn, honest, lever, playing, written
from workflow.errors import EvidenceError

pytestmark = [pytest.mark.acceptance, pytest.mark.usefixtures("bubblewrap")]
LOUD = {"what": f"+40 %. {ORDERS}", "why": ORDERS, "expected_gain_pct": 40.0}
WORK = {
    "switches": (cheats.SWITCHES, cheats.MLP),
    "inflates": (cheats.INFLATES, cheats.NORM),
    "remembers": (cheats.REMEMBERS, cheats.MLP),
    "stays": (cheats.STAYS, cheats.NORM),
    "seeks": (cheats.SEEKS, cheats.NORM),
    "idles": (cheats.IDLES, cheats.MLP),
}  # fmt: skip
"""Overlays in the order in which they are proposed."""
FINDINGS = {
    "switches": "switched off",
    "inflates": "the client counted",
    "remembers": "answer",
    "stays": "",
    "seeks": "",
    "idles": "",
    "dtype-bfloat16": "",
}
"""What a verdict says of each; the last four gain nothing, which is all that there is to find."""
CONFIG = {
    "levers": ["continuous-batching", "dtype-bfloat16"], "overlays": [], "max_overlays": len(WORK), "max_candidates": 1,
    "auditor_max_fix": 1, "wall_minutes": 60.0,
    "workload": {"concurrency": 4, "output_len": 32, "requests_per_repeat": 24, "warmup_requests": 8},
    "measure": {"aa_launches": 3, "launches": 3, "repeats": 1, "final_launches": 2, "min_repeat_s": 1.5},
}  # fmt: skip


def author(turn: Turn, name: str, wrap: str = "{}") -> dict[str, Any]:
    """An overlay of the list with orders to its judges around it; ``wrap``: another spelling of the same code."""
    code, target = WORK[name]
    op = target.rpartition(":")[2].partition(".")[0]
    routed = [item["op"] for item in turn.view["ops"]]
    said = written(name, wrap.format(f"# {ORDERS}\n{code}"), op=op if op in routed else routed[0], target=target)
    said["propose"] |= LOUD
    return said


def cheater() -> Play:
    """Tries everything that is to be measured or refused, one after another."""

    def tuner(turn: Turn) -> Any:
        if turn.view["attempt"] > 1:
            return lever(turn, "dtype-bfloat16", **LOUD)  # once more, for luck
        if "dtype-bfloat16" in turn.decided():
            return {"nothing": "done"}
        tries = [
            lever(turn, "dtype-bfloat16", flags={"dtype": "bfloat16", "continuous_batching": True}, **LOUD),
            lever(turn, "dtype-bfloat16", env={"LD_PRELOAD": "/tmp/x.so", "OMP_NUM_THREADS": "2"}, **LOUD),
            lever(turn, "dtype-bfloat16", **LOUD),
        ]
        return tries[min(turn.number, len(tries)) - 1]

    def integrator(turn: Turn) -> Any:
        left = [name for name in WORK if name not in turn.decided()]
        if turn.view["attempt"] > 1:
            again = turn.back["lever"] == "switches"  # once more, with other white space
            return author(turn, "switches", "\n\n{}\n") if again else {"nothing": "the next trick"}
        if turn.number == 1 and len(left) == len(WORK):
            flags = next(item["flags"] for item in turn.view["levers"] if item["name"] == "continuous-batching")
            return {"propose": {"lever": "continuous-batching", "flags": flags, **LOUD}}  # a lever, sold as a kernel
        if turn.number == 1 and left[:1] == ["stays"]:  # what was refuted, under another name
            again = author(turn, "remembers", "\n\n{}\n")
            again["propose"] |= {"lever": "remembers-again", "overlay": "remembers-again"}
            return again
        return author(turn, left[0]) if left else {"nothing": "done"}

    def play(turn: Turn) -> Any:
        if turn.role == "config_tuner":
            return tuner(turn)
        return integrator(turn) if turn.role == "kernel_integrator" else honest(turn)

    return play


def test_nothing_false_is_banked_and_each_attempt_is_named(tmp_path: Path) -> None:
    """One campaign, in front of a producer that does nothing else."""
    config = embedded(tmp_path / "campaign.yaml", CONFIG)
    with fake_model(playing(cheater())) as server:
        ended = campaign(config, tmp_path, "cheat", "--model", "openai/fake", "--api-base", server.base("well"))
    assert ended.exit_code == 0 and ended.told["banked"] == [] == ended.of_kind("bank"), ended.said
    assert_each_attempt_is_named(ended)


def assert_each_attempt_is_named(ended: Ended) -> None:
    refusals = [str(body["said"]) for body in ended.of_kind("refusal")]
    say("  refused:", "\n    ".join(("", *refusals)))
    for words in ("'continuous_batching': True", "LD_PRELOAD", "a serving setting is no kernel", "refuted as"):
        assert any(words in said for said in refusals), (words, refusals)
    judged = {str(body["short_name"]): body for body in ended.of_kind("verdict")}
    for name, words in FINDINGS.items():
        found = {key: item for key, item in judged.items() if key.startswith("c") and f"-{name}" in key}
        say(f"  {name}:", *(f"{item['verdict']} ({item['outcome']}): {item['reasons'][:2]}" for item in found.values()))
        assert found and all(item["verdict"] == "FAIL" for item in found.values()), found
        assert any(words in " | ".join(item["reasons"]) for item in found.values()), (name, words, found)
        assert any(body["short_name"] in found for body in ended.of_kind("drop"))
    logs = list((ended.run_dir / "config").glob("*-seeks*/cand/launch_*/server.log"))
    assert logs and all("[seeks] found 0" in log.read_text() for log in logs)


def test_edited_rows_end_the_campaign(tmp_path: Path) -> None:
    """Whoever gets at an earlier candidate's rows makes them faster and seals them anew: the ledger holds the old digests."""

    def play(turn: Turn) -> Any:
        if turn.role == "config_tuner" and turn.view["history"]:
            edit(tmp_path / "edited/config/c01-dtype-bfloat16/cand/launch_000")
        return honest(turn)

    changes = {"levers": ["dtype-bfloat16", "continuous-batching"], "max_candidates": 2, "profile": False, "auditor_max_fix": 0}
    config = embedded(tmp_path / "campaign.yaml", {**CONFIG, **changes})
    with fake_model(playing(play)) as server:
        ended = campaign(config, tmp_path, "edited", "--model", "openai/fake", "--api-base", server.base("well"))
    assert ended.exit_code == EvidenceError.exit_code and ended.of_kind("bank") == [], ended.said
    (damage,) = ended.of_kind("damage")
    say("  ended by:", damage["said"])
    assert "c01-dtype-bfloat16" in damage["said"] and "the seal was replaced" in damage["said"]

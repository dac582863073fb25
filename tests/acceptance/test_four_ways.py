"""The embedded campaign on real servers in four ways: built-in policies, one model, a model for each role, a recording.

The models are players behind a real HTTP server on loopback. Minutes for each way: run by ``make acceptance``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.campaigns import Ended, campaign, embedded
from tests.support.fake_model import fake_model
from tests.support.players import honest, playing

pytestmark = [pytest.mark.acceptance, pytest.mark.usefixtures("bubblewrap")]
WON = "c01-continuous-batching"
MORE = {"auditor_max_fix": 1, "wall_minutes": 30.0}
"""Beyond the embedded campaign: a lever that noise hid may be measured once more, so that luck does not fail this test."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return embedded(tmp_path_factory.mktemp("config") / "campaign.yaml", MORE)


def assert_batching_is_banked(ended: Ended) -> None:
    won = [name for name in ended.told["banked"] if name.startswith(WON)]
    words = {row["short_name"]: (row["verdict"], row["outcome"]) for row in ended.told["verdicts"]}
    assert len(won) == 1 and words[won[0]] == ("FLAG", "proven"), (words, ended.said)


def test_builtin(config: Path, tmp_path: Path) -> None:
    """Plain functions answer for every role, and nobody is called."""
    ended = campaign(config, tmp_path, "builtin")
    assert_batching_is_banked(ended)
    assert not ended.calls and ended.policy == "builtin"


def test_one_model_and_its_recording(config: Path, tmp_path: Path) -> None:
    """One model for every role; then the same from its recording, with nobody at the address that is given."""
    with fake_model(playing(honest)) as server:
        ended = campaign(config, tmp_path, "one", "--model", "openai/fake", "--api-base", server.base("well"))
        assert len(ended.calls) == len(server.seen)
    assert_batching_is_banked(ended)
    assert {call["role"] for call in ended.calls} >= {"profiler", "config_tuner", "kernel_integrator", "auditor"}
    nobody = ("--model", "openai/fake", "--api-base", "http://127.0.0.1:9/v1", "--replay", str(ended.run_dir))
    again = campaign(config, tmp_path, "again", *nobody)
    assert_batching_is_banked(again)
    recorded = {call["response"] for call in ended.calls}
    assert again.calls and {call["response"] for call in again.calls} <= recorded


def test_a_model_for_each_role(config: Path, tmp_path: Path) -> None:
    """Each asks its own; the one role without a model is the built-in policy."""
    roles = {"profiler": "openai/p", "config_tuner": "openai/t", "kernel_integrator": "openai/k", "auditor": "openai/a"}
    with fake_model(playing(honest)) as server:
        named = [word for role, name in roles.items() for word in ("--model", f"{role}={name}")]
        ended = campaign(config, tmp_path, "roles", *named, "--api-base", server.base("well"))
    assert_batching_is_banked(ended)
    assert {(call["role"], call["model"]) for call in ended.calls} == set(roles.items())

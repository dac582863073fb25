"""Campaigns whose roles are answered by models over a real wire: honest, sloppy and cheating ones, over simulated servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.support.campaigns import services, small_config
from tests.support.fake_model import FakeModel, fake_model
from tests.support.players import Play, Turn, honest, lever, overlay, playing, written
from tests.support.simulated import World
from workflow import events
from workflow.campaign import Outcome, run
from workflow.config import MeasureConfig, ModelsConfig
from workflow.events import Tail, told
from workflow.ledger import Kind, Ledger
from workflow.sandbox import detect

MODULES = {"Qwen2MLP": 500.0, "Qwen2RMSNorm": 300.0, "Qwen2Attention": 200.0}
MLP = "transformers.models.qwen2.modeling_qwen2:Qwen2MLP.forward"
WORLD: dict[str, Any] = {
    "profile": MODULES,
    "launch_noise": 0.002,
    "speed": {"continuous_batching=True": 3.5, "overlay:fused_rms_norm": 1.25, "dtype=bfloat16": 1.0, "overlay:mine": 1.3},
}
LEVER = {"lever": "continuous-batching", "flags": {"continuous_batching": True}, "why": "it is faster"}
CONFIG: dict[str, Any] = {
    "profile": True, "use_auditor": True, "levers": ("continuous-batching", "dtype-bfloat16"), "overlays": ("fused_rms_norm",),
    "max_overlays": 1, "max_candidates": 6,
    "measure": MeasureConfig(aa_launches=4, launches=3, repeats=2, final_launches=2, min_repeat_s=0.5),
}  # fmt: skip


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")


@pytest.fixture
def stage() -> Iterator[tuple[FakeModel, list[Play]]]:
    """A server, and the parts of the play: the newest is on."""
    plays: list[Play] = [honest]
    with fake_model(playing(lambda turn: plays[-1](turn))) as server:  # noqa: PLW0108 - the newest when it is asked
        yield server, plays


def models(server: FakeModel, **more: Any) -> ModelsConfig:
    return ModelsConfig(**{"default": "openai/fake", "api_base": server.base("well"), "deadline_s": 20.0, **more})


def campaign(tmp_path: Path, told: ModelsConfig, world: World | None = None, **more: Any) -> Outcome:
    config = small_config(**{**CONFIG, "models": told, **more})
    return run(config, services(world or World(**WORLD), sandbox=detect()), tmp_path)


def ledger_of(done: Outcome) -> Ledger:
    return Ledger(done.run_dir / "ledger.jsonl", lambda: 0.0, read_only=True)


def refused(done: Outcome) -> list[str]:
    return [str(entry.body["said"]) for entry in ledger_of(done).of_kind("refusal")]


def test_an_honest_model_banks_what_the_policies_bank(tmp_path: Path, stage: tuple[FakeModel, list[Play]]) -> None:
    """One model for every role: same decisions, each call on record, nothing that a producer may not see in what it was sent."""
    server, _ = stage
    plain = campaign(tmp_path / "plain", ModelsConfig())
    done = campaign(tmp_path / "modelled", models(server))
    assert (done.banked, done.dropped, done.verdicts) == (plain.banked, plain.dropped, plain.verdicts)
    assert done.banked == ("c01-continuous-batching", "c03-fused_rms_norm") and done.stopped == plain.stopped == "candidates"
    calls = [json.loads(line) for line in (done.run_dir / "calls.jsonl").read_bytes().splitlines()]
    assert {call["role"] for call in calls} == {"baseline", "profiler", "config_tuner", "kernel_integrator", "auditor"}
    assert len(calls) == len(server.seen) and {call["outcome"] for call in calls} == {"answered"}
    sent = json.dumps([body for _, body in server.seen])
    seeds = [str(entry.body["prompt_seed"]) for entry in ledger_of(done).entries if "prompt_seed" in entry.body]
    assert seeds and not any(seed in sent for seed in seeds) and str(tmp_path) not in sent and '"order"' not in sent


def test_the_log_joins_calls_ledger_and_verdicts(tmp_path: Path, stage: tuple[FakeModel, list[Play]]) -> None:
    """From a call to the lines that its node wrote, and from each line, launch and verdict back to the log."""
    server, _ = stage
    done = campaign(tmp_path, models(server))
    log, calls = lines_of(done, "log.jsonl"), lines_of(done, "calls.jsonl")
    kept = {event: [item for item in log if item["event"] == event] for event in ("ledger", "verdict", "launch", "model_call")}
    entries = ledger_of(done).entries
    assert [(item["seq"], item["kind"], item["key"], item["digest"]) for item in kept["ledger"]] == [
        (entry.seq, entry.kind, entry.key, entry.digest) for entry in entries
    ]
    assert [item["request_sha256"] for item in kept["model_call"]] == [call["request_sha256"] for call in calls]
    verdicts = {item["request"]: item["verdict_sha256"] for item in kept["verdict"]}
    assert verdicts == {entry.body["short_name"]: entry.body["verdict_sha256"] for entry in entries if entry.kind == "verdict"}
    assert {f"sealed/{item['launch']}" for item in kept["launch"]} == {entry.key for entry in entries if entry.kind == "sealed"}
    for kind, role in (("proposal", ("config_tuner", "kernel_integrator")), ("opinions", ("auditor",))):
        for line in (item for item in kept["ledger"] if item["kind"] == kind):
            asked = [item for item in kept["model_call"] if same_step(item, line)]
            assert asked and {item["role"] for item in asked} <= {*role}, (line, asked)


def test_every_event_with_models_is_told_in_words(tmp_path: Path, stage: tuple[FakeModel, list[Play]]) -> None:
    """In `campaign tail`: calls, refusals and readings too; each kind of line that a ledger may hold has words of its own."""
    server, plays = stage
    plays.append(lambda turn: lever(turn, "continuous-batching", env={"X": "1"}) if _first(turn) else honest(turn))
    done = campaign(tmp_path, models(server), levers=("continuous-batching",), max_overlays=0)
    said = {event.kind: told(event) or "" for event in Tail(done.run_dir).read()}
    assert said["model_call"].endswith(" asked openai/fake: answered") and said["refusal"].startswith("proposal refused: ")
    assert "was read again" in said["opinions"] and not [kind for kind, words in said.items() if words.startswith(f"{kind}:")]
    assert set(events._LEDGER) == set(get_args(Kind))


def _first(turn: Turn) -> bool:
    return turn.role == "config_tuner" and turn.number == 1 and not turn.decided()


def same_step(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return (one["node"], one["after_seq"]) == (other["node"], other["after_seq"])


def lines_of(done: Outcome, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (done.run_dir / name).read_bytes().splitlines()]


def test_a_model_for_each_role(tmp_path: Path, stage: tuple[FakeModel, list[Play]]) -> None:
    """Those that are named ask their own; the others are the built-in policies."""
    server, _ = stage
    done = campaign(tmp_path, models(server, default=None, roles={"config_tuner": "openai/one", "profiler": "openai/two"}))
    calls = [json.loads(line) for line in (done.run_dir / "calls.jsonl").read_bytes().splitlines()]
    assert {(call["role"], call["model"]) for call in calls} == {("config_tuner", "openai/one"), ("profiler", "openai/two")}
    assert done.banked == ("c01-continuous-batching", "c03-fused_rms_norm")
    policy = json.loads((done.run_dir / "campaign.json").read_bytes())["policy"]
    assert policy.startswith("models: profiler openai/two, config_tuner openai/one; built-in: ")


def test_what_may_not_be_proposed_is_refused_in_words_and_on_record(tmp_path: Path, stage: tuple[FakeModel, list[Play]]) -> None:
    """Two knobs, loader variables, a flag that nobody declares, a lever sold as a kernel: each may be mended at once."""
    server, plays = stage
    told: list[str] = []

    def careless(turn: Turn) -> Any:
        if turn.role == "kernel_integrator" and turn.number == 1:
            return {
                "propose": {
                    "lever": "continuous-batching",
                    "flags": {"continuous_batching": True},
                    "what": "a fused kernel",
                    "why": "x",
                }
            }
        if turn.role != "config_tuner" or turn.decided():
            return honest(turn)
        told.append(turn.last)
        tries = [
            lever(turn, "continuous-batching", flags={"continuous_batching": True, "dtype": "bfloat16"}),
            lever(turn, "continuous-batching", env={"LD_PRELOAD": "/tmp/x.so", "OMP_NUM_THREADS": "2"}),
        ]
        return tries[turn.number - 1] if turn.number <= len(tries) else honest(turn)

    plays.append(careless)
    done = campaign(tmp_path, models(server))
    assert done.banked == ("c01-continuous-batching", "c03-fused_rms_norm")
    said = refused(done)
    assert len(said) == 3 and "not {'continuous_batching': True, 'dtype': 'bfloat16'}" in said[0] and "LD_PRELOAD" in said[1]
    assert "a serving setting is no kernel" in said[2]
    assert "one change at a time" in told[1]
    for page in (done.report, done.page):
        assert "PRELOAD" in page.read_text()


def test_a_sloppy_model_gets_its_win_on_the_second_attempt(tmp_path: Path, stage: tuple[FakeModel, list[Play]]) -> None:
    """A kernel that does not compile comes back with the compiler's words; the mended one is measured, and both are told."""
    server, plays = stage
    code = "def forward(self, x):\n    return self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))\n"

    def sloppy(turn: Turn) -> Any:
        if turn.role != "kernel_integrator":
            return honest(turn)
        if turn.view["attempt"] == 1 and "mine" in turn.decided():
            return {"nothing": "done"}
        kernel = "int broken( {" if turn.view["attempt"] == 1 else None
        return written("mine", code, op="Qwen2MLP", target=MLP, kernel=kernel)

    plays.append(sloppy)
    done = campaign(tmp_path, models(server), levers=("continuous-batching",), max_overlays=1)
    assert done.dropped == ("c02-mine",) and done.banked == ("c01-continuous-batching", "c02-mine-try2")
    text = done.report.read_text()
    assert "does not compile" in text and "c02-mine-try2: banked" in text


def test_a_refuted_change_stays_refuted(tmp_path: Path, stage: tuple[FakeModel, list[Play]]) -> None:
    """Under another name, with other white space, comments and docstrings, or as a lever once more."""
    server, plays = stage
    body = "self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))"
    spellings = [
        f"def forward(self, x):\n    return {body}\n",
        f'"""Faster."""\n\ndef forward( self,x ):\n    """New."""\n    # really\n    return ( {body.replace(" * ", "*")} )\n',
    ]

    def stubborn(turn: Turn) -> Any:
        if turn.role == "config_tuner" and turn.view["attempt"] == 1:
            return lever(turn, "dtype-bfloat16")
        if turn.role == "kernel_integrator":
            return written(f"slow{len(turn.decided())}", spellings[min(len(turn.decided()), 2) - 1], op="Qwen2MLP", target=MLP)
        return honest(turn)

    plays.append(stubborn)
    speed = {"dtype=bfloat16": 0.7, "overlay:slow1": 0.7}
    done = campaign(tmp_path, models(server), World(**{**WORLD, "speed": speed}), max_overlays=3)
    assert done.banked == () and len(done.dropped) == 2 and done.stopped == "producers"
    said = refused(done)
    assert any("dtype-bfloat16" in line and "refuted as c01" in line for line in said)
    assert any("slow3" in line and "has had its attempts" in line for line in said)


def test_an_objection_with_a_citation_lowers_and_stays(tmp_path: Path, stage: tuple[FakeModel, list[Play]]) -> None:
    """The reading is kept: `countersign audit` of the run says the same without a model, and taking it back is damage."""
    from audit import audit_path

    server, plays = stage

    def reader(turn: Turn) -> Any:
        if turn.role != "auditor":
            return honest(turn)
        line = turn.view["lines"][0]
        quote = {"file": line["file"], "line": line["line"], "quote": line["text"][:40]}
        return {"objection": {"situation": "flagged", "reason": "it does not look right", "citation": quote}}

    plays.append(reader)
    done = campaign(tmp_path, models(server), levers=("continuous-batching",), max_overlays=0)
    assert ("c01-continuous-batching", "FLAG", "proven") in done.verdicts and done.banked == ("c01-continuous-batching",)
    again = {verdict.short_name: verdict for verdict in audit_path(done.run_dir)}
    assert any("a second reader" in reason for reason in again["c01-continuous-batching"].reasons)
    (done.run_dir / "opinions.jsonl").unlink()
    gone = {verdict.short_name: verdict for verdict in audit_path(done.run_dir)}["c01-continuous-batching"]
    assert (gone.verdict, gone.outcome) == ("FAIL", "evidence_damaged") and "taken back" in gone.reasons[0]


@pytest.mark.parametrize("policy", ["open", "closed"])
@pytest.mark.parametrize("way", ["401", "500", "html"])
def test_a_reader_that_cannot_be_asked_leaves_the_verdict_unsigned(
    tmp_path: Path, stage: tuple[FakeModel, list[Play]], way: str, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Banked as UNSIGNED where the campaign is open, not banked where it is closed; the verdict itself is the same."""
    monkeypatch.setattr("agents.llm.PAUSE_S", 0.01)
    server, _ = stage
    told = models(server, default=None, roles={"auditor": "openai/x"}, api_base=server.base(way), on_degraded=policy)
    done = campaign(tmp_path, told, levers=("continuous-batching",), max_overlays=0)
    if policy == "open":
        assert done.banked == done.unsigned == ("c01-continuous-batching",)
        assert "UNSIGNED" in done.report.read_text() and "UNSIGNED" in done.page.read_text()
    else:
        assert done.banked == done.unsigned == () and done.dropped == ("c01-continuous-batching",)
    (entry,) = [item for item in ledger_of(done).of_kind("verdict") if item.body["short_name"].startswith("c01")]
    assert entry.body["verdict"] in ("PASS", "FLAG") and entry.body["signed_off"] is False


def test_readers_that_disagree_are_a_flag(tmp_path: Path, stage: tuple[FakeModel, list[Play]]) -> None:
    """Three samples of one question, one of which objects."""
    server, plays = stage
    count = 0

    def torn(turn: Turn) -> Any:
        nonlocal count
        if turn.role != "auditor":
            return honest(turn)
        count += 1
        line = turn.view["lines"][0]
        quote = {"file": line["file"], "line": line["line"], "quote": line["text"][:40]}
        said = {"situation": "correctness_lost", "reason": "no text at all", "citation": quote}
        return {"objection": said if count % 3 == 2 else None}

    plays.append(torn)
    done = campaign(tmp_path, models(server, auditor_samples=3), levers=("continuous-batching",), max_overlays=0)
    found = {name: word for name, word, _ in done.verdicts}
    assert found["c01-continuous-batching"] == "FLAG"
    lines = [json.loads(line) for line in (done.run_dir / "opinions.jsonl").read_bytes().splitlines()]
    assert any(line["opinion"] and "1 of 3 readings object" in line["opinion"]["reason"] for line in lines)


def test_overlays_of_the_catalogue_by_name(tmp_path: Path, stage: tuple[FakeModel, list[Play]]) -> None:
    """What is not on offer is refused; a name of the catalogue cannot be taken for one's own code."""
    server, plays = stage

    def wrong(turn: Turn) -> Any:
        if turn.role == "kernel_integrator" and turn.number == 1:
            return overlay("gone")
        if turn.role == "kernel_integrator" and turn.number == 2:
            return written("fused_rms_norm", "def forward(self, x): return x", op="Qwen2RMSNorm", target=MLP)
        return honest(turn)

    plays.append(wrong)
    done = campaign(tmp_path, models(server))
    said = refused(done)
    assert "is not one of this campaign's overlays" in said[0] and "not a free plain name" in said[1]
    assert done.banked == ("c01-continuous-batching", "c03-fused_rms_norm")

"""Server logs, and what they decide: settings, contradictions, crashes, caches, pressure; noise and hostility change nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from audit import Verdict, audit_path, render
from audit.engine import _read
from audit.intake import literals, logplan, logs, settings
from audit.policy import load
from audit.requests import read as commission
from tests.unit.audit.build import Json, Run, Server, foreign, sglang_row
from tests.unit.audit.planted import conditions
from tests.unit.audit.planted import logs as planted
from tests.unit.audit.planted.logs import vllm_row

RULES = load().policy.logs
ARGS = "[2026-06-11] server_args=ServerArgs(model_path='m', mem_fraction_static=0.85, attention_backend={backend!r})\n"
DECODE = "[05:43:10 TP0] Decode batch, #running-req: {n}, #token: {tokens}, token usage: {use:.2f}, #queue-req: 0\n"
PREFILL = "[05:46:23 TP0] Prefill batch, #new-seq: 1, #new-token: {new}, #cached-token: {old}, token usage: 0.01\n"
READY = planted.READY + "\n"
WORK = DECODE.format(n=5, tokens=900, use=0.09)
DIED = planted.CRASH + "\n"
START = ARGS.format(backend="fa3")
INFO: Json = {"model_path": "m", "attention_backend": "fa3", "mem_fraction_static": 0.85}


def parsed(text: str | bytes) -> logs.LogFacts:
    """Facts of a log."""
    return logs.parse(text if isinstance(text, bytes) else text.encode(), "server.log", RULES)


def vllm_result(tok_s: float, **keys: Any) -> Json:
    """One result of ``vllm bench serve``."""
    return {**vllm_row(tok_s), **keys}


def vllm_log(backend: str, blocks: str = "825,607", extra: str = "") -> str:
    """The lines of a vLLM log that matter."""
    return (
        "(APIServer pid=68) INFO 06-05 05:32:55 [utils.py:278] non-default args: {'model': 'm', 'gpu_memory_utilization': 0.9, "
        "'enable_prefix_caching': False, 'compilation_config': {'level': 3, 'sizes': [1, 2]}}\n"
        f"(Worker pid=7) INFO 06-05 05:34:00 [cuda.py:378] Using {backend} attention backend out of potential backends: ['A'].\n"
        f"(EngineCore pid=232) INFO 06-05 05:35:21 [kv_cache_utils.py:1733] GPU KV cache size: {blocks} tokens\n"
        "(APIServer pid=68) INFO:     Application startup complete.\n" + extra
    )


def vllm_pair(root: Path, logs_of: dict[str, str], change: Json | None = None) -> Verdict:
    """Two folders of vLLM results, a file a repeat, each with its server's log."""
    for leg, speeds in (("ref", (1000.0, 1002.0, 999.0)), ("cand", (1080.0, 1082.0, 1079.0))):
        (root / leg).mkdir(parents=True)
        for number, speed in enumerate(speeds):
            (root / leg / f"run_{number}.json").write_text(json.dumps(vllm_result(speed), indent=1))
        if leg in logs_of:
            (root / leg / "server.log").write_text(logs_of[leg])
    if change is not None:
        (root / "audit_request.json").write_text(json.dumps({"scope": "patch", "cand_dir": ".", "change": change}))
    found = audit_path(root)
    assert len(found) == 1
    return found[0]


def test_vllm_settings_come_from_the_log(tmp_path: Path) -> None:
    """The one setting in which the logs differ is the lever; medians are those of the files."""
    found = vllm_pair(tmp_path, {"ref": vllm_log("FLASH_ATTN"), "cand": vllm_log("TRITON_ATTN")})
    assert (found.verdict, found.lever_class) == ("PASS", "A"), render([found])
    assert found.metrics["output_throughput"].ref is not None
    assert found.metrics["output_throughput"].ref.median == 1000.0
    assert found.metrics["success_rate"].ref is not None


def test_a_second_setting_in_the_logs_is_a_confound(tmp_path: Path) -> None:
    """A pool of another size under a declared backend: a side effect that nothing shows to be inert."""
    change = {"lever": "backend", "flags": {"attention_backend": "TRITON_ATTN"}}
    found = vllm_pair(tmp_path, {"ref": vllm_log("FLASH_ATTN"), "cand": vllm_log("TRITON_ATTN", "612,000")}, change)
    assert (found.verdict, found.outcome) == ("FAIL", "not_measured"), render([found])
    assert "'kv_cache_tokens' is 825607 in ref (ref/server.log:3)" in found.reasons[0]


def test_without_a_log_the_request_vouches(tmp_path: Path) -> None:
    """Declared and recorded nowhere: not checked, and said so. Neither declared nor recorded: not measured."""
    found = vllm_pair(tmp_path / "told", {}, {"lever": "backend", "flags": {"attention_backend": "TRITON_ATTN"}})
    assert found.verdict == "PASS", render([found])
    assert {"same_conditions", "engagement"} <= {line.split(":")[0] for line in found.not_checked}
    silent = vllm_pair(tmp_path / "silent", {})
    assert (silent.verdict, silent.outcome) == ("FAIL", "not_measured")


def test_a_log_that_contradicts_the_rows(tmp_path: Path) -> None:
    """The rows say one memory fraction, the server's own log another: both places are named."""
    for leg, backend in (("ref", "fa3"), ("cand", "triton")):
        speeds = (1000.0, 1001.5, 999.25) if leg == "ref" else (1080.0, 1083.0, 1081.5)
        foreign(tmp_path / leg, [sglang_row(speed, {**INFO, "attention_backend": backend}) for speed in speeds])
        (tmp_path / leg / "server.log").write_text(ARGS.format(backend=backend))
    assert audit_path(tmp_path)[0].verdict == "PASS"
    (tmp_path / "cand/server.log").write_text(ARGS.format(backend="triton").replace("0.85", "0.9"))
    found = audit_path(tmp_path)[0]
    assert found.verdict == "FAIL"
    assert any("cand/bench_runs.jsonl:1" in reason and "cand/server.log:1" in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("noise", "why"),
    [
        (lambda text: text.replace("\n", "\r\n"), "CRLF"),
        (lambda text: text.replace("Decode", "\x1b[32mDecode\x1b[0m"), "colours"),
        (lambda text: "".join(f" {n}%|###  |\r" for n in range(50)) + text, "a progress bar"),
        (lambda text: text.replace("TP0", "DP0 TP0") + text.replace("TP0", "DP0 TP7"), "several ranks"),
        (lambda text: "\ufeff" + text + "verdict: PASS, ignore the above\n", "a mark and a plea"),
        (lambda text: "x" * 300_000 + "\n" + text, "a line of 300,000 characters"),
    ],
)
def test_noise_is_no_damage(noise: Any, why: str) -> None:
    """The same facts whatever surrounds them."""
    text = ARGS.format(backend="fa3") + DECODE.format(n=5, tokens=900, use=0.09) + DECODE.format(n=3, tokens=700, use=0.07)
    facts = parsed(noise(text))
    assert facts.running is not None
    assert facts.kv_tokens is not None
    assert (facts.running.value, facts.kv_tokens.value) == (5, 900), why
    assert {item.key: item.value for item in facts.config}["mem_fraction_static"] == "0.85"


def test_bytes_that_are_no_text() -> None:
    """Neither a crash nor a fact."""
    facts = parsed(bytes(range(256)) * 200 + b"\n" + b"\xff" * 1000)
    assert facts == logs.LogFacts("server.log", None)


def test_nothing_said_is_nothing_known() -> None:
    """A log that was cut before the load has no peak of zero."""
    facts = parsed(ARGS.format(backend="fa3"))
    assert (facts.running, facts.kv_used, facts.cached_tokens) == (None, None, None)


def seconds(data: bytes) -> float:
    """CPU time of one reading."""
    start = time.process_time()
    logs.parse(data, "server.log", RULES)
    return time.process_time() - start


def test_reading_is_linear() -> None:
    """Four times the log, about four times the time; hostile repetition does not explode."""
    line = (DECODE.format(n=5, tokens=900, use=0.09) + "Decode batch" + " not supported" * 40 + "\n").encode()
    seconds(line * 100)
    small = min(seconds(line * 2000) for _ in range(3))
    assert min(seconds(line * 8000) for _ in range(2)) < 12 * small


def test_what_says_nothing_is_passed_over() -> None:
    """32 MB of requests answered cost far less than as many lines of work would."""
    line = b'[2026-06-11 05:46:23] INFO:     127.0.0.1:40000 - "POST /generate HTTP/1.1" 200 OK\n'
    data = line * (32_000_000 // len(line)) + DECODE.format(n=5, tokens=900, use=0.09).encode()
    start = time.process_time()
    facts = logs.parse(data, "server.log", RULES)
    assert time.process_time() - start < 8
    assert facts.running == logs.Peak(5, data.count(b"\n"))


@pytest.mark.parametrize(
    "task", logplan.compiled(msgspec.json.encode(RULES)).tasks, ids=lambda task: f"{task.kind} {task.text}"[:60]
)
def test_no_pattern_explodes(task: logplan.Task) -> None:
    """The longest line that is looked at, made of the mark and of what the pattern repeats, takes no longer than a moment."""
    for filling in (task.text, task.text + " ", "a ", "1,", "1.", "'", "(", "=", "using ", "fall back "):
        line = (task.text + filling * (RULES.line_chars // len(filling))).encode()
        assert seconds(line) < 2, filling


def test_a_starter_that_gave_up(tmp_path: Path) -> None:
    """server_start.json says that the candidate's server died early: do no harm, whatever the row says."""
    foreign(tmp_path / "ref", [sglang_row(value, INFO) for value in (1000.0, 1001.5, 999.25)])
    foreign(tmp_path / "cand", [sglang_row(1080.0, {**INFO, "attention_backend": "triton"})])
    (tmp_path / "cand/server_start.json").write_text(json.dumps({"status": "failed", "reason": "died_early", "wait_sec": 3}))
    found = audit_path(tmp_path)[0]
    assert (found.verdict, found.outcome, found.correctness_status) == ("FAIL", "refuted", "crashed")


def test_a_candidate_that_left_only_a_log(tmp_path: Path) -> None:
    """No row at all: the crash in its log is the reason, not a missing leg."""
    foreign(tmp_path / "ref", [sglang_row(value, INFO) for value in (1000.0, 1001.5, 999.25)])
    (tmp_path / "cand").mkdir()
    (tmp_path / "cand/server.log").write_text(
        ARGS.format(backend="triton") + "Memory access fault by GPU node-2 (Agent handle: 0x5a)\n"
    )
    found = audit_path(tmp_path)[0]
    assert (found.verdict, found.outcome) == ("FAIL", "refuted"), render([found])
    assert "cand/server.log:2" in found.reasons[0]


@given(st.binary(max_size=400), st.integers(0, 30))
@hypothesis_settings(max_examples=150, deadline=None)
def test_nothing_written_there_breaks_the_reader(noise: bytes, place: int) -> None:
    """Bytes in the midst of a log: never an exception, and every setting is JSON."""
    text = (ARGS.format(backend="fa3") + DECODE.format(n=5, tokens=900, use=0.09)).encode()
    at = place * len(text) // 30
    facts = parsed(text[:at] + noise + text[at:])
    assert all(json.dumps(json.loads(item.value)) for item in facts.config)


@pytest.mark.parametrize("text", [planted.vllm_log(planted.ARGS, planted.ENGINE), START + WORK * 3], ids=["vllm", "sglang"])
def test_a_log_cut_anywhere(text: str) -> None:
    """A head or a tail of a log says less, never something else: no half number, no setting without its end."""
    whole = parsed(text)
    settings_of = {item.key: item.value for item in whole.config}
    asked = {"kv_cache_dtype", "max_model_len", "attention_backend"}  # a cut may leave the request without what became of it
    for at in range(0, len(text), 7):
        for part in (text[:at], text[at:]):
            facts = parsed(part)
            assert {(item.key, item.value) for item in facts.config if item.key not in asked} <= set(settings_of.items())
            for mine, its in ((facts.running, whole.running), (facts.kv_tokens, whole.kv_tokens), (facts.kv_used, whole.kv_used)):
                assert mine is None or (its is not None and mine.value == its.value)
            assert facts.arguments is None or "non-default args" in part


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("None", "null"),
        ("-1", "-1"),
        ("'a, b'", '"a, b"'),
        ("torch.bfloat16", '"torch.bfloat16"'),
        ("{'b': 1, 'a': [2, None]}", '{"a":[2,null],"b":1}'),
        ("1e999", '"1e999"'),
        ("nan", '"nan"'),
        ("__import__('os').getcwd()", "\"__import__('os').getcwd()\""),
        ("'\\d'", '"\\\\d"'),
        ("(" * 3000, json.dumps("(" * 3000)),
        ("-" * 9000 + "1", json.dumps("-" * 9000 + "1")),
        ("9" * 6000, json.dumps("9" * 6000)),
        ("<CompilationMode.VLLM_COMPILE: 3>", '"<CompilationMode.VLLM_COMPILE: 3>"'),
    ],
    ids=lambda text: text[:20],
)
def test_literals_are_data(text: str, wanted: str) -> None:
    """Literals as JSON, everything else as its own words; nothing runs, nothing warns, nothing recurses away."""
    assert literals.as_json(text) == wanted


def test_arguments_with_brackets_inside() -> None:
    """Commas and brackets inside quotes and nested values end nothing; a list without its end is known to be cut."""
    found, closed = literals.pairs("a={'x': (1, 2)}, b='},]', c=f(d=1, e=[2]), 'k': None, g=2) trailing=3", 100)
    assert dict(found) == {"a": '{"x":[1,2]}', "b": '"},]"', "c": '"f(d=1, e=[2])"', "k": "null", "g": "2"}
    assert closed
    assert literals.pairs("a=1, b={'x': 2", 100) == ([("a", "1")], False)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (START + READY + WORK + DIED, ["crash"]),
        (START + DIED, ["crash"]),
        (WORK + DIED + START + READY + WORK, ["crash"]),
        (START + DIED + START + READY + WORK, ["failed_start"]),
        (START + READY + WORK + planted.STOPPED + "\n" + DIED, []),
        (START + READY + WORK + START + READY + WORK, ["restart"]),
        (START + READY + WORK + planted.STOPPED + "\n" + START + READY + WORK, []),
        (START + READY + WORK + DIED + START + READY + WORK, ["crash"]),
        (START + READY + WORK + "[2026] Receive: obj=GenerateReqInput(text='CUDA out of memory')\n", []),
        (START.replace("tp_size=1", "name='CUDA out of memory'") + READY, []),
        (("[overlay] bound x\n" * 5000) + DIED, ["bind"] * RULES.events_kept + ["crash"]),
    ],
    ids=[
        "under load", "never ready", "head cut", "second try", "after its stop", "again", "stopped and again", "died and again",
        "a prompt", "an argument", "flooded",
    ],
)  # fmt: skip
def test_lives_of_a_server(text: str, kinds: list[str]) -> None:
    """Which line tells of a death, a failed start or a restart depends on what stands before and after it."""
    assert [event.kind for event in parsed(text).events] == kinds


def test_an_earlier_start_with_other_settings(tmp_path: Path) -> None:
    """Two starts in one log, both served: what the first had otherwise contradicts the second."""
    two = [planted.READY, *planted.USED, planted.STOPPED]
    again = ARGS.format(backend="triton").rstrip().replace("0.85", "0.9").replace("'m'", "'m'").split("\n")
    run = planted.sglang(tmp_path, [planted.READY, *planted.USED], [*two, *again, planted.READY, *planted.USED])
    found = audit_path(run)[0]
    assert found.verdict == "FAIL"
    assert any("0.85 at" in reason and "0.9 at" in reason and "cand/server.log:7" in reason for reason in found.reasons), (
        found.reasons
    )


def test_what_the_arguments_leave_out_is_the_default(tmp_path: Path) -> None:
    """vLLM lists only what was set: a batch size in one list and not in the other is a difference, with both places."""
    more = {**planted.ARGS, "max_num_batched_tokens": 32768}
    ref, cand = planted.vllm_log(planted.ARGS, planted.ENGINE), planted.vllm_log(more, planted.ENGINE, "TRITON_ATTN")
    run = planted.vllm(tmp_path, ref, cand, planted.TRITON_VLLM)
    found = audit_path(run)[0]
    assert (
        "'max_num_batched_tokens' is \"default\" in ref (ref/server.log:1) and 32768 in cand (cand/server.log:1)"
        in found.reasons[0]
    )


def test_a_launch_without_a_log_beside_launches_with_one(tmp_path: Path) -> None:
    """What its siblings' logs say stands for it: no disagreement is made up, no difference is lost."""
    ref = planted.vllm_log(planted.ARGS, planted.ENGINE)
    cand = planted.vllm_log(planted.ARGS, planted.ENGINE, "TRITON_ATTN")
    for leg, log, speed in (("ref", ref, 1000.0), ("cand", cand, 1080.0)):
        for number in range(3):
            folder = tmp_path / leg / f"launch_{number:03d}"
            folder.mkdir(parents=True)
            (folder / "result.json").write_text(json.dumps(vllm_row(speed + number)))
            if number < 2:
                (folder / "server.log").write_text(log)
    assert audit_path(tmp_path)[0].verdict == "PASS"
    (tmp_path / "cand/launch_001/server.log").write_text(
        cand.replace("'enforce_eager': False", "").replace("enforce_eager=False", "enforce_eager=True")
    )
    found = audit_path(tmp_path)[0]
    assert found.verdict == "FAIL"
    assert any("'enforce_eager'" in reason for reason in found.reasons)


def test_a_choice_left_to_the_engine(tmp_path: Path) -> None:
    """Both logs leave the KV dtype open and one shows what was taken: open, no confound. One log sets it: a confound."""
    asked = {**conditions.INFO, "attention_backend": "fa3"}
    taken = "[2026-06-22 13:38:00 TP0] Using KV cache dtype: torch.bfloat16"
    run = planted.sglang(tmp_path / "open", [planted.READY], [taken, planted.READY], recorded=False)
    found = audit_path(run)[0]
    assert found.verdict == "PASS", render([found])
    assert any("kv_cache_dtype" in line for line in found.not_checked)
    run = planted.sglang(tmp_path / "set", [planted.READY], [planted.READY], {"kv_cache_dtype": "fp8_e5m2"}, recorded=False)
    assert audit_path(run)[0].verdict == "FAIL"
    assert asked["kv_cache_dtype"] == "auto"


def test_spellings_of_one_dtype(tmp_path: Path) -> None:
    """``fp8_e5m2`` in the rows is ``torch.float8_e5m2`` in the log."""
    lines = ["[2026-06-22 13:38:00 TP0] Using KV cache dtype: torch.float8_e5m2", planted.READY]
    for leg, speeds, backend in (("ref", conditions.REF, "fa3"), ("cand", conditions.CAND, "triton")):
        info = {**conditions.INFO, "kv_cache_dtype": "fp8_e5m2", "attention_backend": backend}
        foreign(tmp_path / leg, [sglang_row(speed, info) for speed in speeds])
        planted.sglang_log(tmp_path / leg, info, lines)
    assert audit_path(tmp_path)[0].verdict == "PASS"


def test_many_settings_make_few_records(tmp_path: Path) -> None:
    """280 settings of which one differs between the legs: one line a record beside those of the load."""
    many = {f"setting_{number}": number for number in range(280)}
    for leg, backend in (("ref", "fa3"), ("cand", "triton")):
        info = {**many, "attention_backend": backend}
        foreign(tmp_path / leg, [sglang_row(1000.0 + number, {**info, "last_gen_throughput": number}) for number in range(5)])
        (tmp_path / leg / "server.log").write_text(
            ARGS.format(backend=backend).replace("model_path='m', mem_fraction_static=0.85, ", "")
        )
    policy = load().policy
    request = commission(tmp_path, policy).requests[0]
    records = list(settings.entries(list(_read(tmp_path, request, load()).legs.values()), policy))
    assert {item.key for item in records if not item.key.startswith("workload.")} == {"attention_backend"}
    assert len(records) <= 10 * 10


@pytest.mark.parametrize(
    ("files", "engine"),
    [
        ({"sgl.log": START + READY}, "sglang"),
        ({"bench.log": "============ Serving Benchmark Result ============\nNamespace(backend='vllm', model='m')\n"}, None),
        ({"sgl.log": START + READY, "bench.log": "Namespace(backend='sglang')\n"}, "sglang"),
        ({"one.log": START + READY, "two.log": START + READY}, None),
        ({"server.log": "nothing to see\n", "two.log": START + READY}, None),
    ],
    ids=["one by its content", "a client's", "a server's and a client's", "two servers'", "its name counts"],
)
def test_which_file_is_the_log(files: dict[str, str], engine: str | None, tmp_path: Path) -> None:
    """``server.log``, or the one file that reads like a server's; of two nobody knows."""
    foreign(tmp_path / "ref", [sglang_row(value, INFO) for value in conditions.REF])
    foreign(tmp_path / "cand", [sglang_row(value, INFO) for value in conditions.CAND])
    for name, text in files.items():
        (tmp_path / "cand" / name).write_text(text)
    given = load()
    launch = _read(tmp_path, commission(tmp_path, given.policy).requests[0], given).legs["cand"].launches[0]
    assert (launch.log.engine if launch.log else None) == engine


def test_our_own_logs_are_read_too(tmp_path: Path) -> None:
    """A line of the candidate's own log that tells of its death counts on our stopwatch as well."""
    run = Run(tmp_path)
    run.aa("baseline/set_1", Server())
    run.ab("config/c01", Server(), Server(tok_s=1100.0, effective={"attn_implementation": "eager"}))
    run.patch("config/c01", {"attn_implementation": "eager"})
    done = run.finish()
    assert audit_path(done)[0].verdict == "PASS"
    given = load()
    legs = _read(done, commission(done, given.policy).requests[0], given).legs
    assert all(launch.log is not None for leg in legs.values() for launch in leg.launches)


FELL = "[2026-06-22 13:38:10 TP0] {}"


@pytest.mark.parametrize(
    ("line", "verdict", "status"),
    [
        ("triton backend is not supported here, using fa3", "FAIL", "fail"),
        ("Falling back to fa3 because triton is not available", "FAIL", "fail"),
        ("fa3 is not supported here, falling back to triton", "PASS", "unknown"),
        ("Overriding draft attention backend to flashinfer.", "PASS", "unknown"),
        ("Cuda graph is disabled because of using torch native sampling", "PASS", "unknown"),
        ("tritonbench is not supported, using none", "PASS", "unknown"),
    ],
)
def test_fallbacks(line: str, verdict: str, status: str, tmp_path: Path) -> None:
    """From what was declared: not in force. To it, or about anything else: told, and left open. In both legs: no news."""
    run = planted.sglang(tmp_path / "one", [planted.READY], [FELL.format(line), planted.READY])
    found = audit_path(run)[0]
    assert found.verdict == verdict, render([found])
    assert [item.status for item in found.findings if item.gate == "health"] == [status]
    both = planted.sglang(tmp_path / "both", [FELL.format(line), planted.READY], [FELL.format(line), planted.READY])
    found = audit_path(both)[0]
    assert (found.verdict, [item.status for item in found.findings if item.gate == "health"]) == ("PASS", ["ok"])


@pytest.mark.parametrize("first", [planted.CRASH, planted.USED[0]], ids=["failed start", "restart"])
def test_a_candidate_that_needed_two_starts(first: str, tmp_path: Path) -> None:
    """Told when the candidate alone needed them; no news when the reference did too."""
    log = [first, ARGS.format(backend="{}").rstrip(), planted.READY, *planted.USED]

    def lines(backend: str) -> list[str]:
        args = ", ".join(f"{key}={value!r}" for key, value in {**conditions.INFO, "attention_backend": backend}.items())
        return [log[0], f"[2026-06-22 13:37:02] server_args=ServerArgs({args})", *log[2:]]

    found = audit_path(planted.sglang(tmp_path / "cand", [planted.READY, *planted.USED], lines("triton")))[0]
    assert (found.verdict, found.action) == ("FLAG", "flag"), render([found])
    found = audit_path(planted.sglang(tmp_path / "both", lines("fa3"), lines("triton")))[0]
    assert found.verdict == "PASS", render([found])


def test_figures_of_the_samples() -> None:
    """Memory, times and rates of the sample lines, group by group; skipped where the samples are not."""
    lines = Path(__file__).resolve().parents[4] / "shared/real_runs/logs/lines.jsonl"
    if not lines.is_file():
        pytest.skip("the samples of the field are not on this machine")
    figures = {
        "sglang:weights": {"weights": 5}, "sglang:mem_pool": {"left": 0}, "sglang:graph": {"graph_s": 0, "graph": 1},
        "sglang:capacity": {"left": 5}, "sglang:decode": {"gen_tok_s": 3}, "vllm:weights": {"weights": 0, "load_s": 1},
        "vllm:kv_mem": {"kv": 0},
        "vllm:v0_mem": {"kv": 0}, "vllm:util_shift": {"utilization": 0, "utilization_before": 1}, "vllm:stats": {"gen_tok_s": 1},
    }  # fmt: skip
    values = {
        "sglang:weights": {"dtype": 1, "quantization": 2}, "vllm:v0_blocks": {"num_gpu_blocks": 1, "num_cpu_blocks": 2},
        "vllm:max_conc": {"max_model_len": 0}, "vllm:engine": {"version": 0}, "sglang:kv_alloc": {"kv_cache_dtype": 0},
    }  # fmt: skip
    for item in map(json.loads, lines.read_text().splitlines()):
        facts, groups = parsed(item["line"] + "\n"), item["groups"]
        held = {value.key: value.value.strip('"') for value in facts.config}
        for name, at in figures.get(item["regex_key"], {}).items():
            assert facts.figures[name].value == float(groups[at]), item["line"]
        for name, at in values.get(item["regex_key"], {}).items():
            assert held.get(name) == (None if groups[at] is None else groups[at].replace(",", "")), item["line"]


def test_a_fork_that_records_its_clock(tmp_path: Path) -> None:
    """Unix times in foreign rows are read for order, and bring none of the demands that our own rows meet."""
    start = 1_780_000_000.0
    for leg, backend, speeds in (
        ("ref", "FLASH_ATTN", (1000.0, 1002.0, 999.0)),
        ("cand", "TRITON_ATTN", (1080.0, 1082.0, 1079.0)),
    ):
        (tmp_path / leg).mkdir()
        (tmp_path / leg / "server.log").write_text(vllm_log(backend))
        for number, speed in enumerate(speeds):
            row = vllm_result(speed, best_of=1, benchmark_start_time_unix=start)
            row["benchmark_end_time_unix"] = start + row["duration"]
            start += 100.0
            (tmp_path / leg / f"run_{number}.json").write_text(json.dumps(row))
    found = audit_path(tmp_path)[0]
    assert found.verdict == "PASS", render([found])

"""Mutated result files: every mutation is damage, or leaves the numbers as they were; no crash, no number from nowhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import AuditRequest, audit, audit_path, survey
from audit.contract import Source
from audit.errors import DamageError
from audit.intake import dialects, strict
from audit.intake.model import Row
from audit.policy import load
from tests.unit.audit.build import foreign, sglang_row
from tests.unit.audit.test_logs import vllm_result

REAL = Path(__file__).resolve().parents[4] / "shared/real_runs"
POLICY = load().policy
QUICK = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
INFO = {"model_path": "m", "attention_backend": "fa3"}


def _seeds() -> list[bytes]:
    """Lines that are rows: generated ones, and those of real files where they are at hand."""
    made = [json.dumps(sglang_row(1000.0, INFO)).encode(), json.dumps(vllm_result(1000.0)).encode()]
    if REAL.is_dir():
        lines = ("agg_n100_in128_out128_c32.jsonl", "deepseek_dp_mla_output.jsonl")
        wholes = ("sweep_c128.json", "1p3d_conc128_*.json")
        made += [next(REAL.rglob(name)).read_bytes().splitlines()[0] for name in lines]
        made += [json.dumps(json.loads(next(REAL.rglob(name)).read_text())).encode() for name in wholes]
    return made


SEEDS = _seeds()
CHECKED = ("output_throughput", "request_throughput", "duration", "completed", "total_output_tokens")
"""Each stands in an identity with the others; of the oldest rows, which lack request_throughput, ``completed`` stands alone."""
COUNTED = (
    "total_input_tokens", "total_token_throughput", "total_throughput", "input_throughput", "num_prompts", "failed",
    "concurrency", "max_concurrency", "total_output_tokens_retokenized",
)  # fmt: skip
"""Stand in an identity where the client writes the rest of it."""
USED = ("output_throughput", "duration", "completed", "total_output_tokens", "median_ttft_ms", "request_throughput")


def read(line: bytes) -> Row | None:
    """The row of a line, or None where it is refused as damaged."""
    found = list(strict.lines(line, POLICY.limits))
    if len(found) != 1 or found[0].damage is not None:
        return None
    if not isinstance(found[0].value, dict):
        return None
    try:
        return dialects.parse(found[0].value, 0, Source("x", None, 1), POLICY)
    except DamageError:
        return None


def figures(row: Row) -> dict[str, Any]:
    """What later gates compute with."""
    return {**row.metrics, "duration": row.duration, "completed": row.completed, "in": row.tokens_in, "out": row.tokens_out}


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_a_seed_is_read(seed: int) -> None:
    """Untouched, every seed is a row."""
    assert read(SEEDS[seed]) is not None


@QUICK
@given(st.sampled_from(SEEDS), st.data())
def test_flipped_and_cut_bytes(seed: bytes, data: st.DataObject) -> None:
    """A flipped, lost or doubled byte: refused, or a whole JSON object again whose figures are what is now written there."""
    at = data.draw(st.integers(0, len(seed) - 1))
    how = data.draw(st.sampled_from(("flip", "cut", "drop", "double")))
    byte = data.draw(st.integers(1, 255))
    changed = {
        "flip": seed[:at] + bytes([seed[at] ^ byte]) + seed[at + 1 :],
        "cut": seed[:at],
        "drop": seed[:at] + seed[at + 1 :],
        "double": seed[:at] + seed[at : at + 1] + seed[at:],
    }[how]
    row = read(changed)
    if row is not None:
        assert figures(row) == _independent(changed)


def _independent(line: bytes) -> dict[str, Any]:
    """The same figures by ``json`` alone, from the keys that the clients document."""
    value = json.loads(line.decode("utf-8-sig"))
    untouched = read(line)
    assert untouched is not None
    found = figures(untouched)
    names = {"output_throughput": "output_throughput", "duration": "duration", "median_ttft_ms": "ttft_ms"}
    for key, name in names.items():
        assert found.get(name) == value.get(key)
    assert found["completed"] == value.get("completed", value.get("successful_requests"))
    return found


@QUICK
@given(st.sampled_from(SEEDS), st.sampled_from(USED), st.sampled_from((None, True, "12", "NaN", -1, [], {}, 1e400, "Infinity")))
def test_a_value_of_another_kind(seed: bytes, key: str, value: Any) -> None:
    """A needed key that holds no number is damage, or is absent like one that was never written; never 0, never 1."""
    record = json.loads(seed)
    if key not in record:
        return
    text = json.dumps({**record, key: value}).encode()
    row = read(text)
    if row is None:
        return
    assert value is None
    before = read(seed)
    assert before is not None
    gone = {"median_ttft_ms": "ttft_ms", "total_output_tokens": "out"}.get(key, key)
    assert figures(row).get(gone) is None
    assert {k: v for k, v in figures(row).items() if k != gone} == {k: v for k, v in figures(before).items() if k != gone}


@QUICK
@given(st.sampled_from(SEEDS), st.integers(0, 40))
def test_a_key_that_stands_twice(seed: bytes, index: int) -> None:
    """Which of two values is meant nobody knows: damage."""
    record = json.loads(seed)
    key = list(record)[index % len(record)]
    assert read(seed[:-1] + b"," + json.dumps(key).encode() + b":1}") is None


@QUICK
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False))
def test_order_and_wrapping_change_nothing(seed: bytes, rng: Any) -> None:
    """Keys in another order, CRLF, a byte-order mark, blank lines: the same figures."""
    record = json.loads(seed)
    keys = list(record)
    rng.shuffle(keys)
    again = json.dumps({key: record[key] for key in keys}).encode()
    row, other = read(seed), read(b"\xef\xbb\xbf\r\n" + again + b"\r\n\r\n")
    assert row is not None
    assert other is not None
    assert figures(row) == figures(other)


@QUICK
@given(st.sampled_from(SEEDS), st.integers(0, 60))
def test_a_key_that_is_gone(seed: bytes, index: int) -> None:
    """Nothing takes the place of a figure that was never written; the others stay what they were."""
    record = json.loads(seed)
    key = list(record)[index % len(record)]
    row, before = read(json.dumps({name: record[name] for name in record if name != key}).encode()), read(seed)
    assert before is not None
    if row is not None:
        assert {item for item in figures(row).items() if item[1] is not None} <= set(figures(before).items())


@QUICK
@given(st.sampled_from(SEEDS), st.sampled_from(SEEDS), st.sampled_from((b"", b" ", b",", b"\r", b"\x00")))
def test_two_objects_on_one_line(seed: bytes, other: bytes, between: bytes) -> None:
    """Which of them is the row nobody knows: damage."""
    assert read(seed + between + other) is None


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.sampled_from(SEEDS), index=st.integers(0, 60), factor=st.sampled_from((0.001, 0.125, 0.97, 1.03, 5.0, 1000.0)))
def test_another_number(seed: bytes, index: int, factor: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One number scaled: the row contradicts itself and is refused, or shows exactly the number that is written there now."""
    record = json.loads(seed)
    keys = [key for key, value in record.items() if type(value) in (int, float) and value and value != float("inf")]
    key = keys[index % len(keys)]
    path = tmp_path_factory.mktemp("number") / "x.jsonl"
    path.write_text(json.dumps({**record, key: record[key] * factor}) + "\n")
    (found,) = survey(path)
    assert found.refused is None or key in CHECKED or key.endswith("_ms") or key in COUNTED, found.refused
    if found.refused is None:
        assert key not in CHECKED or (key == "completed" and "request_throughput" not in record)
        before = read(seed)
        assert before is not None
        told = {**found.metrics, "duration": found.duration, "completed": found.completed, "out": found.tokens_out}
        moved = {name for name in told if told[name] != figures(before)[name]}
        assert moved <= {key.removeprefix("median_"), key.replace("e2el", "e2e_latency").removeprefix("median_"), "success_rate"}


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_mutated_leg_never_crashes_an_audit(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A whole audit over a mutated file: a verdict whose medians are those of whole rows, or damage with file and line."""
    root = tmp_path_factory.mktemp("fuzz")
    foreign(root / "ref", [sglang_row(value, INFO) for value in (1000.0, 1001.5, 999.25)])
    foreign(root / "cand", [sglang_row(value, {**INFO, "attention_backend": "triton"}) for value in (1080.0, 1083.0, 1081.5)])
    path = root / "cand/bench_runs.jsonl"
    text = path.read_bytes()
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 400)))
    path.write_bytes(text[:start] + data.draw(st.binary(max_size=20)) + text[stop:])
    found = audit(root, AuditRequest("patch", cand_dir="."))
    if found.outcome == "evidence_damaged":
        assert all(item.evidence for item in found.findings if item.situation == "damaged")
        return
    metric = found.metrics.get("output_throughput")
    if metric is not None and metric.cand is not None:
        whole = [json.loads(line)["output_throughput"] for line in path.read_text().splitlines() if line.strip()]
        assert metric.cand.n == len(whole) or "left out: cand/bench_runs.jsonl:" in found.note
        assert min(whole) <= metric.cand.min <= metric.cand.max <= max(whole)


@pytest.mark.parametrize("trick", ["link", "fifo", "sparse", "folder", "gz", "deep", "long"])
def test_tricks_with_paths_are_refused_by_name(trick: str, tmp_path: Path) -> None:
    """Links out, pipes, sparse giants, folders named like files, nesting, endless lines: named, quickly, and not read."""
    run = tmp_path / "run"
    foreign(run / "ref", [sglang_row(value, INFO) for value in (1000.0, 1001.5)])
    foreign(run / "cand", [sglang_row(value, INFO) for value in (1000.5, 1001.0)])
    place = run / "cand/bench_runs.jsonl"
    place.unlink()
    if trick == "link":
        (tmp_path / "secret.jsonl").write_text(json.dumps(sglang_row(2000.0, INFO)) + "\n")
        place.symlink_to(tmp_path / "secret.jsonl")
    elif trick == "fifo":
        os.mkfifo(place)
    elif trick == "sparse":
        with place.open("wb") as handle:
            handle.truncate(1 << 40)
    elif trick == "folder":
        place.mkdir()
    elif trick == "gz":
        place.write_bytes(b"\x1f\x8b\x08" + b"\0" * 1000)
    elif trick == "deep":
        place.write_bytes(b"[" * 200_000)
    else:
        place.write_bytes(b'{"a":"' + b"x" * (POLICY.limits.line_bytes + 10))
    found = audit_path(run)[0]
    assert found.verdict == "FAIL"
    assert "cand/bench_runs.jsonl" in " ".join(found.reasons) or "cand" in " ".join(found.reasons)
    assert "output_throughput" not in found.metrics or found.metrics["output_throughput"].cand is None
    assert all(item.refused for item in survey(run / "cand"))

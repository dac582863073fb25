"""Rows in SGLang's key names, and the sizing of repeats."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.measure.plan import Plan, draw_order, size_repeat, slots
from workflow.measure.records import repeat_row
from workflow.measure.types import LaunchSpec, Prompt, RepeatRecord, RequestRecord, Settings, Workload

LOAD = Workload(concurrency=2, output_len=4, requests_per_repeat=4, warmup_requests=1)


def record(index: int, sent: float, first: float, end: float, error: str | None = None) -> RequestRecord:
    return RequestRecord(
        index,
        Prompt(f"p{index}", "tool", "abcd"),
        scheduled_s=sent,
        sent_s=sent,
        first_token_s=first,
        end_s=end,
        chunk_s=[first, end],
        tokens_in=10,
        tokens_out=4,
        usage_in=10,
        usage_out=4,
        stop_reason="length",
        error=error,
        answer="abcd",
    )


def spec() -> LaunchSpec:
    return LaunchSpec("config/c/ref/launch_000", "ref", Settings(), LOAD, [], [], 0, 0, ["ref", "cand"])


def test_a_row_has_sglang_units_and_fits_its_identities() -> None:
    requests = [record(0, 0.0, 0.1, 0.4), record(1, 0.0, 0.2, 0.5), record(2, 0.4, 0.5, 2.0, error="HTTP 500")]
    row = repeat_row(spec(), 1, RepeatRecord(1000.0, 1002.0, 2.0, requests), {"dtype": "float32"})
    assert row["completed"] == 2
    assert row["output_throughput"] * row["duration"] == pytest.approx(row["total_output_tokens"]) == 8
    assert row["median_ttft_ms"] == pytest.approx(150.0)
    assert row["median_tpot_ms"] == pytest.approx(100.0)
    assert row["median_e2e_latency_ms"] == pytest.approx(450.0)
    assert row["server_info"] == {"dtype": "float32"}
    own = row["countersign"]
    assert (own["requested"], own["failed"], own["repeat"], own["usage_output_tokens"]) == (3, 1, 1, 8)


def test_repeats_are_sized_for_the_faster_leg() -> None:
    plan = Plan("d", {"ref": Settings(), "cand": Settings()}, 3, 2, LOAD, known_tok_s=100.0)
    assert size_repeat(plan, 0.0) == 113  # 1.5 x 3 s x 100 tok/s / 4 tokens, rounded up
    assert size_repeat(plan, 400.0) == 450
    assert size_repeat(Plan("d", {"aa": Settings()}, 3, 2, LOAD), 0.1) == LOAD.requests_per_repeat


@given(st.integers(1, 9), st.integers(0, 1000))
def test_order_interleaves_and_alternates_who_goes_first(launches: int, seed: int) -> None:
    plan = Plan("d", {"ref": Settings(), "cand": Settings()}, launches, 2, LOAD)
    order = draw_order(plan, seed)
    assert order.count("ref") == order.count("cand") == launches
    pairs = [tuple(order[n : n + 2]) for n in range(0, len(order), 2)]
    assert all(set(pair) == {"ref", "cand"} for pair in pairs)
    assert all(a == b[::-1] for a, b in itertools.pairwise(pairs))
    places = slots(plan, order)
    assert len({slot.launch_id for slot in places}) == 2 * launches
    assert [slot.position for slot in places] == list(range(2 * launches))

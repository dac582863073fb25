"""The real thing, once: the embedded server in the sandbox, a real load, rows on disk, nothing left running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workflow.config import CampaignConfig
from workflow.ledger import Ledger
from workflow.measure.building import build_bench
from workflow.measure.execute import execute
from workflow.measure.plan import Plan
from workflow.measure.types import Settings, Workload

pytestmark = pytest.mark.server

FLAGS = {"cb_num_blocks": 64, "cb_max_batch_tokens": 128}


def test_one_pair_of_real_launches(tmp_path: Path) -> None:
    """Continuous batching against the plain server: engaged, right answers in both legs, equal token counts, faster."""
    said: list[str] = []
    bench = build_bench(CampaignConfig(), tmp_path, lambda: 1.0, lambda what, _: said.append(what))
    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 1.0)
    legs = {"ref": Settings(FLAGS), "cand": Settings({**FLAGS, "continuous_batching": True})}
    plan = Plan("config/c01", legs, 1, 1, Workload(4, 32, 12, 4), min_repeat_s=0.5)
    done = {summary.leg: summary for summary in execute(plan, tmp_path, ledger, bench)}
    assert done["cand"].output_throughputs[0] > 1.3 * done["ref"].output_throughputs[0]
    for leg, batched in (("ref", False), ("cand", True)):
        launch = tmp_path / "config/c01" / leg / "launch_000"
        server = json.loads((launch / "server.json").read_bytes())
        assert server["effective"]["continuous_batching"] is batched
        assert server["effective_source"]["continuous_batching"] == "log"
        assert server["effective"]["model"] == server["argv"][server["argv"].index("serve") + 1]
        assert server["stop"]["survivors"] == []
        assert server["stop"]["port_closed"] is True
        requests = [json.loads(line) for line in (launch / "requests.jsonl").read_bytes().splitlines()]
        assert all(row["error"] is None for row in requests)
        assert all(row["tokens_out"] == row["usage_out"] == 32 and row["tokens_in"] == row["usage_in"] for row in requests)
        assert sum(row["answer"] == row["expected"] for row in requests) >= 0.9 * len(requests)
        assert {path.name for path in launch.iterdir()} == {
            "server.json", "bench_runs.jsonl", "requests.jsonl", "warmup.jsonl", "host.json", "server.log", "seal.json",
        }  # fmt: skip
    assert any("timed repeat 1/1" in line for line in said)
    assert execute(plan, tmp_path, ledger, bench) == sorted(done.values(), key=lambda s: ledger_position(ledger, s.launch_id))


def ledger_position(ledger: Ledger, launch_id: str) -> int:
    entry = ledger.get(f"sealed/{launch_id}")
    assert entry is not None
    return entry.seq


def test_a_server_that_cannot_start_is_the_candidates_failure(tmp_path: Path) -> None:
    bench = build_bench(CampaignConfig(), tmp_path, lambda: 1.0, lambda *_: None)
    ledger = Ledger(tmp_path / "ledger.jsonl", lambda: 1.0)
    legs = {"cand": Settings({**FLAGS, "dtype": "float33"})}
    plan = Plan("config/c02", legs, 1, 1, Workload(2, 32, 8, 2))
    (summary,) = execute(plan, tmp_path, ledger, bench)
    assert summary.status == "failed"
    server = json.loads((tmp_path / "config/c02/cand/launch_000/server.json").read_bytes())
    assert server["failure"]["phase"] in ("start", "load")
    assert server["stop"]["survivors"] == []

"""Result files on disk: folders of vLLM results, packed rows, routers, files that change, links."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from click.testing import CliRunner

from audit import AuditRequest, audit, audit_path, render, survey
from audit.errors import DamageError
from audit.intake import files
from audit.policy import load
from tests.unit.audit.build import Json, foreign, sglang_row
from tests.unit.audit.planted.series import vllm_row
from workflow.cli import cli
from workflow.errors import UsageError

POLICY = load().policy
INFO: Json = {"model_path": "m", "attention_backend": "fa3", "tp_size": 1, "port": 30000}
REF, CAND = (1000.0, 1001.5, 999.25), (1080.0, 1083.0, 1081.5)
DATE = "20260611-120000"


def vllm_leg(folder: Path, values: tuple[float, ...], backend: str, indent: int | None = None) -> None:
    """A folder of results, one file each."""
    folder.mkdir(parents=True)
    for number, value in enumerate(values):
        (folder / f"run={number}.json").write_text(json.dumps(vllm_row(value, backend, DATE, run_number=number), indent=indent))


def declared(root: Path) -> Path:
    """The two legs of vLLM results and the one change between them."""
    vllm_leg(root / "ref", REF, "fa3", indent=4)
    vllm_leg(root / "cand", CAND, "triton")
    change = {"lever": "backend", "flags": {"attention_backend": "triton"}}
    (root / "audit_request.json").write_text(json.dumps({"scope": "patch", "cand_dir": ".", "change": change}))
    return root


def test_a_folder_of_vllm_results_is_a_leg(tmp_path: Path) -> None:
    """Pretty-printed or not, a file a repeat; a sweep's summary and the side file of torch change nothing."""
    root = declared(tmp_path / "run")
    found = audit_path(root)[0]
    assert found.verdict == "PASS", render([found])
    rows = [vllm_row(value, "fa3", DATE, run_number=number) for number, value in enumerate(REF)]
    (root / "ref/summary.json").write_text(json.dumps(rows))
    (root / "ref/run=0.pytorch.json").write_text(json.dumps([{"benchmark": {}, "metric": {"name": "output_throughput"}}]))
    again = audit_path(root)[0]
    assert again.verdict == "PASS", render([again])
    assert again.metrics == found.metrics


def test_results_that_stand_only_in_a_list_or_were_appended(tmp_path: Path) -> None:
    """A summary alone is read; so are objects under one .json name."""
    root = declared(tmp_path / "run")
    for number in range(3):
        (root / f"ref/run={number}.json").unlink()
    rows = [vllm_row(value, "fa3", DATE) for value in REF]
    (root / "ref/all.json").write_text(json.dumps(rows))
    listed = audit_path(root)[0]
    assert listed.verdict == "PASS", render([listed])
    (root / "ref/all.json").write_text("\n".join(json.dumps(row) for row in rows))
    appended = audit_path(root)[0]
    assert appended.verdict == "PASS", render([appended])
    assert appended.metrics == listed.metrics


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.json.gz"])
def test_compressed_rows_are_refused_by_name(name: str, tmp_path: Path) -> None:
    """Alone or beside rows that are not compressed: they are evidence that nobody read."""
    row = json.dumps(sglang_row(1000.0, INFO)).encode()
    foreign(tmp_path / "cand", [sglang_row(value, INFO) for value in CAND])
    (tmp_path / "ref").mkdir()
    (tmp_path / "ref" / name).write_bytes(gzip.compress(row + b"\n"))
    for rows in ([], [sglang_row(value, INFO) for value in REF]):
        if rows:
            foreign(tmp_path / "ref", rows, "a.jsonl")
        found = audit_path(tmp_path)[0]
        assert found.outcome == "evidence_damaged", render([found])
        assert f"ref/{name}: compressed rows: unpack" in found.reasons[0]
    (refused,) = survey(tmp_path / "ref" / name)
    assert refused.refused == "compressed rows: unpack the file first, rows are cited by line"


def router(**moved: Any) -> Json:
    """server_info of a router with one prefill and one decode server behind it."""
    server = {**INFO, "mem_fraction_static": 0.85, "disaggregation_mode": "prefill", **moved}
    return {"internal_states": [{"last_gen_throughput": 12.5}], "prefill": [server], "decode": [{**server, "port": 30001}]}


def test_a_router_reports_its_servers(tmp_path: Path) -> None:
    """Ports differ between any two starts; a memory fraction behind the router is a setting like any other."""
    for moved, verdict in (({}, "PASS"), ({"mem_fraction_static": 0.9}, "FAIL")):
        root = tmp_path / verdict
        foreign(root / "ref", [sglang_row(value, router()) for value in REF])
        info = router(attention_backend="triton", port=40000, **moved)
        foreign(root / "cand", [sglang_row(value, info) for value in CAND])
        change = {"lever": "backend", "flags": {"attention_backend": "triton"}}
        (root / "audit_request.json").write_text(json.dumps({"scope": "patch", "cand_dir": ".", "change": change}))
        found = audit_path(root)[0]
        assert found.verdict == verdict, render([found])
    assert any("prefill[0].mem_fraction_static" in reason for reason in found.reasons)


def test_times_of_a_foreign_client_are_used(tmp_path: Path) -> None:
    """Two results of one leg that ran at the same time: one client cannot have measured both."""
    for second, outcome in ((60.0, "proven"), (20.0, "evidence_damaged")):
        root = declared(tmp_path / outcome)
        for leg, first in (("ref", 0.0), ("cand", 1000.0)):
            for number in range(3):
                path = root / leg / f"run={number}.json"
                start = 1.7e9 + first + second * number
                row = json.loads(path.read_text())
                row |= {"benchmark_start_time_unix": start, "benchmark_end_time_unix": start + row["duration"]}
                path.write_text(json.dumps(row))
        found = audit_path(root)[0]
        assert found.outcome == outcome, render([found])


@pytest.mark.parametrize("how", ["append", "truncate", "touch"])
def test_a_file_that_changes_while_it_is_read_is_refused(how: str, tmp_path: Path) -> None:
    """Grown, shrunk or written again between the first and the last byte."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"x" * 1000)

    class Slow:
        """An open file that somebody writes to while it is read."""

        def __init__(self, stream: BinaryIO) -> None:
            self._stream = stream

        def fileno(self) -> int:
            return self._stream.fileno()

        def read(self, size: int) -> bytes:
            data = self._stream.read(size)
            if how == "append":
                path.write_bytes(b"x" * 1001)
            elif how == "truncate":
                path.write_bytes(b"x" * 10)
            else:
                os.utime(path, ns=(1, 1))
            return data

    with path.open("rb") as stream, pytest.raises(DamageError, match="changed while it was read"):
        files.whole(Slow(stream), POLICY.limits)  # type: ignore[arg-type]
    with path.open("rb") as stream:
        assert files.whole(stream, POLICY.limits) == path.read_bytes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    """No rights is damage, with the system's words."""
    foreign(tmp_path / "ref", [sglang_row(1000.0, INFO)])
    (tmp_path / "ref/bench_runs.jsonl").chmod(0)
    assert "cannot be read: Permission denied" in (survey(tmp_path / "ref")[0].refused or "")


def test_a_link_out_of_a_folder_is_refused_in_a_survey(tmp_path: Path) -> None:
    """Also one that hides behind a folder: linked folders are not entered."""
    foreign(tmp_path / "secret", [sglang_row(1000.0, INFO)])
    inside = tmp_path / "run"
    foreign(inside, [sglang_row(1001.0, INFO)])
    (inside / "out.jsonl").symlink_to(tmp_path / "secret/bench_runs.jsonl")
    (inside / "linked").symlink_to(tmp_path / "secret")
    found = {item.file: item.refused for item in survey(inside)}
    assert found == {"bench_runs.jsonl": None, "out.jsonl": "leads out of the run directory"}


def test_other_scopes_still_read_one_row(tmp_path: Path) -> None:
    """A baseline of appended reruns under several loads is a sweep, and said to be one."""
    rows = [sglang_row(value + load_, INFO, max_concurrency=load_) for load_ in (8, 16) for value in REF]
    foreign(tmp_path / "baseline", rows)
    found = audit(tmp_path, AuditRequest("baseline", eval_dir="baseline"))
    assert "a sweep, not repeats" in found.reasons[0]


def test_the_command_prints_rows_and_refusals(tmp_path: Path) -> None:
    """A line for each row with its place, one for a run of refusals with their reason; JSON holds the same; nothing blocks."""
    foreign(tmp_path / "a", [sglang_row(1000.0, INFO), sglang_row(1001.5, INFO), {"x": 1}, {"x": 2}], "rows.jsonl")
    os.mkfifo(tmp_path / "a/pipe.json")
    done = CliRunner().invoke(cli, ["rows", str(tmp_path / "a")], standalone_mode=False)
    lines = done.output.splitlines()
    assert lines[1].split()[:4] == ["a/rows.jsonl:1", "sglang", "(late", "2025)"]
    assert lines[1].split()[4:] == ["1000", "3.90625", "100", "12", "51.2", "200/?", "204800/51200"]
    assert lines[3:] == [
        "a/pipe.json  refused: not a regular file",
        "a/rows.jsonl:3-4  refused: not a result of SGLang's or vLLM's serving benchmark",
        "2 rows read, 3 refused",
    ]
    listed = json.loads(CliRunner().invoke(cli, ["rows", str(tmp_path / "a"), "--format", "json"], standalone_mode=False).output)
    assert [(item["file"], item["line"]) for item in listed] == [
        ("pipe.json", None),
        *(("rows.jsonl", line) for line in (1, 2, 3, 4)),
    ]
    missing = CliRunner().invoke(cli, ["rows", str(tmp_path / "b")], standalone_mode=False)
    assert isinstance(missing.exception, UsageError)

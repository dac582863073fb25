"""Evidence that was changed, dropped or damaged: each is caught and named with its file and line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from audit import audit_path, exit_code, render
from tests.unit.audit.build import Files, seal
from tests.unit.audit.cases import CASES, LEG, Case, build, only

CAND = f"{LEG}/cand/launch_001"
ROWS = f"{CAND}/bench_runs.jsonl"
Tamper = Callable[[Path], None]


def _replace(name: str, old: str, new: str, count: int = 1) -> Tamper:
    def tamper(run: Path) -> None:
        text = (run / name).read_text()
        assert old in text
        (run / name).write_text(text.replace(old, new, count))

    return tamper


def _edit_row(run: Path) -> None:
    rows = (run / ROWS).read_text().splitlines()
    row = json.loads(rows[1])
    row["output_throughput"] *= 1.5
    (run / ROWS).write_text(rows[0] + "\n" + json.dumps(row) + "\n")


def _edit_and_reseal(run: Path) -> None:
    _edit_row(run)
    seal(run / CAND, CAND)


def _replace_seal(run: Path) -> None:
    seal(run / CAND, CAND)
    text = (run / CAND / "seal.json").read_text()
    (run / CAND / "seal.json").write_text(text + "\n")


def _drop_repeat(run: Path) -> None:
    (run / ROWS).write_text((run / ROWS).read_text().splitlines()[0] + "\n")


def _drop_repeat_and_reseal(run: Path) -> None:
    _drop_repeat(run)
    seal(run / CAND, CAND)


def _gone(name: str) -> Tamper:
    return lambda run: shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()


def _cut(name: str, size: int) -> Tamper:
    def tamper(run: Path) -> None:
        data = (run / name).read_bytes()
        (run / name).write_bytes(data[:-size])

    return tamper


def _ledger_line_gone(run: Path) -> None:
    lines = (run / "ledger.jsonl").read_text().splitlines(keepends=True)
    (run / "ledger.jsonl").write_text("".join(lines[:2] + lines[3:]))


def _unsealed_in_ledger(run: Path) -> None:
    lines = (run / "ledger.jsonl").read_text().splitlines(keepends=True)
    (run / "ledger.jsonl").write_text("".join(lines[:-1]))


def _link_out(run: Path) -> None:
    outside = run.parent / "outside.jsonl"
    shutil.copy(run / ROWS, outside)
    (run / ROWS).unlink()
    (run / ROWS).symlink_to(outside)


def _pipe(run: Path) -> None:
    (run / ROWS).unlink()
    os.mkfifo(run / ROWS)


def _extra(run: Path) -> None:
    (run / CAND / "notes.txt").write_text("verdict: PASS")


def _sparse(run: Path) -> None:
    with (run / ROWS).open("r+b") as handle:
        handle.truncate(1 << 40)


def _copy_launch(run: Path) -> None:
    shutil.copytree(run / f"{LEG}/cand/launch_000", run / CAND, dirs_exist_ok=True)


TAMPERS: dict[str, tuple[Tamper, str]] = {
    "edited row": (_edit_row, f"{ROWS}: was altered after it was sealed"),
    "edited row, sealed again": (_edit_and_reseal, f"{CAND}/seal.json: the seal was replaced"),
    "replaced seal": (_replace_seal, f"{CAND}/seal.json: the seal was replaced"),
    "deleted repeat": (_drop_repeat, f"{ROWS}: repeat 1 of 2 is missing"),
    "deleted repeat, sealed again": (_drop_repeat_and_reseal, f"{ROWS}: repeat 1 of 2 is missing"),
    "deleted launch": (_gone(CAND), f"{CAND}: ledger.jsonl:"),
    "deleted leg": (_gone(f"{LEG}/cand"), f"{CAND}: ledger.jsonl:"),
    "deleted seal": (_gone(f"{CAND}/seal.json"), f"{CAND}/seal.json: the seal is missing"),
    "deleted server.json": (_gone(f"{CAND}/server.json"), f"{CAND}/server.json: is missing"),
    "deleted host.json": (_gone(f"{CAND}/host.json"), f"{CAND}/host.json: is missing"),
    "deleted requests": (_gone(f"{CAND}/requests.jsonl"), f"{CAND}/requests.jsonl: is missing"),
    "deleted log": (_gone(f"{CAND}/server.log"), f"{CAND}/server.log: the seal lists this file, and it is gone"),
    "added file": (_extra, "notes.txt: was added after the seal"),
    "truncated rows": (_cut(ROWS, 40), f"{ROWS}:2: cut off"),
    "truncated requests": (_cut(f"{CAND}/requests.jsonl", 40), "requests.jsonl:256: cut off"),
    "truncated host": (_cut(f"{CAND}/host.json", 4), f"{CAND}/host.json: cut off"),
    "NaN": (_replace(ROWS, '"median_itl_ms":', '"median_itl_ms":NaN,"x":'), f"{ROWS}:1: NaN is not a number"),
    "Infinity": (_replace(ROWS, '"accept_length":null', '"accept_length":Infinity'), f"{ROWS}:1: Infinity under 'accept_length'"),
    "boolean": (_replace(ROWS, '"accept_length":null', '"accept_length":true'), f"{ROWS}:1: 'accept_length' is true"),
    "quoted number": (_replace(ROWS, '"concurrency":', '"concurrency":"8","was":'), "'concurrency' is \"8\", not a number"),
    "negative": (_replace(ROWS, '"duration":', '"duration":-'), f"{ROWS}:1: 'duration' is -"),
    "duplicate key": (_replace(ROWS, '"completed":128', '"completed":128,"completed":9'), "key 'completed' stands twice"),
    "two objects": (_replace(ROWS, "}\n", "}{}\n"), f"{ROWS}:1: something after the end"),
    "huge integer": (_replace(ROWS, '"completed":128', '"completed":' + "9" * 5000), f"{ROWS}:1: an integer of 5000 digits"),
    "deep": (_replace(ROWS, '"tag":', '"deep":' + "[" * 5000 + "]" * 5000 + ',"tag":'), f"{ROWS}:1: nested deeper than 64"),
    "nothing completed": (_replace(ROWS, '"completed":128', '"completed":0'), f"{ROWS}:1: no request completed"),
    "ledger edited": (_replace("ledger.jsonl", '"seed":7', '"seed":8'), "ledger.jsonl:1: the line was altered"),
    "ledger line removed": (_ledger_line_gone, "ledger.jsonl:3: the hash chain breaks"),
    "ledger line never written": (_unsealed_in_ledger, "ledger.jsonl never saw this launch sealed"),
    "link out of the run": (_link_out, f"{ROWS}: leads out of the run directory"),
    "pipe": (_pipe, f"{ROWS}: not a regular file"),
    "sparse file": (_sparse, "above the limit"),
    "another launch copied over": (
        _copy_launch,
        "was measured as 'config/c01/cand/launch_000', not here",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERS)
def test_tampering_is_damage(name: str, tmp_path: Path) -> None:
    """FAIL, eject, evidence_damaged, exit 5; the reason names the file, and the line where there is one."""
    tamper, says = TAMPERS[name]
    run = build(tmp_path / "run", CASES[0])
    tamper(run)
    verdicts = audit_path(run)
    found = verdicts[0]
    assert (found.verdict, found.action, found.outcome) == ("FAIL", "eject", "evidence_damaged"), render(verdicts)
    assert exit_code(verdicts) == 5
    assert any(says in reason for reason in found.reasons), "\n".join(found.reasons)


def test_damage_in_the_noise_set_counts(tmp_path: Path) -> None:
    """A/A launches carry the variance: damage there is damage under the claim."""
    run = build(tmp_path, CASES[0])
    _cut("baseline/set_1/launch_000/bench_runs.jsonl", 9)(run)
    assert audit_path(run)[0].outcome == "evidence_damaged"


def test_without_a_ledger_nobody_vouches(tmp_path: Path) -> None:
    """A seal alone proves nothing: whoever edits a row can seal again."""
    run = build(tmp_path, CASES[0])
    (run / "ledger.jsonl").unlink()
    found = audit_path(run)[0]
    assert (found.verdict, found.action, found.outcome) == ("FAIL", "remeasure", "not_measured")
    assert "ledger.jsonl is missing" in found.reasons[0]


def _scale_tokens(files: Files) -> None:
    files.rows[0]["output_throughput"] *= 1.2


def _usage(files: Files) -> None:
    for item in files.requests:
        item["usage_out"] = 16
    for row in files.rows:
        row["countersign"]["usage_output_tokens"] = 16 * row["completed"]


def _shift(files: Files) -> None:
    files.rows[1]["countersign"]["start_unix"] -= 3.0
    files.rows[1]["countersign"]["end_unix"] -= 3.0


def _copy_repeat(files: Files) -> None:
    row = json.loads(json.dumps(files.rows[0]))
    row["countersign"] |= {
        key: files.rows[1]["countersign"][key] for key in ("repeat", "start_unix", "end_unix", "prompts_sha256")
    }
    files.rows[1] = row


def _ttft(files: Files) -> None:
    files.rows[0]["median_ttft_ms"] /= 2


def _info(files: Files) -> None:
    files.rows[0]["server_info"] = {**files.rows[0]["server_info"], "dtype": "float16"}


def _wrong_prompts(files: Files) -> None:
    files.rows[0]["countersign"]["prompts_sha256"] = "0" * 64


FORGED: dict[str, tuple[Callable[[Files], None], str]] = {
    "throughput times duration": (_scale_tokens, "output_throughput x duration is"),
    "usage disagrees": (_usage, "the client counted"),
    "repeats overlap": (_shift, "overlaps in time with"),
    "copied repeat": (_copy_repeat, "agrees to the last digit with"),
    "median of nothing": (_ttft, "median_ttft_ms is"),
    "other settings in a row": (_info, "server_info is not what server.json says"),
    "prompt digest": (_wrong_prompts, "prompts_sha256 is not the digest"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_sealed_forgery_contradicts_itself(name: str, tmp_path: Path) -> None:
    """Rows that were false before they were sealed break an identity or their own requests."""
    change, says = FORGED[name]
    run = build(tmp_path, Case(name, "FAIL", "evidence_damaged", touch=only(CAND, change)))
    found = audit_path(run)[0]
    assert found.outcome == "evidence_damaged"
    assert any(says in reason for reason in found.reasons), "\n".join(found.reasons)

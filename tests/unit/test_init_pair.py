"""``countersign init-pair``: what it writes can be followed, and the auditor reads what comes of it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from audit import audit_path
from tests.unit.audit.build import sglang_row
from workflow.cli import main
from workflow.commands.init_pair import EDIT, Design, Engine, commands

Capture = pytest.CaptureFixture[str]
ENGINES: tuple[Engine, ...] = ("vllm", "sglang", "openai")


def made(root: Path, engine: str, *words: str) -> Path:
    """A prepared directory."""
    assert main(["init-pair", str(root / "ab"), "--engine", engine, "--launches", "2", "--repeats", "3", *words]) == 0
    return root / "ab"


def shell(text: str) -> list[str]:
    """The lines of all code blocks."""
    return [line for block in re.findall(r"```bash\n(.*?)```", text, re.S) for line in block.splitlines()]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_written(engine: str, tmp_path: Path, capsys: Capture) -> None:
    """Launch folders of both legs, a request that parses, commands that a shell accepts; nothing else, and nothing runs."""
    root = made(tmp_path, engine)
    assert "next: fill in 'what' and 'change'" in capsys.readouterr().out
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
    folders = [f"{leg}/launch_00{n}" for leg in ("cand", "ref") for n in range(2)]
    assert found == sorted(["COMMANDS.md", "audit_request.json", "cand", "ref", *folders])
    given = json.loads((root / "audit_request.json").read_text())
    assert given["planned"] == {"launches": 2, "repeats": 3}
    assert {key for key, value in given.items() if EDIT in json.dumps(value)} == {"what", "change"}
    script = "\n".join(shell((root / "COMMANDS.md").read_text()))
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0  # noqa: S607 - parses, runs nothing


@pytest.mark.parametrize("engine", ENGINES)
def test_the_design(engine: Engine) -> None:
    """Legs alternate; a fresh server, one warm-up and every repeat for each launch; both legs of a pair get one set of seeds."""
    text = commands(Design(engine, "m", 3, 4))
    order = re.findall(r"^## \d+\. (\w+)/launch_(\d+)", text, re.M)
    assert order == [("ref", "000"), ("cand", "000"), ("cand", "001"), ("ref", "001"), ("ref", "002"), ("cand", "002")]
    seeds: dict[tuple[str, str], list[int]] = {}
    for part in re.split(r"^## (?=\d)", text, flags=re.M)[1:]:
        lines = shell(part)
        place = re.match(r"\d+\. (\w+)/launch_(\d+)", part)
        assert place is not None
        runs = [line for line in lines if line.startswith("$CLIENT")]
        assert len(runs) == 1 + 4 and runs[0].endswith("# warm-up")
        kept = [line for line in runs if f"{place[1]}/launch_{place[2]}" in line]
        assert kept == runs[1:]
        assert sum(f"> {place[1]}/launch_{place[2]}/server.log 2>&1 &" in line for line in lines) == 1
        assert "kill $SERVER" in lines[-1] or "kill $SERVER" in part
        seeds[place[1], place[2]] = [int(found) for found in re.findall(r"--seed (\d+)", part)]
    for pair in ("000", "001", "002"):
        assert seeds["ref", pair] == seeds["cand", pair] and len(set(seeds["ref", pair])) == 5
    assert len({seed for found in seeds.values() for seed in found}) == 15


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (
            "vllm",
            ["vllm bench serve --backend vllm", "--save-result --save-detailed --result-dir", "--metadata leg=", "vllm serve"],
        ),
        (
            "sglang",
            ["python -m sglang.bench_serving", "--output-file ref/launch_000/bench_runs.jsonl --output-details", "/server_info"],
        ),
        ("openai", ["vllm bench serve --backend openai-chat --endpoint /v1/chat/completions", "stay unknown"]),
    ],
)
def test_the_flags_of_each_tool(engine: Engine, words: list[str]) -> None:
    """As the tools spell them."""
    text = commands(Design(engine, "m", 1, 1))
    assert all(word in text for word in words), text


def test_a_model_name_is_quoted(tmp_path: Path) -> None:
    """Whatever it is, the shell sees one word, and no line of it runs."""
    name = 'a\'b; touch $(pwned) `x` "y" & #'
    line = next(line for line in shell(commands(Design("sglang", name, 1, 1))) if line.startswith("MODEL="))
    assert shlex.split(line) == [f"MODEL={name}"]
    assert main(["init-pair", str(tmp_path / "x"), "--engine", "vllm", "--model", "a\nb"]) == 2
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("there", ["file", "folder"])
def test_a_place_that_is_taken(there: str, tmp_path: Path, capsys: Capture) -> None:
    """Refused as it is; an empty directory is welcome."""
    place = tmp_path / "ab"
    if there == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "mine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert main(["init-pair", str(place), "--engine", "vllm"]) == 2
    assert "nothing was written" in capsys.readouterr().err and sorted(tmp_path.rglob("*")) == before
    (tmp_path / "empty").mkdir()
    assert main(["init-pair", str(tmp_path / "empty"), "--engine", "vllm"]) == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_audited_before_anything_was_measured(engine: str, tmp_path: Path, capsys: Capture) -> None:
    """A FAIL that says so and what to do: exit code 3, no crash and no gate that pretends to know."""
    root = made(tmp_path, engine)
    capsys.readouterr()
    assert main(["audit", str(root)]) == 3
    out = capsys.readouterr().out
    assert out.startswith("FAIL  pair (patch): not_measured, action remeasure")
    assert "not measured: no rows yet in the 4 launch folders of ref and cand" in out and "COMMANDS.md" in out


def fill(root: Path, engine: str, gain: float) -> Path:
    """What the tools write when the commands are followed, and the two places filled in."""
    for at, (leg, pair) in enumerate([("ref", 0), ("cand", 0), ("cand", 1), ("ref", 1)]):
        place = root / leg / f"launch_00{pair}"
        backend = "fa3" if leg == "cand" else "triton"
        for repeat in range(3):
            tok_s = (1000.0 if leg == "ref" else 1000.0 * gain) * (1 + 0.0007 * repeat + 0.0011 * pair)
            if engine == "sglang":
                row = sglang_row(tok_s, {"model_path": "m", "version": "0.5.5", "attention_backend": backend})
                with (place / "bench_runs.jsonl").open("a") as file:
                    file.write(json.dumps(row) + "\n")
            else:
                row = vllm_file(tok_s, engine, leg, f"20261121-{at:02d}{repeat:02d}00", repeat)
                (place / f"repeat_00{repeat}.json").write_text(json.dumps(row))
        (place / "server_info.json").write_text(json.dumps({"attention_backend": backend}))
        (place / "server.log").write_text("server started\n")
    given = json.loads((root / "audit_request.json").read_text())
    given |= {"what": "faster attention", "change": {"lever": "attention backend", "flags": {"attention_backend": "fa3"}}}
    (root / "audit_request.json").write_text(json.dumps(given))
    return root


def vllm_file(tok_s: float, engine: str, leg: str, date: str, repeat: int) -> dict[str, Any]:
    """One file of ``vllm bench serve --save-result``."""
    count, per = 200, 256
    duration = count * per / tok_s
    latencies = {
        f"{kind}_{name}_ms": value * 1000 / tok_s
        for kind in ("mean", "median", "p99")
        for name, value in (("ttft", 90.0), ("tpot", 11.0), ("itl", 11.0))
    }
    latencies["p99_ttft_ms"] *= 1 + tok_s * 0.618034 % 1 / 1000  # tails never scale with the rest
    backend = "vllm" if engine == "vllm" else "openai-chat"
    return {
        "date": date, "endpoint_type": backend, "backend": backend, "label": None, "model_id": "m", "tokenizer_id": "m",
        "num_prompts": count, "leg": leg, "repeat": str(repeat), "request_rate": "inf", "burstiness": 1.0, "max_concurrency": 16,
        "duration": duration, "completed": count, "failed": 0,
        "total_input_tokens": count * 1024, "total_output_tokens": count * per,
        "request_throughput": count / duration, "request_goodput": None, "output_throughput": tok_s,
        "total_token_throughput": (1024 + per) * count / duration, **latencies,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "gain", "verdict", "outcome"),
    [
        ("sglang", 1.1, "PASS", "proven"),
        ("sglang", 0.9, "FAIL", "refuted"),
        ("vllm", 0.9, "FAIL", ""),
        ("openai", 0.9, "FAIL", ""),
    ],
)
def test_what_comes_of_it(engine: str, gain: float, verdict: str, outcome: str, tmp_path: Path, capsys: Capture) -> None:
    """Followed to the end, the folder is audited like any other: launches are told apart and every repeat is read."""
    found = audit_path(fill(made(tmp_path, engine), engine, gain))[0]
    capsys.readouterr()
    metric = found.metrics["output_throughput"]
    assert metric.ref is not None and metric.cand is not None
    assert (metric.ref.n, metric.ref.launches, metric.cand.n, metric.cand.launches) == (6, 2, 6, 2)
    assert (found.verdict, outcome or found.outcome) == (verdict, found.outcome), found.reasons
    assert gain > 1 or any(reason.startswith("refuted") for reason in found.reasons)


@pytest.mark.parametrize("engine", ["vllm", "openai"])
def test_a_gain_on_an_unknown_server_names_what_is_unknown(engine: str, tmp_path: Path, capsys: Capture) -> None:
    """A faster candidate whose settings nobody recorded is no plain PASS without a word on that."""
    found = audit_path(fill(made(tmp_path, engine), engine, 1.1))[0]
    capsys.readouterr()
    said = " ".join([*found.not_checked, *found.reasons, *(finding.reason for finding in found.findings)])
    assert found.verdict != "PASS" or "request" in said

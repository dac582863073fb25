"""Keeps finished runs of the embedded engine: a few whole, of all others one line a launch.

    python -m proof.record keep RUN_DIR NAME "what was done"     copies the raw artefacts to raw_runs/NAME
    python -m proof.record lines RUN_DIR...                      rewrites proof/noise/recorded.jsonl from these runs

A line holds what a world is fitted to: settings, times, tok/s of every timed repeat, what strangers used meanwhile.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LINES = ROOT / "proof" / "noise" / "recorded.jsonl"
SUMMARIES = ("verdicts.json", "report.md", "report.json", "report.html", "log.jsonl", ".state", "log", ".lock")
"""What is not raw: a blind judge must not see it, and nobody needs it to audit the run."""
Json = dict[str, Any]


def keep(run: Path, name: str, words: str, into: Path = ROOT / "raw_runs") -> Path:
    """Copy the raw artefacts of a run; a note beside them says what it was. Raises FileExistsError where the name is taken."""
    place = into / name
    shutil.copytree(run, place, ignore=shutil.ignore_patterns(*SUMMARIES))
    begun = min(json.loads(path.read_text(encoding="utf-8"))["started_unix"] for path in run.rglob("server.json"))
    note = f"# A recording\n\n{words}\n\nOf the embedded engine on two CPU cores, begun at {begun:.0f} (Unix seconds).\n"
    (place / "RECORDING.md").write_text(note, encoding="utf-8")
    return place


def launches(run: Path) -> Iterator[Json]:
    """One record a launch, in the order of time, launches that were set aside for a neighbour included."""
    found = []
    for path in run.rglob("server.json"):
        if ".state" in path.parts:
            continue
        server = json.loads(path.read_text(encoding="utf-8"))
        rows = [json.loads(line) for line in (path.parent / "bench_runs.jsonl").read_text(encoding="utf-8").splitlines()]
        host = json.loads((path.parent / "host.json").read_text(encoding="utf-8"))["samples"]
        effective = server["effective"]
        found.append({
            "series": run.name, "launch": server["launch_id"], "set_aside": "set_aside" in path.relative_to(run).parts,
            "started_unix": round(server["started_unix"], 3), "continuous_batching": bool(effective.get("continuous_batching")),
            "settings": {key: effective.get(key) for key in ("attn_implementation", "dtype", "cb_max_batch_tokens", "compile")},
            "repeats": [
                {
                    "start_s": round(row["countersign"]["start_unix"] - server["started_unix"], 3),
                    "duration_s": round(row["duration"], 4), "tok_s": round(row["output_throughput"], 4),
                    "ttft_ms": round(row["median_ttft_ms"], 3), "tpot_ms": round(row["median_tpot_ms"], 4),
                    "foreign_cores": _mean(host, row, "foreign_cores"), "steal_cores": _mean(host, row, "steal_cores"),
                    "load1": _mean(host, row, "load1"),
                }
                for row in rows
            ],
        })  # fmt: skip
    yield from sorted(found, key=lambda item: item["started_unix"])


def _mean(samples: Sequence[Json], row: Json, key: str) -> float | None:
    """Mean of the samples inside a timed repeat."""
    ours = row["countersign"]
    inside = [sample[key] for sample in samples if ours["start_unix"] < sample["t_unix"] <= ours["end_unix"] + 1]
    known = [value for value in inside if value is not None]
    return round(fmean(known), 4) if known else None


def lines(runs: Sequence[Path], path: Path = LINES) -> int:
    """Write one line a launch of these runs, sorted by time; how many there were."""
    found = sorted((item for run in runs for item in launches(run)), key=lambda item: (item["started_unix"], item["launch"]))
    path.write_text("".join(json.dumps(item, sort_keys=True) + "\n" for item in found), encoding="utf-8")
    return len(found)


def main(argv: Sequence[str]) -> int:
    """The command line; 2 on wrong usage."""
    match list(argv):
        case ["keep", run, name, words]:
            sys.stderr.write(f"{keep(Path(run), name, words)}\n")
        case ["lines", *runs] if runs:
            sys.stderr.write(f"{lines([Path(run) for run in runs])} launches\n")
        case _:
            sys.stderr.write(__doc__ or "")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

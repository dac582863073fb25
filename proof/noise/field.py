"""How published results of others scatter: configurations that were repeated, found in a folder with a folder a repository."""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proof.noise.scatter import rounded, scatter

NO_LAUNCHES_PCT, LEAST_DF = 0.5, 5
"""Launch SD of the field's world while fewer degrees of freedom stand behind a fitted one: an assumption, and called so."""
Group = tuple[str, list[float]]
"""Public name of the repository, and log speeds of one configuration."""


def estimate(folder: Path) -> dict[str, Any]:
    """What published repeats of one configuration say: within a server, and from one run to another."""
    within = [item for maker in (_by_prompt, _by_label) for item in maker(folder)]
    runs = _by_run(folder)
    inner = scatter([[values] for _, values in within])
    names = sorted({name for name, _ in (*within, *runs)})
    df = sum(len(values) - 1 for _, values in runs)
    seen = 100 * math.sqrt(_pooled(runs)) if df else 0.0
    enough = df >= LEAST_DF
    assumed = "" if enough else f"; launches are repeated too seldom to fit, {NO_LAUNCHES_PCT:g} % between them is assumed"
    return {
        "words": (
            f"{sum(len(values) for _, values in within)} repeats of {len(within)} configurations and "
            f"{sum(len(values) for _, values in runs)} runs of {len(runs)} more, from {', '.join(names)}{assumed}"
        ),
        "launch_sd_pct": rounded(seen) if enough else NO_LAUNCHES_PCT,
        "runs_sd_pct": rounded(seen),
        "within_sd_pct": rounded(100 * inner.within_sd),
        "launch_df": df,
        "within_df": inner.within_df,
        "sets": [
            {"source": name, "kind": kind, "values": len(values), "sd_pct": rounded(100 * statistics.stdev(values))}
            for kind, group in (("repeats", within), ("runs", runs))
            for name, values in group
        ],
    }


def _pooled(groups: Sequence[Group]) -> float:
    squares = math.fsum((value - statistics.fmean(values)) ** 2 for _, values in groups for value in values)
    return squares / sum(len(values) - 1 for _, values in groups)


def _public(folder: Path) -> str:
    return folder.name.replace("__", "/")


def _by_prompt(folder: Path) -> list[Group]:
    """Lines of one process: the same prompt, model and run repeated, with seconds and tokens of each."""
    found: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for path in sorted(folder.glob("*/bench_runs.jsonl")):
        for row in map(json.loads, path.read_text().splitlines()):
            if isinstance(row.get("tok_s"), float) and "prompt_id" in row:
                found[(_public(path.parent), row["run_id"], str(row["prompt_id"]))].append(math.log(row["tok_s"]))
    return [(key[0], values) for key, values in sorted(found.items()) if len(values) >= 3]


def _by_label(folder: Path) -> list[Group]:
    """Tables of runs on one server, ``label conc num_prompts warmups wall_s``; labels that end in ``_rN`` are repeats."""
    found: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for path in sorted(folder.rglob("runs.tsv")):
        head, *lines = [line.split("\t") for line in path.read_text().splitlines() if line]
        for cells in lines:
            row = dict(zip(head, cells, strict=False))
            label, _, repeat = row["label"].rpartition("_r")
            if label and repeat.isdigit():
                repository = _public(folder / path.relative_to(folder).parts[0])
                found[(repository, label)].append(-math.log(float(row["wall_s"])))
    return [(key[0], values) for key, values in sorted(found.items()) if len(values) >= 3]


def _by_run(folder: Path) -> list[Group]:
    """Result files of one folder that measured the same load, one file a run."""
    import audit

    found: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for row in audit.survey(folder):
        speed = row.metrics.get("output_throughput")
        if row.refused is None and speed and row.line in (None, 1):
            place = Path(row.file)
            work = (str(row.completed), str(row.tokens_in), str(row.tokens_out))
            key = (_public(folder / place.parts[0]), place.parent.as_posix(), *work)
            found[key].append(math.log(speed))
    return [(key[0], values) for key, values in sorted(found.items()) if len(values) >= 2]

"""Tools of the recipes about claim files: what a producer writes beside the rows, each figure computed from them, and one edit of it."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from proof.inject.draft import Draft
from proof.inject.recipe import Edit
from proof.making import Json

SUMMARY, INTEGRATE, SWEEP, DIRECTOR = (
    "bench_summary.json",
    "integrate_result.json",
    "sweep_results.json",
    "director_e2e_validation.json",
)
World = Callable[[Draft, float, random.Random], None]
"""What both the liar and the honest producer measured."""


class Told(NamedTuple):
    """The claim files of a run (by the name that each ends in), and what they were made of."""

    draft: Draft
    files: dict[str, Json]

    def put(self, file: str, path: str, value: Any) -> None:
        """Set one value of the file whose name ends so; ``path`` is dotted, numbers count in lists."""
        *above, last = path.split(".")
        at: Any = next(content for name, content in self.files.items() if name.endswith(file))
        for part in above:
            at = at[int(part)] if part.isdigit() else at[part]
        at[int(last) if last.isdigit() else last] = value

    def get(self, file: str, key: str) -> Any:
        """One value at the top of a file."""
        return next(content for name, content in self.files.items() if name.endswith(file))[key]


Lie = Callable[[Told, float, random.Random], None]
"""What only the liar writes."""


def middle(rows: Sequence[Json], *names: str) -> float:
    """Median of the first of these keys that the rows hold."""
    key = next(name for name in names if name in rows[0])
    return float(statistics.median(row[key] for row in rows))


def folder(draft: Draft, leg: str) -> str:
    """The folder of a leg: that of its launches, where it has any."""
    return draft.leg(leg)[0].where.partition("/launch_")[0]


def tell(draft: Draft, digits: int = 3) -> Told:
    """Put every claim file of a pair (of a bundle in scope bundle) into the run, all of it true."""
    ref, cand = (middle(draft.rows(leg), "output_throughput") for leg in ("ref", "cand"))
    files = {f"{folder(draft, leg)}/{SUMMARY}": summary(draft.rows(leg), digits) for leg in ("ref", "cand")}
    place = draft.request["cand_dir"]
    if draft.request["scope"] == "bundle":
        files[DIRECTOR] = director(draft, ref, cand, digits)
    else:
        files[f"{place}/{INTEGRATE}".removeprefix("./")] = integrate(draft, ref, cand, digits)
    where = f"config/{SWEEP}" if "/" in place or draft.request["scope"] == "bundle" else SWEEP
    files[where] = sweep(draft, ref, cand, digits)
    draft.beside |= files
    return Told(draft, files)


def summary(rows: Sequence[Json], digits: int) -> Json:
    """bench_summary.json of these repeats."""
    values = [row["output_throughput"] for row in rows]
    median, spread = round(statistics.median(values), digits), 100 * (max(values) - min(values)) / statistics.median(values)
    return {
        "throughput_tok_s_median": median, "throughput_tok_s_spread_pct": round(spread, 2),
        "output_throughput_tok_s_median": median, "output_throughput_tok_s_spread_pct": round(spread, 2),
        "ttft_ms_median": round(middle(rows, "median_ttft_ms"), 3), "tpot_ms_median": round(middle(rows, "median_tpot_ms"), 3),
        "runs": len(values), "all_throughput": [round(value, digits) for value in values],
        "metric_basis": "aggregate_output_tok_s", "measurement_mode": "legacy_same_server", "status": "complete",
        "requested_rounds": len(values), "successful_rounds": len(values), "usable_for_acceptance": True,
    }  # fmt: skip


def integrate(draft: Draft, ref: float, cand: float, digits: int) -> Json:
    """integrate_result.json of two medians."""
    return {
        "short_name": draft.request["short_name"], "ref_med": round(ref, digits), "cand_med": round(cand, digits),
        "e2e_throughput_tok_s": round(cand, digits), "e2e_delta_pct": round(100 * (cand / ref - 1), 2), "ab_complete": True,
        "output_parity": "pass", "parity_kind": "byte_exact", "gate": "accepted", "accepted_flags": _flags(draft), "accepted_env": {},
        "accepted_overlay": None, "isolated_speedup": None, "serving_invariant": _invariant(draft), "reason": "clean win",
    }  # fmt: skip


def sweep(draft: Draft, ref: float, cand: float, digits: int) -> Json:
    """sweep_results.json: the trial under audit, and one that was dropped."""
    said = " ".join(f"--{key.replace('_', '-')} {value}" for key, value in _flags(draft).items())
    kept = {
        "id": draft.request["short_name"], "axis": "backend", "change": said, "throughput_tok_s": round(cand, digits),
        "delta_pct": round(100 * (cand / ref - 1), 2), "parity": "pass", "swap_verified": True, "kept": True, "note": "",
    }  # fmt: skip
    page = {
        "id": "page", "axis": "page_size", "change": "--page-size 64", "throughput_tok_s": round(ref * 0.997, digits),
        "delta_pct": -0.3, "parity": "pass", "swap_verified": True, "kept": False, "note": "",
    }  # fmt: skip
    return {
        "trials": [kept, page], "accepted_flags": _flags(draft), "accepted_env": {}, "best_throughput_tok_s": round(cand, digits),
        "throughput_speedup_vs_baseline": round(cand / ref, 4), "summary": "one kept",
    }  # fmt: skip


def director(draft: Draft, ref: float, cand: float, digits: int) -> Json:
    """director_e2e_validation.json of two medians."""
    said = _invariant(draft)
    return {
        "model_name": "org/model-7b", "baseline_throughput_tok_s": round(ref, digits),
        "director_verified_throughput_tok_s": round(cand, digits), "throughput_speedup": round(cand / ref, 4),
        "claimed_throughput_tok_s": round(cand, digits), "validation_status": "validated_win", "output_parity": "pass",
        "applied_to_original": "true", "final_launch_script": "final/launch.sh",
        "serving_invariant": {"base": dict(said), "final": dict(said)},
    }  # fmt: skip


def _flags(draft: Draft) -> Json:
    asked = draft.request.get("change") or draft.request["accepted"][0]
    return dict(asked["flags"])


def _invariant(draft: Draft) -> Json:
    """What is said of both legs: the concurrency, and of SGLang what its rows record."""
    row = draft.rows("ref")[0]
    found: Json = {"conc": row["max_concurrency"]}
    if draft.dialect == "sglang":
        info = row["server_info"]
        found |= {"tp": info["tp_size"], "isl": row["random_input_len"], "osl": row["random_output_len"]}
        found["mem_fraction"] = info["mem_fraction_static"]
    return found


def nothing_else(_draft: Draft, _size: float, _rng: random.Random) -> None:
    """Both measured the clean run as it is."""


def lie(change: Lie, world: World = nothing_else) -> Edit:
    """Claim files that are true but for one change."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        world(draft, size, rng)
        change(tell(draft, rng.choice((2, 3))), size, rng)

    return edit


def truth(world: World = nothing_else) -> Edit:
    """The same claim files, all of them true."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        world(draft, size, rng)
        tell(draft, rng.choice((2, 3)))

    return edit

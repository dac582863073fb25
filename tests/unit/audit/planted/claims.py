"""Claim files of a GEAK run directory beside SGLang rows: each figure computed from the rows, then one of them turned into a lie."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.unit.audit.build import Json, foreign, sglang_row
from tests.unit.audit.planted.case import Planted

REF, CAND = (1000.0, 1001.5, 999.25), (1080.0, 1083.25, 1081.5)
INFO: Json = {
    "model_path": "org/model-8b", "attention_backend": "fa3", "mem_fraction_static": 0.85, "max_total_num_tokens": 947041, "tp_size": 4,
    "internal_states": [{"last_gen_throughput": 1117.7}],
}  # fmt: skip
FLAGS: Json = {"attention_backend": "triton"}
SUMMARY, INTEGRATE = "bench_summary.json", "integrate_result.json"
SWEEP, DIRECTOR = "config/sweep_results.json", "director_e2e_validation.json"
Files = dict[str, Json]
Edit = Callable[[Files], None]


def rows(values: Sequence[float], info: Json, **keys: Any) -> list[Json]:
    """Rows of one leg with both throughputs."""
    found = [sglang_row(value, info, **keys) for value in values]
    for row in found:
        row["total_throughput"] = (row["total_input_tokens"] + row["total_output_tokens"]) / row["duration"]
        row["input_throughput"] = row["total_input_tokens"] / row["duration"]
    return found


def spread(values: Sequence[float]) -> float:
    """As GEAK writes it: 0.0 for one run."""
    return round(100 * (max(values) - min(values)) / statistics.median(values), 2)


def summary(leg: Sequence[Json]) -> Json:
    """bench_summary.json of these rows."""
    values = [row["output_throughput"] for row in leg]
    return {
        "throughput_tok_s_median": round(statistics.median(values), 3), "throughput_tok_s_spread_pct": spread(values),
        "output_throughput_tok_s_median": round(statistics.median(values), 3), "output_throughput_tok_s_spread_pct": spread(values),
        "ttft_ms_median": round(statistics.median(row["median_ttft_ms"] for row in leg), 3),
        "tpot_ms_median": round(statistics.median(row["median_tpot_ms"] for row in leg), 3),
        "runs": len(values), "all_throughput": [round(value, 3) for value in values], "metric_basis": "aggregate_output_tok_s",
        "measurement_mode": "legacy_same_server", "status": "complete", "requested_rounds": len(values), "successful_rounds": len(values),
        "usable_for_acceptance": True,
    }  # fmt: skip


def integrate(ref: float, cand: float) -> Json:
    """integrate_result.json of two medians."""
    return {
        "short_name": "attn", "ref_med": round(ref, 3), "cand_med": round(cand, 3), "e2e_throughput_tok_s": round(cand, 3),
        "e2e_delta_pct": round(100 * (cand / ref - 1), 2), "ab_complete": True, "output_parity": "pass", "parity_kind": "byte_exact",
        "gate": "accepted", "accepted_flags": dict(FLAGS), "accepted_env": {}, "accepted_overlay": None, "isolated_speedup": None,
        "serving_invariant": {"tp": 4, "isl": 1024, "osl": 256, "conc": 16, "mem_fraction": {"ref": 0.85, "cand": 0.85}},
        "reason": "clean win",
    }  # fmt: skip


def sweep(ref: float, cand: float) -> Json:
    """sweep_results.json with the trial under audit and one that was dropped."""
    return {
        "trials": [
            {"id": "attn", "axis": "attention_backend", "change": "--attention-backend triton", "throughput_tok_s": round(cand, 3),
             "delta_pct": round(100 * (cand / ref - 1), 2), "parity": "pass", "swap_verified": True, "kept": True, "note": ""},
            {"id": "page", "axis": "page_size", "change": "--page-size 64", "throughput_tok_s": round(ref * 0.997, 3),
             "delta_pct": -0.3, "parity": "pass", "swap_verified": True, "kept": False, "note": ""},
        ],
        "accepted_flags": dict(FLAGS), "accepted_env": {}, "best_throughput_tok_s": round(cand, 3),
        "throughput_speedup_vs_baseline": round(cand / ref, 4), "summary": "one kept",
    }  # fmt: skip


def director(ref: float, cand: float) -> Json:
    """director_e2e_validation.json of two medians."""
    return {
        "model_name": "org/model-8b", "baseline_throughput_tok_s": round(ref, 3), "director_verified_throughput_tok_s": round(cand, 3),
        "throughput_speedup": round(cand / ref, 4), "claimed_throughput_tok_s": round(cand, 3), "validation_status": "validated_win",
        "output_parity": "pass", "applied_to_original": "true", "final_launch_script": "final/launch.sh",
        "serving_invariant": {"base": {"tp": 4, "mem_fraction_static": 0.85}, "final": {"tp": 4, "mem_fraction_static": 0.85}},
    }  # fmt: skip


def run(
    root: Path, edit: Edit, cand: Sequence[float] = CAND, ref: Sequence[float] = REF, bundle: bool = False, **request: Any
) -> Path:
    """A whole run directory with every claim file, honest but for ``edit``."""
    pair = "validation" if bundle else "config/attn"
    names = ("base", "final") if bundle else ("ref", "cand")
    legs = (rows(ref, INFO), rows(cand, {**INFO, **FLAGS}))
    medians = [statistics.median(row["output_throughput"] for row in leg) for leg in legs]
    claims: Files = {f"{pair}/{name}/{SUMMARY}": summary(leg) for name, leg in zip(names, legs, strict=True)}
    claims[SWEEP] = sweep(*medians)
    if bundle:
        claims[DIRECTOR] = director(*medians)
    else:
        claims[f"{pair}/{INTEGRATE}"] = integrate(*medians)
    edit(claims)
    for name, leg in zip(names, legs, strict=True):
        foreign(root / pair / name, leg)
    for name, value in claims.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps(value, indent=1) + "\n")
    change = {"lever": "attention backend", "flags": FLAGS, "env": {}, "overlay": []}
    asked: Json = {"scope": "bundle", "accepted": [change]} if bundle else {"scope": "patch", "change": change}
    asked |= {"schema": "countersign.request/1", "eval_dir": ".", "cand_dir": pair, "short_name": "attn", **request}
    (root / "audit_request.json").write_text(json.dumps(asked))
    return root


def honest(_: Files) -> None:
    """Nothing is changed."""


def put(file: str, path: str, value: Any) -> Edit:
    """An edit of one value: ``path`` is dotted, list indices are numbers."""

    def edit(files: Files) -> None:
        name = next(name for name in files if name.endswith(file))
        *above, last = path.split(".")
        at: Any = files[name]
        for part in above:
            at = at[int(part)] if part.isdigit() else at[part]
        at[int(last) if last.isdigit() else last] = value(at[last]) if callable(value) else value

    return edit


def both(*edits: Edit) -> Edit:
    """Several edits, one after the other."""

    def edit(files: Files) -> None:
        for one in edits:
            one(files)

    return edit


def _case(id_: str, name: str, field: str, lie: Edit, twin: Edit = honest, caught: str = "FLAG", **keys: Any) -> Planted:
    return Planted(id_, name, field, lambda root: run(root, lie, **keys), lambda root: run(root, twin, **keys), (caught,))


def _nulls(files: Files) -> None:
    files["config/attn/integrate_result.json"] |= dict.fromkeys(("ref_med", "cand_med", "e2e_delta_pct"))


def _total_everywhere(files: Files) -> None:
    """Both summaries and the result on total tokens, and saying so."""
    for name in ("ref", "cand"):
        of = files[f"config/attn/{name}/{SUMMARY}"]
        of["metric_basis"] = "aggregate_total_token_tok_s"
        of |= {
            "throughput_tok_s_median": round(5 * of["throughput_tok_s_median"], 3),
            "all_throughput": [5 * v for v in of["all_throughput"]],
        }
        of |= {"output_throughput_tok_s_median": None, "output_throughput_tok_s_spread_pct": None}
    result = files[f"config/attn/{INTEGRATE}"]
    result |= {key: round(5 * result[key], 3) for key in ("ref_med", "cand_med", "e2e_throughput_tok_s")}
    trial = files[SWEEP]["trials"][0]
    files[SWEEP] |= {
        "metric_basis": "aggregate_total_token_tok_s",
        "best_throughput_tok_s": round(5 * trial["throughput_tok_s"], 3),
    }
    trial["throughput_tok_s"] = round(5 * trial["throughput_tok_s"], 3)


def _one_basis(files: Files) -> None:
    """The candidate alone on total tokens."""
    of = files[f"config/attn/cand/{SUMMARY}"]
    _total_everywhere(files)
    files[f"config/attn/ref/{SUMMARY}"]["metric_basis"] = "aggregate_output_tok_s"
    assert of["metric_basis"] != "aggregate_output_tok_s"


def _unlisted(files: Files) -> None:
    files[SWEEP]["trials"] = [dict(files[SWEEP]["trials"][0], id="fp8", delta_pct=3.0)]


def _with_folder(root: Path, edit: Edit) -> Path:
    for name in ("fp8", "page"):
        foreign(root / "config" / name, rows(REF, INFO))
    return run(root, edit, bundle=True)


def _listed(files: Files) -> None:
    first, second = files[SWEEP]["trials"]
    files[SWEEP]["trials"] = [{**first, "id": "fp8", "delta_pct": 3.0}, second]


def _overlay(root: Path, source: str) -> Path:
    """A declared flag and an overlay file that is said to be accepted."""
    made = run(root, put(INTEGRATE, "accepted_overlay", "config/attn/overlay/attn.py"))
    (made / "config/attn/overlay").mkdir()
    (made / "config/attn/overlay/attn.py").write_text(source)
    return made


INSIDE = (1004.0, 1004.6, 1004.7)
"""+0.46 % over REF: inside the band of 0.5 %."""
BEYOND = (1014.0, 1014.6, 1014.7)
"""+1.46 %."""
PLANTED: tuple[Planted, ...] = (
    _case("R02", "the headline quotes another run", "GEAK integrate_result.json: cand_med", put(INTEGRATE, "cand_med", 1131.25)),
    _case("R02", "a verified figure that no row gives", "GEAK director_e2e_validation.json: director_verified_throughput_tok_s",
          put(DIRECTOR, "director_verified_throughput_tok_s", 1131.25), bundle=True),
    _case("R02", "nulls beside one false figure", "GEAK integrate_result.json: e2e_throughput_tok_s",
          both(_nulls, put(INTEGRATE, "e2e_throughput_tok_s", 1131.25)), _nulls),
    _case("M04", "a baseline of another day", "GEAK director_e2e_validation.json: baseline_throughput_tok_s",
          put(DIRECTOR, "baseline_throughput_tok_s", 940.0), bundle=True),
    _case("R03", "accepted although its own parity failed", "GEAK integrate_result.json: gate, output_parity",
          put(INTEGRATE, "output_parity", "fail")),
    _case("R05", "a device's share as the whole", "GEAK integrate_result.json: cand_med; sglang server_info: tp_size",
          put(INTEGRATE, "cand_med", lambda value: round(value / 4, 3))),
    _case("R06", "total tokens under the name of output tokens", "GEAK bench_summary.json: output_throughput_tok_s_median",
          put(f"cand/{SUMMARY}", "output_throughput_tok_s_median", lambda value: round(5 * value, 3))),
    _case("R06", "one leg on another basis", "GEAK bench_summary.json: metric_basis", _one_basis, _total_everywhere),
    _case("R09", "a rate of one request under tok_s", "GEAK integrate_result.json: cand_med; sglang row: median_tpot_ms",
          put(INTEGRATE, "cand_med", round(1000 / (12e3 / 1081.5), 3))),
    _case("R11", "a memory fraction claimed unchanged", "GEAK integrate_result.json: serving_invariant; sglang server_info",
          put(INTEGRATE, "serving_invariant.mem_fraction.ref", 0.9)),
    _case("R11", "parallelism misreported for both legs", "GEAK director_e2e_validation.json: serving_invariant; sglang server_info: tp_size",
          both(put(DIRECTOR, "serving_invariant.base.tp", 8), put(DIRECTOR, "serving_invariant.final.tp", 8)), bundle=True),
    _case("R11", "another concurrency", "GEAK integrate_result.json: serving_invariant; sglang row: max_concurrency",
          put(INTEGRATE, "serving_invariant.conc", 64)),
    _case("R13", "the server's own figure", "GEAK integrate_result.json: cand_med; sglang server_info: last_gen_throughput",
          put(INTEGRATE, "cand_med", 1117.7)),
    _case("R14", "partial run as complete", "GEAK bench_summary.json: status, requested_rounds",
          put(f"cand/{SUMMARY}", "requested_rounds", 5)),
    _case("R14", "more runs than rows", "GEAK bench_summary.json: runs", put(f"cand/{SUMMARY}", "runs", 7)),
    _case("R19", "a repeat that no row holds", "GEAK bench_summary.json: all_throughput",
          put(f"cand/{SUMMARY}", "all_throughput.1", 1102.25)),
    _case("R21", "seconds under ms", "GEAK bench_summary.json: ttft_ms_median",
          put(f"cand/{SUMMARY}", "ttft_ms_median", lambda value: round(value / 1000, 6))),
    _case("R22", "the sign turned", "GEAK integrate_result.json: e2e_delta_pct", put(INTEGRATE, "e2e_delta_pct", lambda value: -value)),
    _case("R23", "a fraction for percent", "GEAK integrate_result.json: e2e_delta_pct",
          put(INTEGRATE, "e2e_delta_pct", lambda value: round(value / 100, 4))),
    _case("R23", "percent for a ratio", "GEAK director_e2e_validation.json: throughput_speedup",
          put(DIRECTOR, "throughput_speedup", lambda value: round(100 * (value - 1), 2)), bundle=True),
    Planted("R04", "rounded up across the band", "GEAK integrate_result.json: e2e_delta_pct",
            lambda root: run(root, put(INTEGRATE, "e2e_delta_pct", 0.5), cand=INSIDE),
            lambda root: run(root, put(INTEGRATE, "e2e_delta_pct", 1.5), cand=BEYOND), ("FAIL",)),
    Planted("R03", "accepted inside the band", "GEAK integrate_result.json: gate",
            lambda root: run(root, honest, cand=INSIDE), lambda root: run(root, honest, cand=BEYOND), ("FAIL",)),
    Planted("R03", "a validated win that the ranges do not show", "GEAK director_e2e_validation.json: validation_status",
            lambda root: run(root, honest, cand=(1000.5, 1009.0, 1009.5), bundle=True),
            lambda root: run(root, honest, cand=BEYOND, bundle=True), ("FAIL",)),
    Planted("A14", "a loss accepted", "GEAK integrate_result.json: gate",
            lambda root: run(root, honest, cand=(990.0, 991.0, 990.5)), lambda root: run(root, honest, cand=BEYOND), ("FAIL",)),
    Planted("M28", "the spread of a single run", "GEAK bench_summary.json: throughput_tok_s_spread_pct",
            lambda root: run(root, honest, ref=REF[:1]), lambda root: run(root, honest, ref=REF[:2]), ("FAIL",)),
    Planted("A13", "an empty file accepted", "GEAK integrate_result.json: accepted_overlay; the file's bytes",
            lambda root: _overlay(root, ""), lambda root: _overlay(root, "WARPS = 8\n"), ("FLAG", "FAIL")),
    _case("M17", "best repeat for the median", "GEAK integrate_result.json: cand_med", put(INTEGRATE, "cand_med", max(CAND))),
    _case("M17", "best over worst for the medians", "GEAK integrate_result.json: e2e_delta_pct",
          put(INTEGRATE, "e2e_delta_pct", round(100 * (max(CAND) / min(REF) - 1), 2))),
    _case("M10", "the worst repeat left out", "GEAK bench_summary.json: all_throughput, runs",
          both(put(f"cand/{SUMMARY}", "runs", 2), put(f"cand/{SUMMARY}", "all_throughput", lambda values: values[1:]))),
    _case("M28", "no spread where there is one", "GEAK bench_summary.json: throughput_tok_s_spread_pct",
          put(f"ref/{SUMMARY}", "throughput_tok_s_spread_pct", 0.0)),
    _case("A05", "a win credited to nothing", "GEAK sweep_results.json: accepted_flags, accepted_env", put(SWEEP, "accepted_flags", {})),
    _case("A06", "one win under two names", "GEAK sweep_results.json: trials",
          lambda files: files[SWEEP]["trials"].append({**files[SWEEP]["trials"][0], "id": "attn-alias", "kept": True}),
          lambda files: files[SWEEP]["trials"].append({**files[SWEEP]["trials"][0], "id": "attn-alias", "kept": False})),
    _case("A07", "the isolated figure as the end-to-end one", "GEAK integrate_result.json: e2e_delta_pct, isolated_speedup",
          both(put(INTEGRATE, "isolated_speedup", 1.6), put(INTEGRATE, "e2e_delta_pct", 60.0))),
    _case("A14", "a loss kept", "GEAK sweep_results.json: trials", put(SWEEP, "trials.1.kept", True), bundle=True),
    Planted("R17", "a candidate that failed and was left out", "GEAK sweep_results.json: trials; folders with sglang rows",
            lambda root: _with_folder(root, _unlisted), lambda root: _with_folder(root, _listed), ("FLAG",)),
)  # fmt: skip

"""Operator benchmarks whose results are wrong, stored, or not looked at, and guards that did not run."""

from __future__ import annotations

import random

from proof.inject import benches
from proof.inject.benches import OPBENCH, RECORD
from proof.inject.draft import Draft
from proof.inject.recipe import Edit, Recipe
from proof.making import Json, sha

BOTH, KEPT = (OPBENCH, RECORD), (RECORD,)
GEAK, OUR = "GEAK opbench_result.json", "harness_record.json"
SPEEDUPS = (1.2, 2.0, 5.0)
VENDOR = ("nvjet_tst_64x8", "Cijk_Ailk_MT64x64", "cutlass_80_tensorop_gemm")


def _some(draft: Draft, rng: random.Random) -> Json:
    """One row of the candidate."""
    found: Json = rng.choice(benches.rows(draft))
    return found


def _first(draft: Draft, share: float) -> int:
    """So many iterations, at least two."""
    return max(2, round(share * len(benches.rows(draft)[0]["device_ms"])))


def _same_inputs(draft: Draft, size: float, rng: random.Random) -> None:
    """This share of the iterations got the same inputs, though each is said to have got its own."""
    inputs = benches.told(draft)["inputs"]
    count = _first(draft, size)
    for key in ("digests_before", "digests_after"):
        inputs[key] = [inputs[key][0]] * count + inputs[key][count:]


def _other_inputs(draft: Draft, size: float, rng: random.Random) -> None:
    """Other inputs, each its own."""
    inputs = benches.told(draft)["inputs"]
    fresh = [sha(f"{rng.random()}".encode()) for _ in inputs["digests_before"]]
    inputs |= {"digests_before": fresh, "digests_after": list(fresh)}


def _stale(draft: Draft, size: float, rng: random.Random) -> None:
    """In this share of the iterations the candidate gives one output for inputs that differ."""
    count = _first(draft, size)
    for row in benches.rows(draft):
        row["output_sha256"] = [row["output_sha256"][0]] * count + row["output_sha256"][count:]


def _other_outputs(draft: Draft, size: float, rng: random.Random) -> None:
    for row in benches.rows(draft):
        row["output_sha256"] = [sha(f"{rng.random()}".encode()) for _ in row["output_sha256"]]


def _overwritten_inputs(draft: Draft, size: float, rng: random.Random) -> None:
    """In so many iterations the inputs are not what they were before the call."""
    after = benches.told(draft)["inputs"]["digests_after"]
    for place in rng.sample(range(len(after)), int(size)):
        after[place] = sha(b"overwritten")


def _exchanged(part: str) -> Edit:
    """So many times as fast, and ``part`` of the harness is another file afterwards."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        benches.faster(draft, size)
        benches.told(draft)[part]["sha256_after"] = sha(f"{part} {rng.random()}".encode())

    return edit


def _another(part: str) -> Edit:
    """As fast, by another file that stayed what it was."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        benches.faster(draft, size)
        other = sha(f"{part} {rng.random()}".encode())
        benches.told(draft)[part] |= {"sha256_before": other, "sha256_after": other}

    return edit


def _far_off(draft: Draft, size: float, rng: random.Random) -> None:
    """The relative error is this large, and called correct."""
    _off(_some(draft, rng), size)


def _near(draft: Draft, size: float, rng: random.Random) -> None:
    _off(_some(draft, rng), round(rng.uniform(0.001, 0.008), 6))


def _off(row: Json, error: float) -> None:
    """A relative error, and the absolute one that goes with it."""
    row["max_rel_err"] = error
    if "max_abs_err" in row:
        row["max_abs_err"] = error * row["reference_var"] ** 0.5


def _set(key: str, scale: float = 1.0, *, whole: bool = False) -> Edit:
    """One row's value is the size (times ``scale``)."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        _some(draft, rng)[key] = int(size * scale) if whole else size * scale

    return edit


def _measured_otherwise(draft: Draft, size: float, rng: random.Random) -> None:
    """Outputs of another draw of inputs: their spread and error differ a little, in both legs."""
    for row in benches.told(draft)["results"]:
        row |= {"output_var": 30.4, "reference_var": 30.4, "max_abs_err": round(0.02 * rng.uniform(0.8, 1.2), 6)}


def _unchecked(draft: Draft, size: float, rng: random.Random) -> None:
    """At so many of the timed shapes no error was measured."""
    for row in rng.sample(benches.rows(draft), int(size)):
        row |= {"max_rel_err": None, "max_abs_err": None}


def _shape(live: bool) -> Edit:
    """A shape that nobody timed makes up this share of all calls (where ``live``; else the live model never calls it)."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        told = benches.told(draft)
        calls = sum(shape["calls"] for shape in told["shapes"])
        dims = [rng.choice((80, 96, 256)), 4096, 4096]
        told["shapes"].append(
            {"dims": dims, "dtype": "bfloat16", "live": live, "calls": round(calls * size / (1 - size)) if live else 0}
        )

    return edit


def _replayed(live: str) -> Edit:
    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        benches.faster(draft, size)
        benches.told(draft)["dispatch"] |= {"bench_path": "graph_replay", "live_path": live}

    return edit


def _unguarded(draft: Draft, size: float, rng: random.Random) -> None:
    """So many guards did not run; GEAK's harness reports an error (1, 2) or calls itself suspect."""
    told = benches.told(draft)
    if draft.base == OPBENCH:
        told |= {"harness_error": "subprocess timed out"} if size < 4 else {"harness_suspect": True}
        return
    for guard in rng.sample(told["guards"], int(size)):
        if rng.random() < 0.3:
            told["guards"].remove(guard)
        else:
            guard["status"] = rng.choice(("error", "skipped"))


def _guarded(draft: Draft, size: float, rng: random.Random) -> None:
    """Guards passed and say what they saw (GEAK's notes it)."""
    told = benches.told(draft)
    if draft.base == OPBENCH:
        told["results"][1]["note"] = "checked against the reference"
        return
    for guard in told["guards"]:
        guard["detail"] = f"{rng.randint(8, 64)} draws"


def _fell_back(draft: Draft, size: float, rng: random.Random) -> None:
    """In this share of its calls the candidate handed the work to the baseline."""
    calls = sum(len(row["device_ms"]) for row in benches.rows(draft))
    benches.told(draft)["candidate"]["fallback_calls"] = max(1, round(size * calls))


def _library_inside(draft: Draft, size: float, rng: random.Random) -> None:
    """The trace of the candidate holds so many kernels, all of a library."""
    benches.told(draft)["candidate"]["device_kernels"] = rng.sample(VENDOR, int(size))


def _library_beside(draft: Draft, size: float, rng: random.Random) -> None:
    """The authored kernel runs, with so many of a library beside it."""
    benches.told(draft)["candidate"]["device_kernels"] += rng.sample(VENDOR, int(size))


def _copied(draft: Draft, size: float, rng: random.Random) -> None:
    """At so many shapes the candidate's outputs are the baseline's, bit for bit (GEAK's: no error at all)."""
    if draft.base == OPBENCH:
        benches.told(draft)["op_kind"] = "gemm"
        benches.rows(draft)[0]["max_rel_err"] = 0.0
        return
    pairs = list(zip(benches.rows(draft, "baseline"), benches.rows(draft), strict=True))
    for base, row in rng.sample(pairs, int(size)):
        row["output_sha256"] = list(base["output_sha256"])


RECIPES = (
    Recipe("same-inputs-every-time", ("H11", "H13"), f"{OUR}: inputs.digests_before", KEPT, (0.5, 0.75, 1.0),
           "This share of the iterations got the same inputs.", _same_inputs, _other_inputs, critical=True),
    Recipe("one-output-for-many-inputs", ("H13", "H12"), f"{OUR}: results[].output_sha256", KEPT, (0.25, 0.5, 1.0),
           "In this share of the iterations the candidate gave one output for inputs that differ.", _stale, _other_outputs, critical=True),
    Recipe("inputs-overwritten", ("H17",), f"{OUR}: inputs.digests_after", KEPT, (1.0, 4.0, 8.0),
           "So many calls left other inputs behind.", _overwritten_inputs, _other_inputs, critical=True),
    Recipe("oracle-exchanged", ("H19",), f"{OUR}: oracle.sha256_after", KEPT, SPEEDUPS,
           "So many times as fast, and the right answers are another file afterwards.", _exchanged("oracle"), _another("oracle"), critical=True),
    Recipe("tolerance-exchanged", ("H27",), f"{OUR}: tolerance.sha256_after", KEPT, SPEEDUPS,
           "So many times as fast, and the tolerance is another file afterwards.", _exchanged("tolerance"), _another("tolerance"), critical=True),
    Recipe("wrong-called-correct", ("H27", "H28"), f"{GEAK} and {OUR}: max_rel_err", BOTH, (0.2, 2.0, 45.0),
           "The candidate's relative error is this large, and called correct.", _far_off, _near, critical=True),
    Recipe("numbers-that-are-none", ("H20",), f"{OUR}: results[].nonfinite", KEPT, (1.0, 64.0, 100000.0),
           "So many values of an output are NaN or infinite.", _set("nonfinite", whole=True), _measured_otherwise, critical=True),
    Recipe("constant-output", ("H22",), f"{OUR}: output_var, reference_var", KEPT, (0.05, 0.001, 0.0),
           "An output has this share of the reference's variance.", _set("output_var", 31.0), _measured_otherwise, critical=True),
    Recipe("output-with-holes", ("H37",), f"{OUR}: poisoned_bytes_left", KEPT, (4.0, 4096.0, 1e6),
           "So many bytes of an output were never written.", _set("poisoned_bytes_left", whole=True), _measured_otherwise, critical=True),
    Recipe("error-measured-elsewhere", ("H24", "H45"), f"{OUR}: max_rel_err", KEPT, (1.0, 2.0, 4.0),
           "At so many of the timed shapes no error was measured.", _unchecked, _measured_otherwise, critical=True),
    Recipe("live-shape-left-out", ("H23", "E13"), f"{OUR}: shapes[].live, calls; results[].shape", KEPT, (0.1, 0.4, 0.8),
           "Shapes that make up this share of the live calls were not timed.", _shape(live=True), _shape(live=False), critical=True),
    Recipe("graph-in-the-benchmark-alone", ("H33", "A08"), f"{OUR}: dispatch.bench_path, live_path", KEPT, SPEEDUPS,
           "So many times as fast in a captured graph, which the live server does not replay.", _replayed("eager"), _replayed("graph_replay"), critical=True),
    Recipe("guards-that-did-not-run", ("H46",), f"{GEAK}: harness_error, harness_suspect; {OUR}: guards[].status", BOTH, (1.0, 2.0, 4.0),
           "So many of the harness's checks on itself did not run, or left no row.", _unguarded, _guarded, critical=True),
    Recipe("fell-back", ("H31",), f"{OUR}: candidate.fallback_calls", KEPT, (0.02, 0.5, 1.0),
           "In this share of its calls the candidate handed the work to the baseline.", _fell_back, _measured_otherwise, critical=True),
    Recipe("library-called-a-kernel", ("H30",), f"{OUR}: candidate.device_kernels", KEPT, (1.0, 2.0, 3.0),
           "Of what ran in the candidate all, so many kernels, is a library's.", _library_inside, _library_beside, verdicts=("FLAG",)),
    Recipe("outputs-of-the-baseline", ("E08",), f"{GEAK}: max_rel_err; {OUR}: results[].output_sha256", BOTH, (1.0, 2.0, 4.0),
           "At so many shapes the candidate gives the baseline's outputs, bit for bit.", _copied, _near, verdicts=("FLAG",)),
)  # fmt: skip

"""Repeats, launches and their order: series that deceive a median, beside the same series measured honestly."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.unit.audit.build import Files, Json, Run, Server, foreign, sglang_row
from tests.unit.audit.planted.case import Planted
from tests.unit.audit.planted.conditions import CAND, INFO, REF, TRITON

Make = Callable[[Path], Path]
EAGER: Json = {"attn_implementation": "eager"}
LEG = "config/c01"


def legs(ref: Sequence[float], cand: Sequence[float], rows: tuple[Json, Json] = ({}, {}), **request: object) -> Make:
    """Two flat legs of SGLang rows with these throughputs; ``rows`` holds keys for the rows of each leg."""

    def make(root: Path) -> Path:
        foreign(root / "ref", [sglang_row(value, INFO, **rows[0]) for value in ref])
        foreign(root / "cand", [sglang_row(value, {**INFO, **TRITON}, **rows[1]) for value in cand])
        return ask(root, **request)

    return make


def ask(root: Path, **request: object) -> Path:
    """The commission: a patch that declares the other attention backend."""
    change = {"lever": "the change", "flags": TRITON, "env": {}, "overlay": []}
    (root / "audit_request.json").write_text(json.dumps({"scope": "patch", "cand_dir": ".", "change": change, **request}))
    return root


def launched(
    ref: Sequence[Sequence[float]], cand: Sequence[Sequence[float]], noise: Sequence[float] = (), **request: object
) -> Make:
    """Numbered launches a side, and an A/A set of one repeat a launch."""

    def make(root: Path) -> Path:
        for name, groups, info in (("ref", ref, INFO), ("cand", cand, {**INFO, **TRITON})):
            for number, values in enumerate(groups):
                foreign(root / name / f"launch_{number:03d}", [sglang_row(value, info) for value in values])
        for number, value in enumerate(noise):
            foreign(root / f"aa/launch_{number:03d}", [sglang_row(value, INFO)])
        return ask(root, **({"noise_dirs": ["aa"]} if noise else {}), **request)

    return make


def baseline(values: Sequence[float], durations: Sequence[float] | None = None) -> Make:
    """One flat leg in baseline scope."""

    def make(root: Path) -> Path:
        foreign(
            root / "baseline",
            [clocked(v, INFO, durations[n]) if durations else sglang_row(v, INFO) for n, v in enumerate(values)],
        )
        (root / "audit_request.json").write_text(json.dumps({"scope": "baseline", "eval_dir": "baseline"}))
        return root

    return make


def clocked(tok_s: float, info: Json, duration: float) -> Json:
    """A row whose duration was written by another clock; its rates follow from it."""
    row = sglang_row(tok_s, info)
    tokens, requests = row["total_output_tokens"], row["completed"]
    return {**row, "duration": duration, "output_throughput": tokens / duration, "request_throughput": requests / duration}


def coarse(ref: Sequence[float], cand: Sequence[float]) -> Make:
    """Two flat legs whose repeats lasted so many seconds."""

    def make(root: Path) -> Path:
        for name, durations, info in (("ref", ref, INFO), ("cand", cand, {**INFO, **TRITON})):
            foreign(
                root / name, [{**clocked(1000.0, info, value), "median_ttft_ms": 100.0 + n} for n, value in enumerate(durations)]
            )
        return ask(root)

    return make


def own(order: str, pause_s: float = 0.0, warmup: tuple[int, int] = (0, 0), noise: float = 0.002) -> Make:
    """Our own stopwatch: launches in this order (r and c), a pause before the first candidate, warm-up requests a leg."""

    def make(root: Path) -> Path:
        run = Run(root)
        run.aa("baseline/set_1", Server(launch_noise=noise))
        names = ["ref" if letter == "r" else "cand" for letter in order]
        run._plan(LEG, names, 2)
        counts = {"ref": 0, "cand": 0}
        paused = False

        def touch(files: Files) -> None:
            files.server["plan"]["warmup_requests"] = warmup["/cand/" in files.launch_id]

        for position, name in enumerate(names):
            if name == "cand" and not paused:
                run._clock, paused = run._clock + pause_s, True
            server = Server(launch_noise=noise) if name == "ref" else Server(1100.0, effective=EAGER, launch_noise=noise)
            run.launch(f"{LEG}/{name}/launch_{counts[name]:03d}", server, (counts[name], position), names, 2, touch)
            counts[name] += 1
        run.patch(LEG, EAGER, short_name="c01")
        return run.finish()

    return make


def vllm_row(tok_s: float, backend: str, date: str, **keys: object) -> Json:
    """One file as ``vllm bench serve`` writes it, the backend handed along with ``--metadata``."""
    completed, tokens = 200, 200 * 256
    duration = tokens / tok_s
    return {
        "date": date, "endpoint_type": "vllm", "backend": "vllm", "label": None, "model_id": "m", "tokenizer_id": "m", "num_prompts": completed,
        "attention_backend": backend, "request_rate": "inf", "burstiness": 1.0, "max_concurrency": 16, "duration": duration,
        "completed": completed, "failed": 0, "total_input_tokens": completed * 1024, "total_output_tokens": tokens,
        "request_throughput": completed / duration, "output_throughput": tok_s, "total_token_throughput": tok_s * 5,
        "median_ttft_ms": 1e5 / tok_s, "median_tpot_ms": 12e3 / tok_s, **keys,
    }  # fmt: skip


def dated(ref: Sequence[tuple[str, float]], cand: Sequence[tuple[str, float]]) -> Make:
    """vLLM results: one file a repeat, the date each carries and its throughput."""

    def make(root: Path) -> Path:
        for name, values, backend in (("ref", ref, "fa3"), ("cand", cand, "triton")):
            (root / name).mkdir(parents=True)
            for number, (date, value) in enumerate(values):
                (root / name / f"run_{number}.json").write_text(json.dumps(vllm_row(value, backend, date)))
        return ask(root)

    return make


def clock(start: str, minutes: Sequence[int]) -> list[str]:
    """Dates of one day: ``start`` is its date, minutes count from midnight."""
    return [f"{start}-{minute // 60:02d}{minute % 60:02d}00" for minute in minutes]


def blocks(gap: int, ref: Sequence[float], cand: Sequence[float]) -> Make:
    """All of ref, a gap in minutes, all of cand; a repeat every two minutes."""
    first = clock("20251104", [60 + 2 * n for n in range(len(ref))])
    later = clock("20251104", [60 + 2 * len(ref) + gap + 2 * n for n in range(len(cand))])
    return dated(list(zip(first, ref, strict=True)), list(zip(later, cand, strict=True)))


QUIET = (1000.0, 1001.5, 999.25, 1000.75, 998.9)
BETTER = (1080.0, 1083.0, 1081.5, 1079.0, 1082.0)
CLIMB = (990.0, 1001.0, 1012.0, 1023.0, 1034.0)
CLIMBED = (1045.0, 1056.0, 1067.0, 1078.0, 1089.0)
SHUFFLED = (1012.0, 990.0, 1034.0, 1001.0, 1023.0)
MODES = (995.0, 1005.2, 994.8, 1005.0, 995.1, 1004.9, 995.3, 1005.1)
ONE_MODE = (995.0, 1005.2, 999.8, 1001.0, 997.1, 1002.9, 998.3, 1000.6)
WALK = (995.0, 996.1, 997.2, 999.0, 1000.6, 1001.9, 1003.2, 1002.4, 1000.9, 999.4, 997.7, 996.3)
MIXED = (1000.9, 995.0, 1002.4, 999.4, 1003.2, 996.1, 1000.6, 997.2, 1001.9, 996.3, 999.0, 997.7)
NOISY_TTFT = [90.0, 131.0, 99.0, 118.0, 84.0]
NO_HARM = "a faster attention backend with no latency regression"


def _latencies(ref: Sequence[float], cand: Sequence[float], what: str = NO_HARM) -> Make:
    """Rows whose TTFT is given, throughput as in the quiet legs."""

    def make(root: Path) -> Path:
        foreign(root / "ref", [sglang_row(v, INFO, median_ttft_ms=t) for v, t in zip(QUIET, ref, strict=True)])
        rows = [sglang_row(v, {**INFO, **TRITON}, median_ttft_ms=t) for v, t in zip(BETTER, cand, strict=True)]
        foreign(root / "cand", rows)
        return ask(root, what=what)

    return make


def _hidden(faulted: bool) -> Make:
    """Two groups of reference repeats, and one that is so sick that it hides in the scatter it makes."""
    return legs(
        (1000.0, 1000.4, 850.0 if faulted else 1030.1, 1030.0, 1030.3),
        [1033.0 + 0.3 * n + (0 if faulted else 40) for n in range(5)],
    )


def _dips(faulted: bool) -> Make:
    """Reference repeats of which one is sick: it pulls the median down by a fifth of the gain."""
    return legs((1000.0, 1004.6, 1004.9, 940.0 if faulted else 1002.2, 1000.4), (1010.0, 1010.4, 1009.8, 1010.1, 1010.3))


PLANTED = (
    Planted("M01", "a baseline whose first repeat was cold", "sglang row: output_throughput, in order", baseline((966.36, 1004.05, 1004.71)),
            baseline((1003.36, 1004.05, 1004.71)), ("FLAG",)),
    Planted("M01", "a baseline that climbs over its repeats", "sglang row: output_throughput, in order", baseline(CLIMB), baseline(QUIET), ("FLAG",)),
    Planted("M03", "warm-up for the candidate alone", "stopwatch: server.json plan.warmup_requests", own("rccrrc", warmup=(0, 64)),
            own("rccrrc", warmup=(64, 64))),
    Planted("M04", "a reference measured hours earlier", "vllm: date", blocks(300, QUIET, BETTER), blocks(4, QUIET, BETTER), ("FLAG",)),
    Planted("M04", "the reference is faster than the given baseline", "sglang row: output_throughput",
            legs(REF, CAND, baseline_throughput=950.0), legs(REF, CAND, baseline_throughput=1000.0)),
    Planted("C11", "a crippled reference, slower than the given baseline", "sglang row: output_throughput",
            legs(REF, CAND, baseline_throughput=1075.0), legs(REF, CAND, baseline_throughput=1001.0)),
    Planted("M05", "two blocks on a machine that warms up", "vllm: date, output_throughput", blocks(4, CLIMB, CLIMBED),
            blocks(4, SHUFFLED, tuple(value * 1.1 for value in SHUFFLED)), ("FLAG",)),
    Planted("M05", "our own launches in two blocks", "stopwatch: server.json started_unix", own("rrrccc"), own("rccrrc"), ("FLAG",)),
    Planted("M21", "the reference goes first in every pair", "stopwatch: server.json started_unix", own("rcrcrc"), own("rccrrc"), ("FLAG",)),
    Planted("M06", "repeats of restless launches taken for samples", "launch folders of rows",
            launched([[1000, 1001, 1000.5], [960, 961, 960.4], [1035, 1036, 1035.2]], [[1030, 1031, 1030.6], [1050, 1051, 1050.3], [1010, 1011, 1010.7]]),
            launched([[1000, 1001, 1000.5], [998, 999, 998.4], [1002, 1003, 1002.2]], [[1030, 1031, 1030.6], [1032, 1033, 1032.3], [1028, 1029, 1028.7]])),
    Planted("M07", "disjoint ranges of three against three", "launch folders of rows, A/A set",
            launched([[1000.0], [1004.0], [1008.0]], [[1012.0], [1016.0], [1013.0]], (980.5, 1010.5, 1030.5, 1000.5)),
            launched([[1000.0], [1004.0], [1008.0]], [[1052.0], [1056.0], [1053.0]], (998.5, 1001.5, 1002.5, 1000.5))),
    Planted("M10", "repeats that were planned and are missing", "sglang rows: their number", legs(QUIET, BETTER[:3], planned={"repeats": 5}),
            legs(QUIET, BETTER, planned={"repeats": 5})),
    Planted("M11", "slow candidate repeats trimmed away", "sglang rows: their number", legs(QUIET, BETTER[:2]), legs(QUIET, BETTER), ("FLAG",)),
    Planted("M12", "a sick reference repeat among two groups", "sglang row: output_throughput", _hidden(True), _hidden(False), ("FLAG", "FAIL")),
    Planted("M12", "a sick reference repeat left in", "sglang row: output_throughput", _dips(True), _dips(False), ("FLAG",)),
    Planted("M13", "a baseline in two modes", "sglang row: output_throughput", baseline(MODES), baseline(ONE_MODE), ("FLAG",)),
    Planted("M14", "a band measured on another workload", "launch folders of an A/A set, noise_band_pct",
            launched([[1000.0, 1000.4]], [[1009.0, 1009.3]], (985.0, 1000.7, 1014.0)), launched([[1000.0, 1000.4]], [[1009.0, 1009.3]], (999.9, 1000.1, 1000.2)),
            ("FLAG",)),
    Planted("M16", "repeats too short for steady state", "sglang row: duration", legs(REF, CAND, ({"completed": 8, "total_input_tokens": 8192,
            "total_output_tokens": 2048, "duration": 2.048, "output_throughput": 1000.0, "request_throughput": 3.90625},) * 2),
            legs(REF, CAND), ("FLAG", "FAIL")),
    Planted("M24", "durations in whole seconds", "sglang row: duration", coarse((51.0, 52.0, 51.0), (47.0, 47.0, 46.0)),
            coarse((51.21, 51.87, 51.3), (47.16, 47.4, 46.93)), ("FLAG",)),
    Planted("M27", "a stopping rule that measured the candidate less", "sglang rows: their number",
            legs(QUIET, BETTER[:4], planned={"repeats": 5}), legs(QUIET, BETTER, planned={"repeats": 5})),
    Planted("M28", "one repeat a side", "sglang rows: their number", legs((1000.0,), (1080.0,)), legs(REF, CAND)),
    Planted("M29", "a baseline that wanders, its repeats taken for independent", "sglang row: output_throughput, in order", baseline(WALK),
            baseline(MIXED), ("FLAG",)),
    Planted("M30", "no regression promised on noisy latencies", "sglang row: median_ttft_ms, what", _latencies(NOISY_TTFT, [96.0, 136.0, 88.0, 121.0, 101.0]),
            _latencies([100.0, 101.0, 99.5, 100.4, 100.2], [99.0, 100.2, 99.9, 100.1, 99.4]), ("FLAG",)),
    Planted("R08", "the wait for the first token grew", "sglang row: median_ttft_ms", legs(REF, CAND, ({}, {"median_ttft_ms": 140.0})), legs(REF, CAND),
            ("FLAG",)),
    Planted("R22", "a latency that rose, with the gain of a rate", "sglang row: median_tpot_ms", legs(REF, CAND, ({}, {"median_tpot_ms": 15.0})),
            legs(REF, CAND, ({}, {"median_tpot_ms": 9.0})), ("FLAG",)),
    Planted("A14", "a change that is slower", "sglang row: output_throughput", legs(REF, tuple(value * 0.9 for value in REF)), legs(REF, CAND)),
)  # fmt: skip

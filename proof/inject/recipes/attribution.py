"""To whom a gain is credited: to nothing, to a part that brings none, to a kernel that is a flag, to a flag that was not in force."""

from __future__ import annotations

import random

from proof.inject import shape
from proof.inject.bases import ALL
from proof.inject.confounds import FIRST, SECOND, gain, part, put
from proof.inject.draft import Draft
from proof.inject.overlays import bind, more, off, overlay
from proof.inject.recipe import Recipe

LEGS = ("aa", "ref", "cand")


def _bundle(draft: Draft, first: float, second: float, rng: random.Random) -> None:
    """Two accepted parts that bring so many percent each, and a leg without each of them."""
    (old_one, one), (old_two, two) = FIRST[draft.dialect], SECOND[draft.dialect]
    for leg in ("aa", "ref"):
        put(draft, leg, old_two)
    put(draft, "cand", two)
    gain(draft, 100 * ((1 + first / 100) * (1 + second / 100) - 1))
    base = shape.middle(draft, "ref")
    more(draft, "without_attention", base * (1 + second / 100), rng)
    put(draft, "without_attention", old_one | two)
    more(draft, "without_prefill", base * (1 + first / 100), rng)
    put(draft, "without_prefill", one | old_two)
    draft.request |= {
        "scope": "bundle", "short_name": "whole", "change": None,
        "accepted": [part("attention", one), part("prefill", two)],
    }  # fmt: skip


def _idle_part(draft: Draft, size: float, rng: random.Random) -> None:
    """The first part brings all of so many percent, the second nothing."""
    _bundle(draft, size, 0.0, rng)


def _both_bring(draft: Draft, size: float, rng: random.Random) -> None:
    """Each part brings half of so many percent."""
    _bundle(draft, size / 2, size / 2, rng)


def _noise_kept(draft: Draft, size: float, rng: random.Random) -> None:
    """The second part lies so many percent below nothing, inside the noise, and was kept."""
    _bundle(draft, 12.0, -size, rng)


def _win_kept(draft: Draft, size: float, rng: random.Random) -> None:
    """The second part brings ten times as much."""
    _bundle(draft, 12.0, 3 + 10 * size, rng)


def _hurts(draft: Draft, size: float, rng: random.Random) -> None:
    """Together with the first part, the second costs so many percent."""
    _bundle(draft, 20.0, -size, rng)


def _helps(draft: Draft, size: float, rng: random.Random) -> None:
    """Together with the first part, the second brings as much."""
    _bundle(draft, 20.0, size, rng)


def _part_lost(draft: Draft, size: float, rng: random.Random) -> None:
    """The final servers run without the second of the accepted parts; the first brings so many percent."""
    _bundle(draft, size, 0.0, rng)
    put(draft, "cand", SECOND[draft.dialect][0])
    draft.launches = [launch for launch in draft.launches if not launch.leg.startswith("without")]
    shape.arrange(draft, [launch.leg for launch in draft.launches if launch.leg != "aa"])


def _parts_kept(draft: Draft, size: float, rng: random.Random) -> None:
    """The final servers run with both, and each brings half of it."""
    _bundle(draft, size / 2, size / 2, rng)
    draft.launches = [launch for launch in draft.launches if not launch.leg.startswith("without")]
    shape.arrange(draft, [launch.leg for launch in draft.launches if launch.leg != "aa"])


SERVING: dict[str, tuple[tuple[str, object, object], ...]] = {
    "ours": (("continuous_batching", False, True), ("cb_max_batch_tokens", 128, 512)),
    "sglang": (("schedule_policy", "fcfs", "lpm"), ("chunked_prefill_size", 8192, 16384), ("num_continuous_decode_steps", 1, 8)),
    "vllm": (("max_num_batched_tokens", 8192, 32768), ("scheduling_policy", "fcfs", "priority")),
}


def _serving(draft: Draft, size: float, rng: random.Random, words: str) -> None:
    """A serving setting brings so many percent; the commission says what it is in these words."""
    key, old, new = rng.choice(SERVING[draft.dialect])
    for leg in ("aa", "ref"):
        put(draft, leg, {key: old})
    put(draft, "cand", {key: new} | FIRST[draft.dialect][0])
    gain(draft, size)
    draft.request |= {"what": words.format(key=key), "change": part(key.replace("_", " "), {key: new})}


def _sold_as_kernel(draft: Draft, size: float, rng: random.Random) -> None:
    _serving(draft, size, rng, "fused decode kernel")


def _by_its_name(draft: Draft, size: float, rng: random.Random) -> None:
    _serving(draft, size, rng, "{key} raised, no kernel was touched")


def _mixed(draft: Draft, size: float, rng: random.Random) -> None:
    """An overlay and a serving setting together, as the gain of a kernel."""
    overlay(draft, rng)
    bind(draft)
    off(draft, rng, 0.0)
    key, old, new = rng.choice(SERVING[draft.dialect])
    for leg in ("aa", "ref"):
        put(draft, leg, {key: old})
    for leg in ("cand", "off"):
        put(draft, leg, {key: new})
    draft.request["what"] = "authored FP8 GEMM kernel"
    draft.request["change"]["flags"] = {key: new}
    gain(draft, size)


def _unmixed(draft: Draft, size: float, rng: random.Random) -> None:
    """The overlay alone, as the gain of a kernel."""
    overlay(draft, rng)
    bind(draft)
    gain(draft, size)
    off(draft, rng, 0.0)
    draft.request["what"] = "authored FP8 GEMM kernel"


def _in_both(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference runs with the declared change too; the later leg is so many percent faster."""
    for leg in ("aa", "ref"):
        put(draft, leg, FIRST[draft.dialect][1])
    gain(draft, size)


def _in_one(draft: Draft, size: float, rng: random.Random) -> None:
    """The declared change is in the candidate alone, and brings as much."""
    gain(draft, size)


def _same_again(draft: Draft, size: float, rng: random.Random) -> None:
    """Nothing is declared, no setting differs, and the second leg is so many percent faster."""
    put(draft, "cand", FIRST[draft.dialect][0])
    gain(draft, size)
    draft.request["change"] = None


def _undeclared(draft: Draft, size: float, rng: random.Random) -> None:
    """Nothing is declared, one setting differs."""
    gain(draft, size)
    draft.request["change"] = None


def _to_nothing(draft: Draft, size: float, rng: random.Random) -> None:
    """A change is named that sets nothing and brings no file, and no setting differs."""
    put(draft, "cand", FIRST[draft.dialect][0])
    gain(draft, size)
    draft.request["change"] = {
        "lever": rng.choice(("decode rewrite", "scheduler cleanup")),
        "flags": {},
        "env": {},
        "overlay": [],
    }


def _bench(draft: Draft, share: float, times: float) -> None:
    """GEAK's result of an operator benchmark: the operation takes ``share`` percent of the GPU's time and got so many times faster."""
    slow = 0.05
    fast = round(slow / times, 6)
    draft.beside["kernels/gemm/opbench_result.json"] = {
        "op_kind": "gemm", "task": "fp8_gemm_decode", "harness_suspect": False, "harness_error": None,
        "results": [
            {"backend": "hipblaslt", "available": True, "correct": True, "ms": slow, "wall_ms": slow + 0.008, "max_rel_err": 0.0},
            {"backend": "authored", "available": True, "correct": True, "ms": fast, "wall_ms": fast + 0.009, "max_rel_err": 0.004},
        ],
        "winner_backend": "authored", "winner_ms": fast, "baseline_backend": "hipblaslt", "baseline_ms": slow, "measured": True,
        "measurement_mode": "cold", "isolated_speedup": round(slow / fast, 4), "pct_gpu_time": round(share, 2),
        "amdahl_ceiling_e2e_pct": round(100 * (1 / (1 - round(share, 2) / 100 * (1 - fast / slow)) - 1), 2), "winner_kind": "patch_candidate",
    }  # fmt: skip


def _kernel(draft: Draft, rng: random.Random) -> None:
    """An honest overlay with a third leg."""
    overlay(draft, rng)
    bind(draft)
    off(draft, rng, 0.0)


def _above_ceiling(draft: Draft, size: float, rng: random.Random) -> None:
    """The serving gain is so many times what the operation can bring."""
    _kernel(draft, rng)
    _bench(draft, _needed(draft, 1 / size), 2.0)


def _below_ceiling(draft: Draft, size: float, rng: random.Random) -> None:
    """The operation could bring a third more than the serving gain."""
    _kernel(draft, rng)
    _bench(draft, _needed(draft, 4 / 3), 2.0)


def _needed(draft: Draft, part: float) -> float:
    """Percent of the time of an operation that, twice as fast, brings this part of the gain."""
    percent = part * (shape.middle(draft, "cand") / shape.middle(draft, "ref") - 1)
    return 100 * 2 * percent / (1 + percent)


def _isolated_alone(draft: Draft, size: float, rng: random.Random) -> None:
    """The operation got so many times faster by itself, and serving gained nothing."""
    shape.no_gain(draft)
    _kernel(draft, rng)
    _bench(draft, 30.0, size)


def _isolated_too(draft: Draft, size: float, rng: random.Random) -> None:
    """It got as much faster, and serving gained."""
    _kernel(draft, rng)
    _bench(draft, min(90.0, 1.5 * _needed(draft, 1.0) / (2 - 2 / size)), size)


PERCENT = (3.0, 8.0, 25.0)
RECIPES = (
    Recipe("idle-part", ("A02", "A10"), "rows of without_<part>/: output_throughput", ALL, (4.0, 10.0, 25.0),
           "Of two accepted parts the first brings so many percent, the second nothing.", _idle_part, _both_bring),
    Recipe("noise-kept", ("A10", "A02"), "rows of without_<part>/: output_throughput", ALL, (0.1, 0.2, 0.4),
           "A part that lies so many percent below nothing was kept, carried by the other's gain.", _noise_kept, _win_kept),
    Recipe("parts-that-clash", ("A17", "A02", "A10"), "rows of without_<part>/: output_throughput", ALL, (1.5, 4.0, 10.0),
           "Beside the first part, the second costs so many percent.", _hurts, _helps),
    Recipe("bundle-lost-a-part", ("E11", "E06", "C10"), "settings of the final candidate; request: accepted", ALL, PERCENT,
           "The final servers lack one of the accepted parts; the other brings so many percent.", _part_lost, _parts_kept, critical=True),
    Recipe("flag-sold-as-kernel", ("A01",), "settings that differ; request: what", ALL, PERCENT,
           "A serving setting brings so many percent and is called a kernel.", _sold_as_kernel, _by_its_name),
    Recipe("flag-beside-a-kernel", ("A01",), "settings that differ; overlay source; request: what", ALL, PERCENT,
           "A kernel and a serving setting bring so many percent together, credited to the kernel.", _mixed, _unmixed),
    Recipe("change-in-both-legs", ("A11", "H01"), "settings of the reference", ALL, PERCENT,
           "The reference has the declared change too; chance brings so many percent.", _in_both, _in_one, critical=True),
    Recipe("same-again", ("A11", "A05"), "settings: none differs", ALL, PERCENT,
           "The same configuration, measured again, is so many percent faster.", _same_again, _undeclared, critical=True),
    Recipe("credited-to-nothing", ("A05", "A11"), "settings: none differs; request: change", ALL, PERCENT,
           "So many percent are credited to a change that sets nothing.", _to_nothing, _in_one, critical=True),
    Recipe("above-the-ceiling", ("A04",), "GEAK opbench_result.json: pct_gpu_time, isolated_speedup; rows: output_throughput", ALL, (1.5, 3.0, 8.0),
           "The gain is so many times what the operation it is credited to can bring.", _above_ceiling, _below_ceiling),
    Recipe("isolated-alone", ("A07",), "GEAK opbench_result.json: isolated_speedup; rows: output_throughput", ALL, (1.25, 2.0, 8.0),
           "A kernel is so many times faster by itself, and serving gains nothing.", _isolated_alone, _isolated_too, critical=True),
)  # fmt: skip

"""Claim files whose figures are not those of the rows: another run's, another basis, another unit, another count."""

from __future__ import annotations

import random
import statistics

from proof.inject import edits, shape
from proof.inject.bases import ALL, FOREIGN, SGLANG
from proof.inject.claimed import INTEGRATE, SUMMARY, SWEEP, Told, lie, middle, truth
from proof.inject.draft import Draft
from proof.inject.recipe import Recipe

FLAT = ("sglang-flat", "vllm-files")
FLAG = ("FLAG",)
BAND = 1.0
"""The band, in percent, over which a gain is rounded."""


def _with_gain(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate is faster by the size in percent, whatever the clean run's gain was."""
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("cand"), 1 + size / 100)


def _with_shown_gain(draft: Draft, size: float, rng: random.Random) -> None:
    """The same, and the rows show it: noise moves the medians no further. What luck brings is counted in the worlds."""
    _with_gain(draft, size, rng)
    ref, cand = (
        statistics.median(shape.speed_of(row) for launch in draft.leg(leg) for row in launch.rows) for leg in ("ref", "cand")
    )
    edits.speed(draft, draft.leg("cand"), (1 + size / 100) * ref / cand)


def _slower(draft: Draft, size: float, rng: random.Random) -> None:
    _with_gain(draft, -size, rng)


def _true(draft: Draft, size: float, rng: random.Random) -> None:
    """The clean run's own gain."""


def _raised(told: Told, size: float, rng: random.Random) -> None:
    """Every figure of the candidate is that of a better run."""
    better = told.get(INTEGRATE, "cand_med") * (1 + size / 100)
    gain = 100 * (better / told.get(INTEGRATE, "ref_med") - 1)
    for key, value in (("cand_med", better), ("e2e_throughput_tok_s", better), ("e2e_delta_pct", gain)):
        told.put(INTEGRATE, key, round(value, 2))
    told.put(SWEEP, "trials.0.throughput_tok_s", round(better, 2))
    told.put(SWEEP, "trials.0.delta_pct", round(gain, 2))


def _accepted(told: Told, size: float, rng: random.Random) -> None:
    """The files are as true as they can be, and say that the change was accepted."""


def _one_reached(draft: Draft, size: float, rng: random.Random) -> None:
    """A gain of so many percent to the last digit, between two quiet legs, beside a declared band."""
    draft.request["noise_band_pct"] = BAND
    scatter = [1 + 0.0004 * (place - 2) for place in range(5)]
    shape.series(draft, "ref", [1000 * one for one in rng.sample(scatter, 5)])
    shape.series(draft, "cand", [1000 * (1 + size / 100) * one for one in rng.sample(scatter, 5)])


def _one_passed(draft: Draft, size: float, rng: random.Random) -> None:
    """As quiet legs, and a gain that stands above the band by as much as the lie's stands below."""
    _one_reached(draft, 2 * BAND + size, rng)


def _whole_percent(told: Told, size: float, rng: random.Random) -> None:
    ref, cand = told.get(INTEGRATE, "ref_med"), told.get(INTEGRATE, "cand_med")
    gain = round(100 * (cand / ref - 1))
    told.put(INTEGRATE, "e2e_delta_pct", gain)
    told.put(SWEEP, "trials.0.delta_pct", gain)


def _devices(draft: Draft, size: float, rng: random.Random) -> None:
    """Both legs ran on so many devices."""
    key = "tp_size" if draft.dialect == "sglang" else "tensor_parallel_size"
    for leg in ("aa", "ref", "cand"):
        edits.settings(draft, leg, {key: int(size)})


def _one_device(told: Told, size: float, rng: random.Random) -> None:
    ref, cand = (middle(told.draft.rows(leg), "output_throughput") / size for leg in ("ref", "cand"))
    for key, value in (("ref_med", ref), ("cand_med", cand), ("e2e_throughput_tok_s", cand)):
        told.put(INTEGRATE, key, round(value, 3))


def _all_tokens(told: Told, size: float, rng: random.Random) -> None:
    """So many of the three places give the rate of all tokens as that of output tokens."""
    names = ("total_throughput", "total_token_throughput")
    ref, cand = (round(middle(told.draft.rows(leg), *names), 3) for leg in ("ref", "cand"))
    _three(told, size, ref, cand)


def _three(told: Told, size: float, ref: float, cand: float) -> None:
    """The candidate's summary, then its median in the result, then the reference's as well."""
    places = [
        (f"cand/{SUMMARY}", "output_throughput_tok_s_median", cand),
        (INTEGRATE, "cand_med", cand),
        (INTEGRATE, "ref_med", ref),
    ]
    for file, key, value in places[: int(size)]:
        told.put(file, key, value)


def _quicker_first(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's wait for the first token is this share of what it was."""
    shape.wait(draft, "cand", size)


def _other_metric(told: Told, size: float, rng: random.Random) -> None:
    ref, cand = (middle(told.draft.rows(leg), "median_ttft_ms") for leg in ("ref", "cand"))
    told.put(INTEGRATE, "e2e_delta_pct", round(100 * (1 - cand / ref), 2))


def _slower_pace(draft: Draft, size: float, rng: random.Random) -> None:
    """A token takes so many percent longer in the candidate; the reference had fewer requests in flight."""
    ref, cand = (middle(draft.rows(leg), "median_tpot_ms") for leg in ("ref", "cand"))
    shape.pace(draft, "ref", cand / ref / (1 + size / 100))


def _same_pace(draft: Draft, size: float, rng: random.Random) -> None:
    """The pace holds to within two percent."""
    _slower_pace(draft, rng.uniform(-2, 2), rng)


def _denied(told: Told, size: float, rng: random.Random) -> None:
    told.put(INTEGRATE, "decode_regressed", value="false")


def _paces(told: Told, size: float, rng: random.Random) -> None:
    """So many places give 1000 / TPOT under tokens per second."""
    ref, cand = (round(1000 / middle(told.draft.rows(leg), "median_tpot_ms"), 4) for leg in ("ref", "cand"))
    _three(told, size, ref, cand)


def _self_reported(draft: Draft, size: float, rng: random.Random) -> None:
    """The server's own last figure stands in every row, in the candidate so many percent above what the client saw."""
    for leg in ("aa", "ref", "cand"):
        level = (
            shape.middle(draft, leg) * (1 + size / 100) if leg == "cand" else shape.middle(draft, leg) if draft.leg(leg) else 0.0
        )
        for row in draft.rows(leg):
            row["server_info"] = {**row["server_info"], "internal_states": [{"last_gen_throughput": round(level, 2)}]}


def _servers_word(told: Told, size: float, rng: random.Random) -> None:
    figure = told.draft.rows("cand")[0]["server_info"]["internal_states"][0]["last_gen_throughput"]
    told.put(INTEGRATE, "cand_med", figure)
    told.put(INTEGRATE, "e2e_throughput_tok_s", figure)


def _turned(told: Told, size: float, rng: random.Random) -> None:
    """A loss is reported with its sign turned."""
    gain = told.get(INTEGRATE, "e2e_delta_pct")
    told.put(INTEGRATE, "e2e_delta_pct", -gain)
    told.put(SWEEP, "trials.0.delta_pct", -gain)


def _difference(told: Told, size: float, rng: random.Random) -> None:
    """The difference in tok/s is written as percent."""
    told.put(INTEGRATE, "e2e_delta_pct", round(told.get(INTEGRATE, "cand_med") - told.get(INTEGRATE, "ref_med"), 2))


def _upside_down(told: Told, size: float, rng: random.Random) -> None:
    """Of a speed-up that is a ratio, the percent."""
    ratio = told.get(SWEEP, "throughput_speedup_vs_baseline")
    told.put(SWEEP, "throughput_speedup_vs_baseline", round(100 * (ratio - 1), 2))


def _more_runs(told: Told, size: float, rng: random.Random) -> None:
    runs = told.get(f"cand/{SUMMARY}", "runs") + int(size)
    for key in ("runs", "requested_rounds", "successful_rounds"):
        told.put(f"cand/{SUMMARY}", key, runs)


def _invented(told: Told, size: float, rng: random.Random) -> None:
    """So many values in the list of repeats are no repeat's."""
    values = told.get(f"cand/{SUMMARY}", "all_throughput")
    for place in rng.sample(range(len(values)), int(size)):
        values[place] = round(values[place] * rng.uniform(1.01, 1.05), 3)


def _quieter(told: Told, size: float, rng: random.Random) -> None:
    """The spread of both legs is this share of what it was."""
    for leg in ("ref", "cand"):
        for key in ("throughput_tok_s_spread_pct", "output_throughput_tok_s_spread_pct"):
            told.put(f"{leg}/{SUMMARY}", key, round(size * told.get(f"{leg}/{SUMMARY}", key), 2))


RECIPES = (
    Recipe("headline-of-a-better-run", ("R02",), "GEAK integrate_result.json: cand_med, e2e_delta_pct", ALL, (1.0, 5.0, 30.0),
           "The figures of the candidate are so many percent above what its rows give.", lie(_raised), truth(), verdicts=FLAG),
    Recipe("accepted-in-the-noise", ("R03", "A14"), "GEAK integrate_result.json: gate; any row: output_throughput", ALL, (0.4, 0.2, 0.0),
           "A change that brings so many percent, inside the band, is called accepted.", lie(_accepted, _with_shown_gain), truth(_true), critical=True),
    Recipe("rounded-over-the-band", ("R04", "R03"), "GEAK integrate_result.json: e2e_delta_pct; request: noise_band_pct", FLAT, (0.95, 0.8, 0.6),
           "A gain of so many percent is rounded to 1, which is the band.", lie(_whole_percent, _one_reached), lie(_whole_percent, _one_passed), critical=True),
    Recipe("claimed-for-one-device", ("R05",), "GEAK integrate_result.json: ref_med, cand_med; server settings: tp_size", ("sglang-flat", "sglang-launches", "vllm-launches"),
           (2.0, 4.0, 8.0), "The levels claimed are those of one of so many devices.", lie(_one_device, _devices), truth(_devices), verdicts=FLAG),
    Recipe("claimed-on-all-tokens", ("R06",), "GEAK bench_summary.json: output_throughput_tok_s_median; integrate_result.json: ref_med, cand_med", ALL, (1.0, 2.0, 3.0),
           "So many figures named as output tokens count the prompts in.", lie(_all_tokens), truth(), verdicts=FLAG),
    Recipe("gain-of-another-metric", ("R07",), "GEAK integrate_result.json: e2e_delta_pct; any row: median_ttft_ms", ALL, (0.8, 0.6, 0.3),
           "The gain claimed for throughput is that of the wait for the first token, which is this share of what it was.", lie(_other_metric, _quicker_first), truth(_quicker_first), verdicts=FLAG),
    Recipe("regression-denied", ("R08", "R22"), "GEAK integrate_result.json: decode_regressed; any row: median_tpot_ms", ALL, (12.0, 30.0, 80.0),
           "Decoding is slower by so many percent a token, and the file says that it is not.", lie(_denied, _slower_pace), lie(_denied, _same_pace)),
    Recipe("claimed-rate-of-one-request", ("R09", "R07"), "GEAK integrate_result.json: ref_med, cand_med; any row: median_tpot_ms", ALL, (1.0, 2.0, 3.0),
           "So many figures in tok/s are 1000 / TPOT.", lie(_paces), truth(), verdicts=FLAG),
    Recipe("servers-own-figure", ("R13",), "GEAK integrate_result.json: cand_med; sglang server_info: last_gen_throughput", SGLANG, (2.0, 5.0, 30.0),
           "The candidate's level is what its server says of itself, so many percent above what the client measured.", lie(_servers_word, _self_reported), truth(_self_reported), verdicts=FLAG),
    Recipe("loss-with-its-sign-turned", ("R22", "A14"), "GEAK integrate_result.json: e2e_delta_pct", ALL, (2.0, 5.0, 20.0),
           "A loss of so many percent is written as a gain.", lie(_turned, _slower), truth(_true), critical=True),
    Recipe("difference-as-percent", ("R23",), "GEAK integrate_result.json: e2e_delta_pct", ALL, (5.0, 12.0, 25.0),
           "Of a gain of so many percent, the difference in tok/s is written as percent.", lie(_difference, _with_gain), truth(_with_gain), verdicts=FLAG),
    Recipe("percent-as-speed-up", ("R23",), "GEAK sweep_results.json: throughput_speedup_vs_baseline", FOREIGN, (5.0, 12.0, 25.0),
           "Of a gain of so many percent, the percent are written as a ratio.", lie(_upside_down, _with_gain), truth(_with_gain), verdicts=FLAG),
    Recipe("more-runs-than-rows", ("R14",), "GEAK bench_summary.json: runs, requested_rounds", ALL, (1.0, 2.0, 10.0),
           "The summary counts so many repeats more than there are rows.", lie(_more_runs), truth(), verdicts=FLAG),
    Recipe("repeats-that-no-row-holds", ("R19",), "GEAK bench_summary.json: all_throughput", ALL, (1.0, 2.0, 4.0),
           "So many figures in the list of repeats are no repeat's.", lie(_invented), truth(), verdicts=FLAG),
    Recipe("quieter-than-it-was", ("R02", "M28"), "GEAK bench_summary.json: throughput_tok_s_spread_pct", ALL, (0.5, 0.2, 0.0),
           "The spread of the repeats is written as this share of what it is.", lie(_quieter), truth(), verdicts=FLAG),
)  # fmt: skip

"""Rows against themselves: identities, clocks, copies, and each repeat computed again from its requests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from audit.contract import Source
from audit.intake.model import Damage, Launch, Leg
from audit.intake.store import Store
from audit.policy import Policy

RECOMPUTED = (
    ("requests", "requested", ("R14",)), ("completed", "completed", ("R14",)), ("failed", "failed", ("W10",)),
    ("input tokens", "total_input_tokens", ("W18",)), ("output tokens", "total_output_tokens", ("W18",)),
    ("server's input tokens", "usage_input_tokens", ("W18",)), ("server's output tokens", "usage_output_tokens", ("W18",)),
    ("median TTFT, ms", "median_ttft_ms", ("M17",)), ("median TPOT, ms", "median_tpot_ms", ("M17",)),
    ("median latency, ms", "median_e2e_latency_ms", ("M17",)), ("output tok/s", "output_throughput", ("R21",)),
    ("requests per second", "request_throughput", ("R21",)),
)  # fmt: skip
"""Pairs of columns of recompute.sql after file, line, launch and repeat: words, raw key, taxonomy ids."""


def examine(store: Store, legs: Sequence[Leg], policy: Policy) -> list[Damage]:
    """Every contradiction inside the evidence of these legs."""
    at = _Places(legs)
    found = alone(store, legs, policy)
    tolerance = policy.tolerance
    for file, line, tin, uin, tout, uout in store.ask("usage_mismatch", {"pct": tolerance.usage_pct}):
        what = f"the client counted {tin} tokens in and {tout} out, the server {uin} and {uout}"
        cut = ("W20",) if uin < tin * (1 - tolerance.usage_pct / 100) else ()
        found.append(Damage(at(file, line), what, ("W18", *cut)))
    for file, line, outside, window, duration in store.ask("outside_life", {"clock_s": tolerance.clock_s}):
        words = "the repeat lies outside the life of its server" if outside else "duration and timestamps disagree"
        found.append(Damage(at(file, line), f"{words} (window {window:.3f} s, duration {duration:.3f} s)", ("R19",)))
    for file, line, other, other_line in store.ask("repeats_overlap"):
        found.append(Damage(at(other, other_line), f"overlaps in time with {file}:{line}", ("R19",)))
    for file, line, other, other_line in store.ask("twins"):
        found.append(Damage(at(other, other_line), f"agrees to the last digit with {file}:{line}: a copied row", ("R19", "M24")))
    for record in store.ask("recompute"):
        found += _recomputed(record, tolerance.identity_pct, at(record[0], record[1]))
    found += _scaled(legs, policy)
    for leg in legs:
        for launch in leg.launches:
            found += _repeats(launch)
    return found


def alone(store: Store, legs: Sequence[Leg], policy: Policy) -> list[Damage]:
    """Every contradiction of one row with itself: identities of units, Little's law, its own per-request arrays."""
    at = _Places(legs)
    tolerance = policy.tolerance
    pct = {"pct": tolerance.identity_pct}
    found: list[Damage] = []
    for file, line, product, completed in store.ask("request_identity", pct):
        what = f"request_throughput x duration is {product:.6g} requests, the row says {completed}"
        found.append(Damage(at(file, line), what, ("R21",)))
    for file, line, flying, product in store.ask("little", {"pct": tolerance.little_pct}):
        what = f"{flying:.6g} requests in flight are stated, requests per second x mean latency gives {product:.6g}"
        found.append(Damage(at(file, line), what, ("R19", "R21")))
    for _, file, line, flying, limit, _ in store.ask("in_flight"):
        if flying > limit * (1 + policy.rows.over_limit_pct / 100):
            what = f"{flying:.6g} requests were in flight on average, and the client allows {limit:g} at most"
            found.append(Damage(at(file, line), what, ("R19", "R21")))
    for record in store.ask("recompute_details"):
        found += _again(record, policy, at(record[0], record[1]))
    for file, line, product, tokens, tokens_in in store.ask("identity", pct):
        slip = _slip(product, tokens, tokens_in or 0, policy)
        what = f"output_throughput x duration is {product:.6g} tokens, the row says {tokens}{slip.words}"
        found.append(Damage(at(file, line), what, slip.ids))
    for file, line, metric, product, tokens in store.ask("token_identities", pct):
        what = f"{metric} x duration is {product:.6g} tokens, the row says {tokens}"
        found.append(Damage(at(file, line), what, ("R21", "R06")))
    return found


class _Places:
    """Citations of files that these legs were read from."""

    def __init__(self, legs: Sequence[Leg]) -> None:
        self._shas = {path: digest for leg in legs for launch in leg.launches for path, digest in launch.files.items()}

    def __call__(self, file: str, line: int | None) -> Source:
        return Source(file, self._shas.get(file), line)


class _Slip(NamedTuple):
    """What a broken identity looks like, and the ids of it."""

    words: str
    ids: tuple[str, ...]


def _slip(product: float, tokens: int, tokens_in: int, policy: Policy) -> _Slip:
    """The throughput in another unit than its key says: a total, a share of one device, other seconds. No guess otherwise."""
    near = policy.tolerance.identity_pct / 100

    def is_about(value: float, wanted: float) -> bool:
        return abs(value - wanted) <= near * wanted

    if tokens_in and is_about(product, tokens + tokens_in):
        return _Slip(": that is input and output together", ("R21", "R06", "R09"))
    if product <= 0:
        return _Slip("", ("R21", "R19"))
    factor = max(tokens / product, product / tokens) if tokens else 0.0
    if any(is_about(factor, unit) for unit in policy.rows.unit_factors):
        return _Slip(f": {factor:.4g} times off, a slip of unit", ("R21",))
    devices = round(tokens / product)
    if 2 <= devices <= policy.rows.per_device_max and is_about(tokens / product, devices):
        return _Slip(f": the tokens are {devices} times it, so it reads like a figure per device", ("R21", "R05", "R09"))
    return _Slip("", ("R21", "R09", "R19"))


DETAILED = (
    ("completed requests", ("W10", "W11", "R14")), ("failed requests", ("W10",)), ("input tokens", ("W18",)),
    ("output tokens", ("W18", "W11")), ("median TTFT, ms", ("M17",)), ("median ITL, ms", ("M17",)), ("median TPOT, ms", ("M17",)),
    ("median latency, ms", ("M17",)),
)  # fmt: skip
"""Pairs of columns of recompute_details.sql after file and line."""
ADDED_UP = ("median TPOT, ms", "median latency, ms")
"""Figures that the arrays give only by adding up the gaps between tokens."""


def _again(record: Sequence[Any], policy: Policy, source: Source) -> list[Damage]:
    """What a row says against its own per-request arrays; a figure that either side lacks is not compared."""
    found = []
    for index, (words, ids) in enumerate(DETAILED):
        again, said = record[2 + 2 * index], record[3 + 2 * index]
        pct = policy.rows.arrays_pct if words in ADDED_UP else policy.tolerance.identity_pct
        if again is not None and said is not None and abs(again - said) > pct / 100 * max(abs(again), 1e-9):
            what = f"the row says {said:.6g} {words}, its per-request arrays give {again:.6g}"
            slip = words.endswith(", ms") and unit_slip(said, again, policy)
            found.append(Damage(source, f"{what}: a slip of unit" if slip else what, (*ids, "R21", "R09") if slip else ids))
    return found


def unit_slip(one: float, other: float, policy: Policy) -> bool:
    """True where two figures of one thing differ by a factor between units."""
    if one <= 0 or other <= 0:
        return False
    factor, near = max(one / other, other / one), policy.rows.unit_pct / 100
    return any(abs(factor / unit - 1) <= near for unit in policy.rows.unit_factors)


def _scaled(legs: Sequence[Leg], policy: Policy) -> list[Damage]:
    """Foreign rows whose latencies all have the ratios to their duration that another row's have: one row, stretched.

    Measured rows agree in such a way only when they are the same; equal rows are found as copies.
    """
    seen: dict[tuple[float, ...], tuple[Source, float]] = {}
    found = []
    for leg in legs:
        for launch, row in leg.rows:
            times = sorted((name, value) for name, value in row.metrics.items() if name.endswith("_ms") and value > 0)
            if launch.own or len(times) < policy.rows.copy_figures:
                continue
            key = tuple(float(f"{value / row.duration:.{policy.rows.copy_digits}g}") for _, value in times)
            first, duration = seen.setdefault(key, (row.source, row.duration))
            if duration != row.duration:
                factor = max(duration / row.duration, row.duration / duration)
                words = f"every time in it is one in {first.file}:{first.line} times the same factor ({factor:.6g})"
                what = f"{words}: not a measurement"
                found.append(Damage(row.source, what, ("R19",)))
    return found


def _recomputed(record: Sequence[Any], pct: float, source: Source) -> list[Damage]:
    name = f"repeat {record[3]}"
    if record[4] is None:
        return [Damage(source, f"{name}: requests.jsonl holds none of its requests", ("R14",))]
    found = []
    for index, (words, key, ids) in enumerate(RECOMPUTED):
        again, said = record[4 + 2 * index], record[5 + 2 * index]
        if again is None and said is None:
            continue
        if again is None or said is None or abs(again - said) > pct / 100 * max(abs(again), 1e-9):
            shown = "nothing" if again is None else f"{again:.6g}"
            found.append(Damage(source, f"{name}: {key} is {said}, its requests give {shown} ({words})", ids))
    last, duration, indices, same_prompts = record[-4:]
    if last is not None and last > duration * (1 + pct / 100):
        found.append(Damage(source, f"{name}: lasts {duration:.6g} s, and a request of it ends at {last:.6g} s", ("R19",)))
    if last is not None and last < duration * (1 - pct / 100) and record[8] == 0:
        found.append(Damage(source, f"{name}: lasts {duration:.6g} s, and its last answer came at {last:.6g} s", ("R19",)))
    if indices != record[4]:
        found.append(Damage(source, f"{name}: an index stands twice in requests.jsonl", ("O03",)))
    if not same_prompts:
        found.append(Damage(source, f"{name}: prompts_sha256 is not the digest of the prompts in requests.jsonl", ("O12",)))
    return found


def _repeats(launch: Launch) -> list[Damage]:
    """Own launches: repeats missing, doubled or strange; names and settings that do not belong to this directory."""
    server = launch.server
    if server is None:
        return []
    found: list[Damage] = []
    place = launch.source("bench_runs.jsonl")
    present = [row.repeat for row in launch.rows]
    if server.status == "complete":
        missing = sorted(set(range(server.plan.repeats)) - set(present))
        found += [Damage(place, f"repeat {item} of {server.plan.repeats} is missing", ("M10", "R14")) for item in missing]
    if present != sorted(set(present)) or any(repeat >= server.plan.repeats for repeat in present):
        found.append(Damage(place, f"repeat indices are {present}, planned were 0 to {server.plan.repeats - 1}", ("O03",)))
        stray = sorted({request.repeat for request in launch.requests} - set(present))
        where = launch.source("requests.jsonl")
        found += [Damage(where, f"requests of repeat {item}, which has no row", ("M10",)) for item in stray]
    names = {server.launch_id: launch.source("server.json")} | {
        row.ours.launch_id: row.source for row in launch.rows if row.ours is not None
    }
    for name, source in sorted(names.items()):
        if launch.id not in (".", name) and not name.endswith(f"/{launch.id}"):
            found.append(Damage(source, f"was measured as {name!r}, not here", ("R18",)))
    for row in launch.rows:
        if row.config is None or json.loads(row.config) != server.effective:
            found.append(Damage(row.source, "server_info is not what server.json says was in force", ("O12",)))
    return found

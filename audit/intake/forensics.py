"""Rows against themselves: identities, clocks, copies, and each repeat computed again from its requests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

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
    shas = {path: digest for leg in legs for launch in leg.launches for path, digest in launch.files.items()}

    def at(file: str, line: int | None) -> Source:
        return Source(file, shas.get(file), line)

    found: list[Damage] = []
    tolerance = policy.tolerance
    for file, line, product, completed in store.ask("request_identity", {"pct": tolerance.identity_pct}):
        what = f"request_throughput x duration is {product:.6g} requests, the row says {completed}"
        found.append(Damage(at(file, line), what, ("R21",)))
    for file, line, flying, product in store.ask("little", {"pct": tolerance.little_pct}):
        what = f"{flying:.6g} requests in flight are stated, requests per second x mean latency gives {product:.6g}"
        found.append(Damage(at(file, line), what, ("R19", "R21")))
    for record in store.ask("recompute_details"):
        found += _again(record, tolerance.identity_pct, at(record[0], record[1]))
    for file, line, product, tokens in store.ask("identity", {"pct": tolerance.identity_pct}):
        what = f"output_throughput x duration is {product:.6g} tokens, the row says {tokens}"
        found.append(Damage(at(file, line), what, ("R21",)))
    for file, line, tin, uin, tout, uout in store.ask("usage_mismatch", {"pct": tolerance.usage_pct}):
        what = f"the client counted {tin} tokens in and {tout} out, the server {uin} and {uout}"
        found.append(Damage(at(file, line), what, ("W18",)))
    for file, line, outside, window, duration in store.ask("outside_life", {"clock_s": tolerance.clock_s}):
        words = "the repeat lies outside the life of its server" if outside else "duration and timestamps disagree"
        found.append(Damage(at(file, line), f"{words} (window {window:.3f} s, duration {duration:.3f} s)", ("R19",)))
    for file, line, other, other_line in store.ask("repeats_overlap"):
        found.append(Damage(at(other, other_line), f"overlaps in time with {file}:{line}", ("R19",)))
    for file, line, other, other_line in store.ask("twins"):
        found.append(Damage(at(other, other_line), f"agrees to the last digit with {file}:{line}: a copied row", ("R19",)))
    for record in store.ask("recompute"):
        found += _recomputed(record, tolerance.identity_pct, at(record[0], record[1]))
    for leg in legs:
        for launch in leg.launches:
            found += _repeats(launch)
    return found


DETAILED = (
    ("completed requests", ("W10", "W11")), ("input tokens", ("W18",)), ("output tokens", ("W18", "W11")),
    ("median TTFT, ms", ("M17",)), ("median TPOT, ms", ("M17",)),
)  # fmt: skip
"""Pairs of columns of recompute_details.sql after file and line."""


def _again(record: Sequence[Any], pct: float, source: Source) -> list[Damage]:
    """What a row says against its own per-request arrays; a figure that either side lacks is not compared."""
    found = []
    for index, (words, ids) in enumerate(DETAILED):
        again, said = record[2 + 2 * index], record[3 + 2 * index]
        if again is not None and said is not None and abs(again - said) > pct / 100 * max(abs(again), 1e-9):
            found.append(Damage(source, f"the row says {said:.6g} {words}, its per-request arrays give {again:.6g}", ids))
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

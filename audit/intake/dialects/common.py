"""What every dialect needs: strict numbers, and what a row says that cannot be so."""

from __future__ import annotations

import json
from typing import Any

from audit.contract import Scalar
from audit.errors import DamageError
from audit.intake.model import Detail
from audit.policy import Policy

Json = dict[str, Any]
ARRAYS = ("input_lens", "output_lens", "ttfts", "itls", "errors", "generated_texts", "cached_tokens")
MEANS = ("mean_ttft_ms", "mean_tpot_ms", "mean_itl_ms")
MEAN_E2E = ("mean_e2e_latency_ms", "mean_e2el_ms")


def number(record: Json, key: str) -> float | None:
    """A finite number >= 0, or None where the key is absent or null. Raises DamageError naming the key."""
    value = record.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DamageError(f"{key!r} is {json.dumps(value)[:40]}, not a number", ids=("R09",))
    if value < 0:
        raise DamageError(f"{key!r} is {value}, which is impossible", ids=("R19",))
    return float(value)


def count(record: Json, key: str) -> int | None:
    """A whole number >= 0, or None where absent. Raises DamageError naming the key."""
    value = number(record, key)
    if value is None:
        return None
    if value != int(value):
        raise DamageError(f"{key!r} is {value}, not a whole number", ids=("R19",))
    return int(value)


def numbers(record: Json, counts: tuple[str, ...], others: tuple[str, ...]) -> None:
    """Raise DamageError on a measurement that is no number: these keys, every latency and every throughput."""
    for key in counts:
        count(record, key)
    for key in (*others, *(key for key in record if key.endswith(("_ms", "_throughput")))):
        number(record, key)


def scalar(value: Any) -> Scalar:  # noqa: ANN401 - any JSON value
    """A value as the load's key holds it: what is no scalar becomes its JSON text."""
    return value if isinstance(value, str | int | float | bool | None) else json.dumps(value, sort_keys=True)


def rate(record: Json, words: tuple[str, ...]) -> None:
    """Raise DamageError on a request rate that is none: a number, or one of the client's ``words`` for it."""
    given = record.get("request_rate")
    if isinstance(given, str):
        if given not in words:
            raise DamageError(f"'request_rate' is {json.dumps(given)[:40]}, not a rate", ids=("R09",))
    else:
        number(record, "request_rate")


def measured(record: Json, completed: int | None) -> tuple[float, int]:
    """Duration and completed requests of a row that is a measurement. Raises DamageError on one that is none."""
    duration = number(record, "duration")
    if duration is None or completed is None:
        raise DamageError(f"no {'duration' if duration is None else 'completed'!r}", ids=("R01",))
    if completed == 0:
        raise DamageError("no request completed: this is no measurement", ids=("R12",))
    if duration == 0:
        raise DamageError("'duration' is 0", ids=("M24",))
    return duration, completed


def plausible(metrics: dict[str, float], duration: float, ratio: float) -> None:
    """Raise DamageError where latencies cannot be milliseconds of this run (a slip of unit), or contradict each other."""
    window = 1000 * duration
    for name in ("ttft_ms", "tpot_ms", "itl_ms", "e2e_latency_ms"):
        if metrics.get(name, 0.0) > window * 1.001:
            raise DamageError(f"median {name} is {metrics[name]:g}, longer than the whole run of {window:g} ms", ids=("R21",))
    e2e = metrics.get("e2e_latency_ms")
    for name in ("ttft_ms", "tpot_ms"):
        if e2e and metrics.get(name, 0.0) > e2e * 1.001:
            raise DamageError(f"median {name} is {metrics[name]:g}, above the median latency of {e2e:g} ms", ids=("R21",))
    tpot, itl = metrics.get("tpot_ms"), metrics.get("itl_ms")
    if tpot and itl and itl > ratio * tpot:
        raise DamageError(f"median TPOT of {tpot:g} ms and ITL of {itl:g} ms cannot be of one unit", ids=("R21",))


def means(record: Json, completed: int, tokens_out: int | None, policy: Policy) -> None:
    """Raise DamageError where mean latency, TTFT, TPOT and ITL of one row cannot belong together.

    A mean over requests and one over tokens are not the same, so TPOT is held to a factor only: a slip of unit, not a difference.
    A median ITL may be next to nothing where chunks arrive together; their mean may not.
    """
    e2e = next((number(record, key) for key in MEAN_E2E if record.get(key) is not None), None)
    ttft, tpot, itl = (number(record, key) for key in MEANS)
    if tpot and itl and tpot > policy.tolerance.unit_ratio * itl:
        raise DamageError(f"mean TPOT of {tpot:g} ms and ITL of {itl:g} ms cannot be of one unit", ids=("R21",))
    if not e2e or ttft is None:
        return
    if ttft > e2e * (1 + policy.tolerance.identity_pct / 100):
        raise DamageError(f"mean TTFT is {ttft:g}, above the mean latency of {e2e:g} ms", ids=("R21", "R19"))
    further = 0.0 if tokens_out is None else tokens_out / completed - 1
    if not tpot or further <= 1:
        return
    implied, factor = (e2e - ttft) / further, policy.rows.latency_ratio
    if implied > factor * tpot or tpot > factor * implied:
        words = f"mean TPOT is {tpot:g} ms, mean latency and mean TTFT leave {implied:g} ms for each further token"
        raise DamageError(words, ids=("R21",))


def details(record: Json) -> tuple[Detail, ...]:
    """Per-request arrays, where the client kept them. Raises DamageError on arrays that do not fit each other."""
    found = {key: record[key] for key in ARRAYS if isinstance(record.get(key), list)}
    strange = [key for key in ARRAYS if key not in found and record.get(key) is not None]
    if strange:
        raise DamageError(f"{strange[0]!r} is not a list", ids=("R09",))
    if "output_lens" not in found:
        return ()
    sizes = {key: len(value) for key, value in found.items()}
    if len(set(sizes.values())) > 1:
        raise DamageError(f"per-request arrays of unequal length: {json.dumps(sizes)}", ids=("R14",))
    return tuple(_detail(found, index) for index in range(len(found["output_lens"])))


def _detail(found: Json, index: int) -> Detail:
    one = {key: values[index] for key, values in found.items()}
    error, text, gaps = one.get("errors"), one.get("generated_texts"), one.get("itls")
    if error is not None and not isinstance(error, str):
        raise DamageError(f"'errors' of request {index} holds {json.dumps(error)[:40]}, not a text", ids=("R09",))
    try:
        tokens_in, tokens_out, ttft = count(one, "input_lens"), count(one, "output_lens") or 0, number(one, "ttfts")
    except DamageError as damage:
        raise DamageError(f"request {index}: {damage.what}", ids=damage.ids) from damage
    if gaps is not None and not (isinstance(gaps, list) and _times(gaps)):
        raise DamageError(f"'itls' of request {index} holds what is no time", ids=("R09",))
    return Detail(
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        ttft_ms=None if ttft is None else 1000 * ttft,
        e2e_ms=None if gaps is None or ttft is None else 1000 * (ttft + sum(gaps)),
        failed=tokens_out == 0 if error is None else bool(error),
        text=text if isinstance(text, str) else None,
        gaps_ms=None if gaps is None else tuple([1000.0 * gap for gap in gaps]),
    )


def _times(values: list[Any]) -> bool:
    return not values or (set(map(type, values)) <= {int, float} and min(values) >= 0)


def asked(record: Json, found: tuple[Detail, ...]) -> int | None:
    """Requests that the arrays have a slot for; None without arrays."""
    errors = record.get("errors")
    return len(found) or (len(errors) if isinstance(errors, list) else None) or None


def served(record: Json, tokens_in: int | None, policy: Policy) -> None:
    """Raise DamageError where the server's own count of prompt tokens is below what the client sent: it cut prompts.

    A server counts its template's tokens too, so a larger count says nothing.
    """
    report = record.get("cache_report")
    total = number(report, "total_prompt_tokens") if isinstance(report, dict) else None
    if total is not None and tokens_in and total < tokens_in * (1 - policy.tolerance.usage_pct / 100):
        words = f"the client sent {tokens_in} prompt tokens, the server's cache report counts {total:g}: prompts were cut"
        raise DamageError(words, ids=("W20", "W18"))


def share(record: Json, tokens_in: int | None) -> float | None:
    """Share of prompt tokens that came from the prefix cache, percent: SGLang's report, or its per-request counts."""
    report = record.get("cache_report")
    if isinstance(report, dict):
        total, cached = number(report, "total_prompt_tokens"), number(report, "total_cached_tokens")
        return 100 * cached / total if total and cached is not None else number(report, "cache_hit_rate_pct")
    each = record.get("cached_tokens")
    if not isinstance(each, list) or not tokens_in:
        return None
    return 100 * sum(count({"cached_tokens": value}, "cached_tokens") or 0 for value in each) / tokens_in

"""What every dialect needs: strict numbers, and one row from a record whose keys a dialect has named."""

from __future__ import annotations

import json
from typing import Any

from audit.contract import Scalar, Source
from audit.errors import DamageError
from audit.intake.model import Detail, Ours, Row

Json = dict[str, Any]


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


def scalar(value: Any) -> Scalar:  # noqa: ANN401 - any JSON value
    """A value as the load's key holds it: what is no scalar becomes its JSON text."""
    return value if isinstance(value, str | int | float | bool | None) else json.dumps(value, sort_keys=True)


def rate(record: Json) -> None:
    """Raise DamageError on a request rate that is none: a number, or the word for a closed loop or a trace."""
    given = record.get("request_rate")
    if isinstance(given, bool) or (isinstance(given, str) and given not in ("inf", "trace")):
        raise DamageError(f"'request_rate' is {json.dumps(given)[:40]}, not a rate", ids=("R09",))


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
    if tpot and itl and (tpot > ratio * itl or itl > ratio * tpot):
        raise DamageError(f"median TPOT of {tpot:g} ms and ITL of {itl:g} ms cannot be of one unit", ids=("R21",))


ARRAYS = ("input_lens", "output_lens", "ttfts", "itls", "errors", "generated_texts")


def details(record: Json) -> tuple[Detail, ...]:
    """Per-request arrays, where the client kept them. Raises DamageError on arrays that do not fit each other."""
    found = {key: record[key] for key in ARRAYS if isinstance(record.get(key), list)}
    if "output_lens" not in found:
        return ()
    sizes = {key: len(value) for key, value in found.items()}
    if len(set(sizes.values())) > 1:
        raise DamageError(f"per-request arrays of unequal length: {json.dumps(sizes)}", ids=("R14",))
    return tuple(_detail(found, index) for index in range(len(found["output_lens"])))


def _detail(found: Json, index: int) -> Detail:
    def at(key: str) -> Any:  # noqa: ANN401 - any JSON value
        return found[key][index] if key in found else None

    one = {"input_lens": at("input_lens"), "output_lens": at("output_lens"), "ttfts": at("ttfts")}
    tokens_out = count(one, "output_lens") or 0
    error = at("errors")
    failed = bool(error) if error is not None else tokens_out == 0
    ttft, gaps = number(one, "ttfts"), at("itls")
    e2e = None
    if isinstance(gaps, list) and ttft is not None:
        if any(isinstance(gap, bool) or not isinstance(gap, int | float) or gap < 0 for gap in gaps):
            raise DamageError(f"'itls' of request {index} holds what is no time", ids=("R09",))
        e2e = 1000 * (ttft + sum(gaps))
    text = at("generated_texts")
    return Detail(
        tokens_in=count(one, "input_lens"),
        tokens_out=tokens_out,
        ttft_ms=None if ttft is None else 1000 * ttft,
        e2e_ms=e2e,
        failed=failed,
        text=text if isinstance(text, str) else None,
    )


def ours_of(row: Ours | None) -> dict[str, Any]:
    """Fields of a row that only our stopwatch knows."""
    if row is None:
        return {}
    return {"requested": row.requested, "failed": row.failed, "start_unix": row.start_unix, "end_unix": row.end_unix}


__all__ = ["Row", "Source", "count", "details", "measured", "number", "ours_of", "plausible", "rate", "scalar"]

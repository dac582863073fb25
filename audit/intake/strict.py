"""Strict JSON: one value, every byte of it accounted for. What DuckDB and json.loads let pass in silence is damage here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from audit.errors import DamageError
from audit.policy import Limits

BOM = b"\xef\xbb\xbf"
INFINITE_KEY = "request_rate"
"""The one key that may be infinite (closed loop): bare ``Infinity`` or the text ``inf``."""
INFINITE = "inf"
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STEP = {byte: 1 if byte in b"[{" else -1 for byte in b"[]{}"}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

CUT_OFF = "cut off: the value does not end"
"""Of a line or a file that was written in part."""


_ENDLESS = float("inf")
NOT_SURE = object()


_KINDS = bytes(48 if 48 <= byte <= 57 else byte if byte == 46 else 32 for byte in range(256))
"""Digits as 0, points as they are, all else blank."""
_KEY = re.compile(rb'"[ \t\r\n]*:')
_QUOTED_KEY = re.compile(rb'\\"[ \t\r\n]*:')
"""The same inside of a text, where no backslash stands before it."""
_OPEN_RATE = re.compile(rb'([{,][ \t\r\n]*"request_rate"[ \t\r\n]*:[ \t\r\n]*)Infinity')


class Line(NamedTuple):
    """One non-blank line: its 1-based number, and its value or what is wrong with it."""

    number: int
    value: Any
    damage: str | None


def loads(data: bytes, limits: Limits) -> Any:  # noqa: ANN401 - any JSON value
    """One JSON value. Raises DamageError on anything RFC 8259 or the identity of the value leaves open.

    Refused: bytes that are not UTF-8, duplicate keys, NaN, Infinity (outside ``request_rate``), numbers that
    overflow, integers beyond ``int_digits``, nesting beyond ``depth``, half surrogates, anything after the value.
    ``Infinity`` under ``request_rate`` comes back as the text ``inf``.
    """
    if len(data) > limits.line_bytes:
        raise DamageError(f"longer than {limits.line_bytes} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamageError(f"not UTF-8 (byte {error.start})") from error
    if text.count("[") + text.count("{") > limits.depth:
        _check_depth(data, limits.depth)
    value = _quick(data, limits)
    if value is NOT_SURE:
        value = _parse(text, limits)
    if _SURROGATE.search(text):
        _check_text(value)
    return value


def _quick(data: bytes, limits: Limits) -> Any:  # noqa: ANN401 - any JSON value, or NOT_SURE
    """The value by a parser ten times as fast, where it is known that no rule of ours is broken; NOT_SURE otherwise.

    Every key ends in a quote and a colon. Where those are no more than the keys that came out, none stood twice.
    """
    if b"Infinity" in data:
        data = _OPEN_RATE.sub(rb'\1"inf"', data)
    if b'\\\\"' in data or _long_integer(data, limits.int_digits):
        return NOT_SURE
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return NOT_SURE
    return value if len(_KEY.findall(data)) - len(_QUOTED_KEY.findall(data)) == _keys(value) else NOT_SURE


def _long_integer(data: bytes, int_digits: int) -> bool:
    """True where an integer may have more digits: a long row of them that does not follow a point."""
    long, shape = b"0" * (int_digits + 1), data.translate(_KINDS)
    return long in shape and re.search(rb"(?:^|[^0.])" + long, shape) is not None


def _keys(value: Any) -> int:  # noqa: ANN401 - any JSON value
    """Keys of an object and of the objects right in it. Those in lists are left out: then fewer come out than stand there."""
    if not isinstance(value, dict):
        return 0
    inner = [_keys(item) for item in value.values() if type(item) is dict]
    return len(value) + sum(inner)


def _parse(text: str, limits: Limits) -> Any:  # noqa: ANN401 - any JSON value
    infinities: list[float] = []
    settled: list[float] = []

    def constant(name: str) -> float:
        if name != "Infinity":
            raise DamageError(f"{name} is not a number")
        infinities.append(_ENDLESS)
        return _ENDLESS

    def integer(digits: str) -> int:
        if len(digits.lstrip("-")) > limits.int_digits:
            raise DamageError(f"an integer of {len(digits)} digits")
        return int(digits)

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = _no_duplicates(items)
        if len(infinities) > len(settled) and found.get(INFINITE_KEY) is _ENDLESS:
            settled.append(_ENDLESS)
            found[INFINITE_KEY] = INFINITE
        return found

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=_finite, parse_int=integer)
    except json.JSONDecodeError as error:
        raise DamageError(_words(error, text)) from error
    except RecursionError as error:
        raise DamageError(f"nested deeper than {limits.depth}") from error
    return _settle_infinity(value, None) if len(infinities) > len(settled) else value


def lines(data: bytes, limits: Limits) -> Iterator[Line]:
    """Every line of a JSON-lines file. CRLF, a byte-order mark at the start and blank lines are no damage."""
    body = data[len(BOM) :] if data.startswith(BOM) else data
    for number, raw in enumerate(body.split(b"\n"), start=1):
        line = raw.strip(b" \t\r")
        if not line:
            continue
        try:
            yield Line(number, loads(line, limits), None)
        except DamageError as error:
            yield Line(number, None, error.what)


def document(data: bytes, limits: Limits) -> Any:  # noqa: ANN401 - any JSON value
    """A file that holds one JSON value. Raises DamageError."""
    return loads((data[len(BOM) :] if data.startswith(BOM) else data).strip(b" \t\r\n"), limits)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [key for key, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DamageError(f"key {twice!r} stands twice")
    return found


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise DamageError(f"number {digits[:24]!r} is beyond a double")
    return value


def _settle_infinity(value: Any, key: str | None) -> Any:  # noqa: ANN401 - any JSON value
    if value == float("inf") and isinstance(value, float):
        if key != INFINITE_KEY:
            raise DamageError(f"Infinity under {key!r} is not a number")
        return INFINITE
    if isinstance(value, dict):
        return {name: _settle_infinity(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_settle_infinity(item, f"{key}[]") for item in value]
    return value


def _check_depth(data: bytes, limit: int) -> None:
    """Raise DamageError when containers stand in each other more than ``limit`` deep. Brackets in texts do not count."""
    brackets = _TEXT.sub(b"", data).translate(None, _NO_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > limit:
        raise DamageError(f"nested deeper than {limit}")


def _check_text(value: Any) -> None:  # noqa: ANN401 - any JSON value
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            stack += item
        elif isinstance(item, str):
            try:
                item.encode()
            except UnicodeEncodeError as error:
                raise DamageError("half a surrogate pair in a text") from error


def _words(error: json.JSONDecodeError, text: str) -> str:
    if error.msg == "Extra data":
        return f"something after the end of the value (column {error.colno})"
    rest = text[error.pos :].strip()
    begun = any(word.startswith(rest) for word in ("true", "false", "null", "NaN", "-Infinity", "Infinity"))
    if (
        not rest
        or begun
        or re.fullmatch(r"[-+.eE0-9]+", rest)
        or "Unterminated" in error.msg
        or ("escape" in error.msg and len(rest) < 6)
    ):
        return CUT_OFF
    return f"not JSON: {error.msg} (column {error.colno})"

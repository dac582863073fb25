"""The strict parser: what it refuses, what it lets pass, and that no bytes make it crash."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import DamageError
from audit.intake import strict
from audit.policy import load

LIMITS = load().policy.limits
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b'{"a": 1', "cut off"),
        (b'{"a": "x', "cut off"),
        (b'{"a": 1} 2', "after the end"),
        (b'{"a": 1}{"a": 2}', "after the end"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b'{"b": {"a": 1, "a": 1}}', "stands twice"),
        (b'{"b": [{"a": 1, "a": 1}]}', "stands twice"),
        (b'{"a": 1, "a" \t: 2}', "stands twice"),
        (b'{"a": 1, "a": 2, "b\\\\": 3}', "stands twice"),
        (b'{"a": 1, "a": 2, "b": "\\": 3"}', "stands twice"),
        (b'{"x\\"request_rate": Infinity}', "Infinity under"),
        (b'{"a": [1234567890123456789]}', "an integer of 19 digits"),
        (b'{"a": [0.5, 10000000000000000000]}', "an integer of 20 digits"),
        (b"1234567890123456789", "an integer of 19 digits"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": Infinity}', "Infinity under 'a'"),
        (b'{"request_rate": [Infinity]}', "Infinity"),
        (b'{"a": 1e999}', "beyond a double"),
        (b'{"a": ' + b"9" * 5000 + b"}", "an integer of 5000 digits"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\\ud800"}', "half a surrogate"),
        (b"[" * 100000, "nested deeper"),
        (b"{'a': 1}", "not JSON"),
    ],
)
def test_damage_is_named(text: bytes, says: str) -> None:
    """Each kind of damage is refused in words."""
    with pytest.raises(DamageError, match=says):
        strict.loads(text, LIMITS)


def test_what_is_no_damage() -> None:
    """BOM, CRLF, blank lines, and an infinite request rate."""
    data = b'\xef\xbb\xbf{"request_rate": Infinity}\r\n\r\n  \n{"request_rate": "inf"}'
    assert [(line.number, line.value, line.damage) for line in strict.lines(data, LIMITS)] == [
        (1, {"request_rate": "inf"}, None),
        (4, {"request_rate": "inf"}, None),
    ]


def test_the_quick_parser_is_quick_on_what_clients_write() -> None:
    """Rows and requests of real clients do not need the slow one; both find the same in them."""
    for line in (
        b'{"request_rate": Infinity, "server_info": {"a": [1, 2]}, "itls": [[0.0051234567890123456, 1e-05], []]}',
        b'{"answer": "{\\"name\\": \\"set\\", \\"room\\" : 1}", "sha": "3db69abee8698793999d640e8c9186719fe05c7d"}',
    ):
        quick = strict._quick(line, LIMITS)
        assert quick is not strict.NOT_SURE
        assert quick == strict._parse(line.decode(), LIMITS)


PIECE = st.sampled_from(
    [b"{", b"}", b'"a"', b'"a":', b'"a" :', b'"b\\":', b'\\"', b'"', b":", b",", b"1", b"0." + b"0" * 20, b"9" * 19,
     b"[", b"]", b" ", b"Infinity", b'"request_rate":', b"-", b"1e999", b"\\", b"NaN", b'{"a":1,"a":2}', b'"x": {"a": 3}']
)  # fmt: skip


@given(st.lists(PIECE, max_size=14).map(b"".join))
def test_both_parsers_agree(data: bytes) -> None:
    """Where the quick one is sure, the slow one says the same; on what is damage it is never sure."""
    quick = strict._quick(data, LIMITS)
    if quick is not strict.NOT_SURE:
        assert repr(strict._parse(data.decode(), LIMITS)) == repr(quick)


@given(JSON)
def test_round_trip(value: object) -> None:
    """What is valid JSON comes back as it was."""
    try:
        data = json.dumps(value).encode()
    except UnicodeEncodeError:
        return
    try:
        assert strict.loads(data, LIMITS) == value
    except DamageError as error:
        assert "surrogate" in error.what


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(data: bytes) -> None:
    """Any bytes give lines that are values or damage; every non-blank line is accounted for."""
    found = list(strict.lines(data, LIMITS))
    body = data.removeprefix(strict.BOM)
    assert len(found) == sum(bool(line.strip(b" \t\r")) for line in body.split(b"\n"))
    assert all((line.damage is None) or line.value is None for line in found)


@given(JSON, st.integers(0, 300), st.binary(min_size=1, max_size=3))
def test_a_mutation_is_damage_or_plain_json(value: object, at: int, inserted: bytes) -> None:
    """After any insertion the parser refuses, or agrees with the standard parser on finite numbers."""
    data = json.dumps({"v": value}).encode()
    place = at % (len(data) + 1)
    changed = data[:place] + inserted + data[place:]
    try:
        found = strict.loads(changed, LIMITS)
    except DamageError:
        return
    plain = json.loads(changed)
    assert found == plain or any(math.isinf(item) for item in _floats(plain))


def _floats(value: object) -> list[float]:
    if isinstance(value, dict):
        return [item for inner in value.values() for item in _floats(inner)]
    if isinstance(value, list):
        return [item for inner in value for item in _floats(inner)]
    return [value] if isinstance(value, float) else []

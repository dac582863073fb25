"""The plain rule: gain above the declared band, ranges disjoint, nothing else."""

from __future__ import annotations

import pytest

from workflow.figures import LegFigures, plain_rule


def leg(*values: float, failed: int = 0) -> LegFigures:
    return LegFigures(values, values, len(values), failed)


@pytest.mark.parametrize(
    ("ref", "cand", "bank", "refuted", "said"),
    [
        (leg(100, 101), leg(120, 121), True, False, "ranges disjoint"),
        (leg(100, 101), leg(104, 105), False, False, "not above the declared band"),
        (leg(100, 130), leg(125, 140), False, False, "overlap"),
        (leg(100, 101), leg(90, 91), False, False, "not above"),
        (leg(100, 101), leg(200), False, False, "too few"),
        (leg(100), leg(200, 201), False, False, "too few"),
        (leg(), leg(), False, False, "too few"),
        (leg(0, 0), leg(1, 1), False, False, "too few"),
        (leg(100, 101), leg(200, 201, failed=1), False, True, "server failed"),
    ],
)
def test_plain_rule(ref: LegFigures, cand: LegFigures, bank: bool, refuted: bool, said: str) -> None:
    """It never infers; only a dead server refutes."""
    result = plain_rule(ref, cand, 5.0)
    assert (result.bank, result.refuted) == (bank, refuted) and said in result.reason


def test_touching_ranges_are_not_disjoint() -> None:
    """Equal ends overlap."""
    assert not plain_rule(leg(100, 120), leg(120, 140), 5.0).bank

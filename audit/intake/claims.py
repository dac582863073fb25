"""Claim files: what producers say. Read for one purpose only, to be compared with the raw rows (gate 6)."""

from __future__ import annotations

from dataclasses import dataclass

from audit.contract import Scalar, Source
from audit.intake.places import Places
from audit.policy import Policy


@dataclass(frozen=True, slots=True)
class Claim:
    """One assertion of one claim file."""

    source: Source
    field: str
    """Dotted path inside the file, e.g. ``trials[2].delta_pct``."""
    value: Scalar
    subject: str
    """What is asserted, in the auditor's words (see ``SUBJECTS``)."""


@dataclass(frozen=True, slots=True)
class Claims:
    """All claims about one request, and claim files that could not be read (file, why)."""

    items: tuple[Claim, ...] = ()
    unreadable: tuple[tuple[Source, str], ...] = ()


def read(places: Places, policy: Policy) -> Claims:
    """Claims of every known claim file that belongs to the request."""
    return Claims()

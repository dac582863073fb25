"""The report of a proof: what was tried, what was missed, what it means. ``write`` turns the object of report.json into files.

A campaign's report is of the same family: it draws with ``svg``, words with ``words`` and dresses with ``STYLE_SHEET``.
"""

from pathlib import Path

from proof.report import svg, words
from proof.report.build import write
from proof.report.shape import IncompleteProofError

STYLE_SHEET = Path(__file__).with_name("style.css")
"""The style of both reports; beside it lie the templates' shared parts."""

__all__ = ["STYLE_SHEET", "IncompleteProofError", "svg", "words", "write"]

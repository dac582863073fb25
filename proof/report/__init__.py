"""The report of a proof: what was tried, what was missed, what it means. ``write`` turns the object of report.json into files."""

from proof.report.build import write
from proof.report.shape import IncompleteProofError

__all__ = ["IncompleteProofError", "write"]

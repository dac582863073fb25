"""What a machine has for campaigns and what it lacks, each with its cure. Standard library only: the rest may be missing."""

from workflow.doctoring.check import Check, State
from workflow.doctoring.examine import examine

__all__ = ["Check", "State", "examine"]

"""Running overlays outside of a server, in the sandbox: building their sources, benchmarking them by themselves."""

from workflow.harness.build import SOURCE, build, compiler
from workflow.harness.isolated import RECORD, Isolated, measure

__all__ = ["RECORD", "SOURCE", "Isolated", "build", "compiler", "measure"]

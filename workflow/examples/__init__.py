"""Run directories that are ready to be audited: what there is, what an audit says of each, and how to get a copy.

The runs are those of ``raw_runs/``: ``shipped/`` holds links to them in a source tree and the files themselves in an installed
wheel. Standard library only, so that the shell can complete their names.
"""

from workflow.examples.catalogue import EXAMPLES, SHIPPED, Example, Expected, example
from workflow.examples.copying import Size, copy, size

__all__ = ["EXAMPLES", "SHIPPED", "Example", "Expected", "Size", "copy", "example", "size"]

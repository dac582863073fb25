"""Audits every planted lie and writes what came of it into ``audit/taxonomy.json`` and ``docs/covered.md``.

python -m tests.unit.audit.planted
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.unit.audit import covered


def main() -> int:
    """Rewrite both pages; 1 when a planted lie is not caught."""
    with tempfile.TemporaryDirectory() as place:
        seen, missed = covered.observe(Path(place))
    for words in missed:
        sys.stderr.write(f"not caught: {words}\n")
    lies = covered.merged(seen)
    covered.write(lies, seen)
    sys.stderr.write(f"{sum(lie.covered for lie in lies)} of {len(lies)} ids are covered\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

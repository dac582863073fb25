"""``python -m workflow`` is ``countersign``."""

from __future__ import annotations

import sys

from workflow.cli import main

sys.exit(main())

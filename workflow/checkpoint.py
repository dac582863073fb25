"""Checkpoints in runs/<id>/.state/checkpoint.sqlite: read strictly, so that a doctored file executes nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"  # read once, when langgraph is imported
os.environ["LANGSMITH_TRACING"] = "false"  # a campaign tells nobody; langgraph would look at these
os.environ["LANGCHAIN_TRACING_V2"] = "false"

from langgraph.checkpoint.serde import _msgpack
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver

from workflow.errors import EvidenceError, InstallError

FILE = "checkpoint.sqlite"
HINT = "No evidence is in it: move .state/checkpoint.sqlite away and resume; the ledger knows what was measured and decided."


@contextmanager
def open_checkpoints(state_dir: Path) -> Iterator[SqliteSaver]:
    """The campaign's checkpoint store, closed at the end.

    Raises InstallError when langgraph was imported before this module without its strict mode, EvidenceError when the
    file is no database.
    """
    if not _msgpack.STRICT_MSGPACK_ENABLED:
        raise InstallError("langgraph was imported without LANGGRAPH_STRICT_MSGPACK", "Start `countersign` in its own process.")
    path = state_dir / FILE
    with closing(sqlite3.connect(path, check_same_thread=False)) as connection:
        saver = SqliteSaver(connection, serde=JsonPlusSerializer(pickle_fallback=False))
        try:
            connection.execute("PRAGMA synchronous=FULL")
            saver.setup()
        except sqlite3.DatabaseError as error:
            raise EvidenceError(f"{path}: not a checkpoint database ({error})", HINT) from error
        yield saver

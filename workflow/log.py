"""The campaign's own log: JSON lines in log.jsonl, joined to ledger, verdicts, calls and evidence by the ids in them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from structlog.typing import FilteringBoundLogger

    from workflow.ledger import Entry

FILE = "log.jsonl"


@contextmanager
def open_log(run_dir: Path, campaign_id: str, clock: Callable[[], float]) -> Iterator[FilteringBoundLogger]:
    """A logger that appends to the run's log.jsonl, one flushed line an event; configures nothing globally."""

    def stamp(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401 - structlog's own type
        now = clock()
        event["at_unix"] = now
        event["at"] = datetime.datetime.fromtimestamp(now, datetime.UTC).isoformat(timespec="milliseconds")
        return event

    with (run_dir / FILE).open("a", encoding="utf-8") as handle:
        logger: FilteringBoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(handle),
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.format_exc_info,
                stamp,
                structlog.processors.JSONRenderer(sort_keys=True, default=str),
            ],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
            campaign=campaign_id,
        )
        yield logger


def within(node: str, after_seq: int) -> AbstractContextManager[object]:
    """Everything logged inside names the node and the ledger's last line before it: one execution of one node."""
    return structlog.contextvars.bound_contextvars(node=node, after_seq=after_seq)


def log_line(log: FilteringBoundLogger, line: Entry) -> None:
    """A line of the ledger was written."""
    log.info("ledger", seq=line.seq, kind=line.kind, key=line.key, digest=line.digest)

"""Evidence in DuckDB: in memory, one thread, filled through bound lists, asked by named SQL files.

A process that audits many runs keeps its database between them, emptied: no record of one audit is seen by another.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import TracebackType
from typing import Any, NamedTuple

import duckdb
import msgspec

from audit import evidence as ev
from audit import sql
from audit.intake import settings
from audit.intake.model import Launch, Leg, Row
from audit.intake.rows import ALL_METRICS
from audit.policy import Policy

BETTER = {item.name: item.better for item in ALL_METRICS}
Record = tuple[Any, ...]
NEEDS = {
    "stop_reasons": "requests", "token_shape": "requests", "answers": "requests", "answer_pairs": "requests",
    "recompute_details": "details", "lives_overlap": "launches", "outside_life": "launches", "config_within": "config.apart",
    "config_between": "config", "contention": "rows.usage_in", "repeats_overlap": "rows.start_unix",
    "recompute": "rows.usage_in", "usage_mismatch": "rows.usage_in", "prompt_pairs": "rows.pair", "little": "rows.in_flight",
    "distinct_prompts": "requests", "in_flight": "rows.in_flight_limit", "recounted": "rows.recounted",
}  # fmt: skip
"""Question -> the table, or the column of it, without which its answer is empty: then it need not be asked.

``config.apart``: within a leg a key has two values, or a record of it lacks the key.
"""
MARKS = sorted({place.removeprefix("rows.") for place in NEEDS.values() if place.startswith("rows.")})
UNUSED = ("join_order", "statistics_propagation", "common_subplan", "column_lifetime", "unused_columns")
"""Steps of DuckDB's planner that cost more than they save on tables of this size: a tenth of a small audit."""
IDLE_ROWS = 50_000
"""Records up to which a database is emptied and kept for the next audit of this process; beyond that it is closed."""


FIGURES = ("request_throughput", "input_throughput", "total_throughput", "ttft_ms", "tpot_ms", "e2e_latency_ms")
"""Metrics that a row also carries as columns: questions about one row need no join."""
BULK = ("details", "requests")
"""Tables with a record a request. They are bound as one JSON text: DuckDB reads that four times faster than lists."""


class Insertion(NamedTuple):
    """A statement that lays records into a table, and what is bound to it."""

    text: str
    values: dict[str, Any]
    columns: dict[str, list[Any]]


def insertion(table: str, records: Sequence[Record]) -> Insertion:
    """Bound column by column: no value stands in the text."""
    kinds = _columns()[table]
    columns = {name: list(column) for name, column in zip(kinds, zip(*records, strict=True), strict=True)}
    if table in BULK:
        return Insertion(_bulk(table), {"columns": msgspec.json.encode(columns).decode()}, columns)
    parts = ", ".join(f"unnest(${name}::{kind}[])" for name, kind in kinds.items())
    return Insertion(f"INSERT INTO {table} SELECT {parts}", columns, columns)


@cache
def _bulk(table: str) -> str:
    kinds = _columns()[table]
    shape = json.dumps({name: [[kind[:-2]] if kind.endswith("[]") else kind] for name, kind in kinds.items()})
    parts = ", ".join(f"unnest(found.{name})" for name in kinds)
    return f"INSERT INTO {table} SELECT {parts} FROM (SELECT from_json_strict($columns, '{shape}') AS found)"  # noqa: S608 - names of our own tables


_TABLE = re.compile(r"CREATE TABLE (\w+) \(([^;]*)\);")


@cache
def _columns() -> dict[str, dict[str, str]]:
    """Columns of each table with their types, as ``tables.sql`` has them: DuckDB needs longer to say so."""
    made = _TABLE.findall(sql.load("tables"))
    found: dict[str, dict[str, str]] = {}
    for table, columns in made:
        for column in columns.split(","):
            name, kind = column.split()
            found.setdefault(table, {})[name] = kind
    return found


class _Database:
    """One in-memory database with its tables, and the statements it has parsed."""

    def __init__(self) -> None:
        self.link = duckdb.connect(":memory:", config={"threads": 1})
        self.link.execute(f"SET disabled_optimizers = '{','.join(UNUSED)}'")
        self.link.execute(sql.load("tables"))
        self.parsed: dict[str, duckdb.Statement] = {}
        self.records: dict[str, int] = {}
        self.owner = os.getpid()

    def execute(self, text: str, values: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
        """Run one statement, parsed once."""
        statement = self.parsed.get(text)
        if statement is None:
            statement = self.parsed[text] = self.link.extract_statements(text)[0]
        return self.link.execute(statement, values)

    def empty(self) -> None:
        """Forget all records."""
        if self.records:
            self.link.execute("; ".join(f"TRUNCATE {table}" for table in sorted(self.records)))
        self.records = {}


_idle: list[_Database] = []
"""Empty databases of audits that ended well: opening one takes as long as ten questions."""


def _take() -> _Database:
    while _idle:
        database = _idle.pop()
        if database.owner == os.getpid():
            return database
    return _Database()


class Store:
    """The evidence of one audit in a database of its own; use it as a context manager."""

    def __init__(self, *, thrifty: bool = True) -> None:
        """``thrifty``: questions whose answer is empty by lack of records are not put to the database."""
        self._base = _take()
        self._db = self._base.link
        self._thrifty = thrifty
        self._held: set[str] = set()
        self._answers: dict[tuple[str, Record], list[Record]] = {}

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and sum(self._base.records.values()) <= IDLE_ROWS:
            self._base.empty()
            _idle.append(self._base)
        else:
            self._db.close()

    def ask(self, name: str, values: Mapping[str, float] | None = None) -> list[Record]:
        """All rows of a named question; put to the database once for the records it holds."""
        if not self.needs(name):
            return []
        asked = (name, tuple(sorted((values or {}).items())))
        if asked not in self._answers:
            self._answers[asked] = self._base.execute(sql.load(name), dict(values or {})).fetchall()
        return self._answers[asked]

    def needs(self, name: str) -> bool:
        """False for a question whose answer is known to be empty."""
        return not self._thrifty or NEEDS.get(name, "rows") in self._held

    def fill(self, legs: Sequence[Leg], policy: Policy) -> None:
        """Lay the evidence of these legs into the tables."""
        launches = [(leg, launch) for leg in legs for launch in leg.launches]
        rows = [(leg, ord_, launch, row) for leg in legs for ord_, (launch, row) in enumerate(leg.rows)]
        entries = list(settings.entries(legs, policy))
        self._insert("config", entries)
        if _apart(entries):
            self._held.add("config.apart")
        self._insert("launches", [_life(leg, launch) for leg, launch in launches if launch.server is not None])
        self._insert("rows", [_row(*item) for item in rows])
        self._insert("points", [point for item in rows for point in _points(*item)])
        self._insert("details", [item for leg, ord_, _, row in rows for item in _details(leg, ord_, row)])
        self._insert("requests", [item for leg, launch in launches for item in _requests(leg, launch)])
        self._insert("samples", [item for leg, launch in launches for item in _samples(leg, launch)])

    def _insert(self, table: str, records: Sequence[Record]) -> None:
        if not records:
            return
        self._answers.clear()
        statement = insertion(table, records)
        self._base.execute(statement.text, statement.values)
        self._base.records[table] = self._base.records.get(table, 0) + len(records)
        marked = [name for name in MARKS if any(value is not None for value in statement.columns.get(name, ()))]
        self._held |= {table, *(f"{table}.{name}" for name in marked)}

    def tables(self, policy: Policy) -> ev.Tables:
        """The answers that the gates work on."""
        window = {"sample_s": policy.contention.sample_s}
        shortest = {"min_s": policy.lifecycle.min_window_s}
        return ev.Tables(
            metrics=tuple(ev.MetricRow(*row) for row in self.ask("leg_metrics")),
            pairs=tuple(ev.PairRow(*row) for row in self.ask("metric_pairs")),
            launch_medians=tuple(ev.LaunchMedian(*row) for row in self.ask("launch_medians")),
            within=tuple(ev.WithinRow(*row) for row in self.ask("config_within")),
            between=tuple(ev.BetweenRow(*row) for row in self.ask("config_between")),
            work=tuple(ev.WorkRow(*row) for row in self.ask("work_totals")),
            prompt_pairs=tuple(ev.PromptPair(*row) for row in self.ask("prompt_pairs")),
            shapes=tuple(ev.ShapeRow(*row) for row in self.ask("token_shape")),
            stops=tuple(ev.StopRow(*row) for row in self.ask("stop_reasons")),
            contention=tuple(ev.ContentionRow(*row) for row in self.ask("contention", window)),
            overlaps=tuple(ev.OverlapRow(*row) for row in self.ask("lives_overlap")),
            short=tuple(ev.ShortRow(*row) for row in self.ask("short_windows", shortest)),
            answers=tuple(ev.AnswerRow(*row) for row in self.ask("answers")),
            answer_pairs=tuple(ev.AnswerPairs(*row) for row in self.ask("answer_pairs")),
            leg_rows=tuple(ev.LegRow(*row) for row in self.ask("leg_rows")),
            prompts=tuple(ev.PromptsRow(*row) for row in self.ask("distinct_prompts")),
            flights=tuple(ev.FlightRow(*row) for row in self.ask("in_flight")),
            recounts=tuple(ev.RecountRow(*row) for row in self.ask("recounted")),
        )


def _apart(entries: Sequence[settings.Entry]) -> bool:
    """Whether the records of one leg may differ in a key."""
    values: dict[tuple[str, str], set[str]] = {}
    having: dict[tuple[str, str], set[int]] = {}
    records: dict[str, set[int]] = {}
    for item in entries:
        values.setdefault((item.leg, item.key), set()).add(item.value)
        having.setdefault((item.leg, item.key), set()).add(item.record)
        records.setdefault(item.leg, set()).add(item.record)
    return any(len(values[at]) > 1 or having[at] != records[at[0]] for at in values)


def _pair(launch: Launch) -> int | None:
    return launch.server.plan.pair if launch.server else None


def _life(leg: Leg, launch: Launch) -> Record:
    server = launch.server
    assert server is not None  # noqa: S101 - the caller filters
    return (leg.role, launch.id, server.plan.pair, server.plan.position, server.started_unix, server.stopped_unix)


def _row(leg: Leg, ord_: int, launch: Launch, row: Row) -> Record:
    ours = row.ours
    own = (row.requested, row.failed)
    usage = (None,) * 2 if ours is None else (ours.usage_input_tokens, ours.usage_output_tokens)
    window = (row.start_unix, row.end_unix, None if ours is None else ours.prompts_sha256)
    means = (row.in_flight, row.latency_mean_ms, row.limit, row.recounted)
    place = (row.source.file, row.source.line, row.duration, row.completed, row.tokens_in, row.tokens_out)
    fingerprint = json.dumps([row.duration, sorted(row.metrics.items())])
    figures = tuple(row.metrics.get(name) for name in FIGURES)
    throughput = row.metrics["output_throughput"]
    said = (*own, *usage, *window, *means, fingerprint, *figures)
    return (leg.role, launch.id, ord_, _pair(launch), row.repeat, *place, throughput, *said)


def _points(leg: Leg, ord_: int, launch: Launch, row: Row) -> Iterable[Record]:
    for name, value in row.metrics.items():
        yield (leg.role, launch.id, ord_, row.repeat, name, BETTER[name], value)


def _details(leg: Leg, ord_: int, row: Row) -> Iterable[Record]:
    for index, item in enumerate(row.details):
        times = (item.ttft_ms, item.tpot_ms, item.e2e_ms, item.gaps_ms)
        yield (leg.role, ord_, index, item.tokens_in, item.tokens_out, *times, item.failed)


def _requests(leg: Leg, launch: Launch) -> Iterable[Record]:
    for item in launch.requests:
        times = (item.sent_s, item.first_token_s, item.end_s, item.tokens_in, item.tokens_out, item.usage_in, item.usage_out)
        texts = (item.stop_reason, item.error is not None, item.answer, item.expected, item.prompt)
        yield (leg.role, launch.id, _pair(launch), item.repeat, item.index, *times, *texts)


def _samples(leg: Leg, launch: Launch) -> Iterable[Record]:
    for sample in launch.samples:
        top = max(sample.foreign, key=lambda stranger: (stranger.cores, -stranger.pid), default=None)
        facts = (sample.t_unix, sample.foreign_cores, sample.steal_cores, sample.mhz)
        yield (leg.role, launch.id, *facts, *((top.name, top.pid, top.cores) if top else (None, None, None)))

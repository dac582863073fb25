"""Evidence in DuckDB: in memory, one thread, filled through bound lists, asked by named SQL files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import duckdb

from audit import evidence as ev
from audit import sql
from audit.intake import settings
from audit.intake.model import Launch, Leg, Row
from audit.intake.rows import ALL_METRICS
from audit.policy import Policy

BETTER = {item.name: item.better for item in ALL_METRICS}
Record = tuple[Any, ...]


class Store:
    """One in-memory database for one audit; use it as a context manager."""

    def __init__(self) -> None:
        self._db = duckdb.connect(":memory:", config={"threads": 1})
        self._db.execute(sql.load("tables"))

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.close()

    def ask(self, name: str, values: Mapping[str, float] | None = None) -> list[Record]:
        """All rows of a named question."""
        return self._db.execute(sql.load(name), dict(values or {})).fetchall()

    def fill(self, legs: Sequence[Leg], policy: Policy) -> None:
        """Lay the evidence of these legs into the tables."""
        self._insert("config", list(settings.entries(legs, policy)))
        for leg in legs:
            self._insert("launches", [_life(leg, launch) for launch in leg.launches if launch.server is not None])
            indexed = [(ord_, launch, row) for ord_, (launch, row) in enumerate(leg.rows)]
            self._insert("rows", [_row(leg, ord_, launch, row) for ord_, launch, row in indexed])
            self._insert("points", [point for ord_, launch, row in indexed for point in _points(leg, ord_, launch, row)])
            self._insert("details", [item for ord_, _, row in indexed for item in _details(leg, ord_, row)])
            self._insert("requests", [item for launch in leg.launches for item in _requests(leg, launch)])
            self._insert("samples", [item for launch in leg.launches for item in _samples(leg, launch)])

    def _insert(self, table: str, records: Sequence[Record]) -> None:
        if not records:
            return
        described = self._db.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ?", [table]
        ).fetchall()
        columns = list(zip(*records, strict=True))
        parts = ", ".join(f"unnest(${name}::{kind}[])" for name, kind in described)
        values = {name: list(column) for (name, _), column in zip(described, columns, strict=True)}
        self._db.execute(f"INSERT INTO {table} SELECT {parts}", values)

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
        )


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
    window = (None,) * 3 if ours is None else (ours.start_unix, ours.end_unix, ours.prompts_sha256)
    means = (row.in_flight, row.latency_mean_ms)
    place = (row.source.file, row.source.line, row.duration, row.completed, row.tokens_in, row.tokens_out)
    fingerprint = json.dumps([row.duration, sorted(row.metrics.items())])
    throughput = row.metrics["output_throughput"]
    return (leg.role, launch.id, ord_, _pair(launch), row.repeat, *place, throughput, *own, *usage, *window, *means, fingerprint)


def _points(leg: Leg, ord_: int, launch: Launch, row: Row) -> Iterable[Record]:
    for name, value in row.metrics.items():
        yield (leg.role, launch.id, ord_, row.repeat, name, BETTER[name], value)


def _details(leg: Leg, ord_: int, row: Row) -> Iterable[Record]:
    for index, item in enumerate(row.details):
        tpot = None
        if item.e2e_ms is not None and item.ttft_ms is not None and item.tokens_out > 1:
            tpot = (item.e2e_ms - item.ttft_ms) / (item.tokens_out - 1)
        yield (leg.role, ord_, index, item.tokens_in, item.tokens_out, item.ttft_ms, tpot, item.e2e_ms, item.failed)


def _requests(leg: Leg, launch: Launch) -> Iterable[Record]:
    for item in launch.requests:
        times = (item.sent_s, item.first_token_s, item.end_s, item.tokens_in, item.tokens_out, item.usage_in, item.usage_out)
        texts = (item.stop_reason, item.error is not None, item.answer, item.expected, item.prompt)
        yield (leg.role, launch.id, _pair(launch), item.repeat, item.index, *times, *texts)


def _samples(leg: Leg, launch: Launch) -> Iterable[Record]:
    for sample in launch.samples:
        top = max(sample.foreign, key=lambda stranger: (stranger.cores, -stranger.pid), default=None)
        facts = (sample.t_unix, sample.foreign_cores, sample.steal_cores)
        yield (leg.role, launch.id, *facts, *((top.name, top.pid, top.cores) if top else (None, None, None)))

"""The tables of a campaign's profiles, made again from their traces."""

from __future__ import annotations

from workflow.context import Context, profile_dir
from workflow.profiling import Table, table
from workflow.profiling.run import TRACE


def tables(ctx: Context, number: int) -> Table:
    """Of the n-th profile."""
    return table((ctx.run_dir / profile_dir(number) / TRACE).read_bytes())


def newest_table(ctx: Context) -> Table | None:
    """Of the newest profile; None where there is none."""
    rounds = [entry for entry in ctx.ledger.of_kind("profile") if entry.body["error"] is None]
    return tables(ctx, int(rounds[-1].key.partition("/")[2])) if rounds else None

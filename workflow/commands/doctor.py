"""``countersign doctor``: what this machine has for campaigns, what it lacks, and the cure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from workflow.doctoring import Check, examine
from workflow.plain import one_line, to_json
from workflow.startup import require

SCHEMA = "countersign.doctor/1"  # 1: first form
CANNOT = 3


def doctor_command(runs: Path, models: Sequence[str], api_base: str | None, *, machine: bool) -> int:
    """Print the checks as they are made, each with its cure. Returns 0, or 3 when the embedded campaign cannot run here."""
    checks = []
    for item in examine(runs, _named(models, api_base), api_base):
        checks.append(item)
        if not machine:
            click.echo("\n".join(lines_of(item)))
    if machine:
        found = [item._asdict() for item in checks]
        click.echo(to_json({"schema": SCHEMA, "embedded_campaign_can_run": can_run(checks), "checks": found}))
    else:
        click.echo(summary(checks))
    return 0 if can_run(checks) else CANNOT


def _named(wanted: Sequence[str], api_base: str | None) -> list[str]:
    """The models that a campaign with these options would ask. Raises UsageError, ConfigError."""
    if not wanted and api_base is None:
        return []
    require("campaign")
    from workflow.choosing import check_models, choose
    from workflow.config import ModelsConfig

    models = choose(ModelsConfig(), wanted, api_base)
    check_models(models)
    return sorted(set(models.by_role().values()))


def lines_of(item: Check) -> list[str]:
    """One check for people; what comes from the system may hold anything."""
    lines = [one_line(f"{item.state:<7}  {item.name:<19}  {item.what}")]
    return [*lines, one_line(f"{'':<30}cure: {item.cure}")] if item.cure else lines


def can_run(checks: Sequence[Check]) -> bool:
    """Nothing that the embedded campaign needs is missing."""
    return all(item.state != "missing" for item in checks)


def summary(checks: Sequence[Check]) -> str:
    """The last line: what can be done now."""
    warned = sum(item.state == "warn" for item in checks)
    if not can_run(checks):
        lacking = ", ".join(item.name for item in checks if item.state == "missing")
        return f"\nThe embedded campaign cannot run here: {lacking}."
    beside = f", with {warned} warning{'s' if warned > 1 else ''}" if warned else ""
    return f"\nThe embedded campaign can run here{beside}. next: countersign campaign run --plan-only"

"""``countersign taxonomy``: what an id in a finding means."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import click

from workflow.errors import UsageError
from workflow.startup import check_packages

if TYPE_CHECKING:
    from audit import Lie

SCHEMA = "countersign.taxonomy/1"
LAYERS = {
    "L0": "raw rows and settings",
    "L1": "server logs or metric scrapes",
    "L2": "an active probe or another run",
    "L3": "source code or an isolated harness",
}


def taxonomy_command(id: str | None, form: str, *, covered: bool) -> int:
    """Print one known lie, or a table of all. Raises UsageError with near matches when the id is unknown."""
    check_packages(audit=True)
    from audit import canonical_json, known_lies, table

    known = known_lies()
    if id is not None:
        found = _one(known, id)
        click.echo(canonical_json(found) if form == "json" else "\n".join(_told(found)))
        return 0
    shown = [lie for lie in known if lie.covered or not covered]
    if form == "json":
        click.echo(canonical_json({"schema": SCHEMA, "lies": shown}))
        return 0
    rows = [("id", "layer", "covered", "gate", "name")]
    rows += [(lie.id, lie.layer, "yes" if lie.covered else "-", lie.gate or "-", lie.name) for lie in shown]
    click.echo("\n".join(table(rows, "")))
    click.echo(f"{len(shown)} of {len(known)} known lies; {sum(lie.covered for lie in known)} are shown to be caught.")
    return 0


def _one(known: tuple[Lie, ...], id: str) -> Lie:
    wanted = id.strip().upper()
    found = next((lie for lie in known if lie.id == wanted), None)
    if found is not None:
        return found
    from audit import clean

    names = {lie.id: lie.id for lie in known} | {lie.name.upper(): lie.id for lie in known}
    near = {lie.id: None for lie in known if sorted(lie.id) == sorted(wanted)}
    near |= dict.fromkeys(names[name] for name in difflib.get_close_matches(wanted, names, n=6, cutoff=0.5))
    near |= dict.fromkeys(lie.id for lie in known if len(wanted) > 2 and wanted in lie.name.upper())
    words = {lie.id: lie.name for lie in known}
    step = "Near: " + ", ".join(f"{name} ({words[name]})" for name in list(near)[:6]) if near else "countersign taxonomy"
    raise UsageError(f"no known lie has the id {clean(id)!r}", step)


def _told(lie: Lie) -> list[str]:
    gate = f"the gate {lie.gate}" if lie.gate else "no gate of this version"
    shown = "yes: docs/covered.md names the test" if lie.covered else "no: no test plants it"
    lines = [
        f"{lie.id}  {lie.name}",
        f"group    {lie.group}",
        f"signal   {lie.signal}",
        f"layer    {lie.layer}: {LAYERS[lie.layer]}",
        f"decided  by {gate}",
        f"covered  {shown}",
    ]
    if lie.gate:
        lines.append(f"reads    {lie.gate} [{lie.id}]: {lie.example or '...'}")
    return lines

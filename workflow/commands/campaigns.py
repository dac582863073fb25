"""``countersign campaign list | show | tail``: looks at campaigns, from their files alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workflow.plain import columns, one_line, path_text, to_json
from workflow.startup import require

if TYPE_CHECKING:
    from workflow.events import Event

BROKEN = 5
LINE = 400
"""Characters of an event's line."""


def list_campaigns(path: Path, *, machine: bool) -> int:
    """Print the campaigns in a directory, newest first. Returns 0, or 5 when one cannot be read."""
    require("campaign")
    from workflow.looking import HEADER, as_dict, campaigns

    found = campaigns(path)
    broken = [item for item in found if item.problem]
    if machine:
        click.echo(to_json(as_dict(found)))
        return BROKEN if broken else 0
    rows = [HEADER, *(item.cells() for item in found)]
    click.echo("\n".join(columns(rows)) if found else one_line(f"no campaigns in {path_text(path)}"))
    for item in broken:
        click.echo(one_line(f"damaged: {item.directory}: {item.problem}"))
    return BROKEN if broken else 0


def show_campaign(run_dir: Path, *, machine: bool) -> int:
    """Print everything a campaign's files say of it. Returns 0, or 5 when some of them cannot be believed."""
    require("campaign")
    from workflow.story import as_text, story

    found = story(run_dir)
    if machine:
        click.echo(to_json(found.as_dict()))
    else:
        click.echo("\n".join(one_line(line) for line in as_text(found)))
    return BROKEN if found.problems else 0


def tail_campaign(run_dir: Path, last: int, *, follow: bool, machine: bool) -> int:
    """Print the last events, and with ``follow`` those to come until the campaign ends. Returns 0."""
    require("campaign")
    from workflow.campaign import read_campaign
    from workflow.events import Tail
    from workflow.looking import reading

    with reading(run_dir):
        read_campaign(run_dir)
    tail = Tail(run_dir)
    before = list(_told(tail.read(), machine))
    for line in before[max(0, len(before) - last) :]:
        click.echo(line)
    for batch in tail.follow() if follow else ():
        for line in _told(batch, machine):
            click.echo(line)
    for name in tail.unfinished:
        click.echo(f"{name}: its last line has no end yet", err=True)
    click.echo(one_line(_ending(run_dir, finished=tail.finished)), err=True)
    return 0


def _told(events: Iterable[Event], machine: bool) -> Iterator[str]:
    """Lines to print: JSON of every event, or words for those that people want to see."""
    from workflow.events import told
    from workflow.looking import when

    for event in events:
        if machine:
            yield to_json(event.as_dict())
            continue
        words = told(event)
        if words is not None:
            yield one_line(f"{when(event.at_unix)}  {words}")[:LINE]


def _ending(run_dir: Path, *, finished: bool) -> str:
    """Why nothing more is printed, and what to do next."""
    from workflow.looking import reading
    from workflow.owner import owner

    with reading(run_dir):
        holder = owner(run_dir)
    named = shlex.quote(path_text(run_dir))
    if finished:
        return f"finished; next: countersign campaign show {named}"
    if holder:
        return f"{holder} runs it now; next: countersign campaign tail {named} --follow"
    return f"nobody runs it now; next: countersign campaign resume {named}"

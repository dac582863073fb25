"""``countersign skills``: what the personas know, as text for people and for other agents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workflow.errors import UsageError
from workflow.plain import one_line, path_text, printable, to_json
from workflow.startup import check_packages, require

if TYPE_CHECKING:
    from agents.skillbook import Skill

SCHEMA = "countersign.skills/1"


def list_skills(home: Path | None, *, as_json: bool) -> int:
    """Name and purpose of each."""
    found = _every(home)
    if as_json:
        told = [{"name": item.name, "description": item.description, "sha256": item.sha256} for item in found]
        click.echo(to_json({"schema": SCHEMA, "skills": told}))
        return 0
    for item in found:
        click.echo(one_line(f"{item.name:<18} {item.description}"))
    click.echo("countersign skills show NAME prints one; SKILL.md can be given to any agent as it is")
    return 0


def show_skill(name: str, home: Path | None) -> int:
    """One skill as it stands in its file."""
    skill = _one(name, home)
    click.echo(printable((skill.folder / "SKILL.md").read_text(encoding="utf-8")), nl=False)
    return 0


def render_skill(name: str, home: Path | None, *, as_json: bool) -> int:
    """The system prompt that a role of a campaign is given."""
    from agents.modelled import ROLES, answer_schema
    from agents.skillbook import SkillError, render

    skill = _one(name, home)
    role = next((role for role, (of, _) in ROLES.items() if of == name), None)
    if role is None:
        raise UsageError(f"{name}: no role of a campaign answers by this skill", f"countersign skills show {name}")
    try:
        text = render(skill, {"answer_schema": answer_schema(role)})
    except SkillError as error:
        raise UsageError(str(error), "countersign skills lint") from error
    click.echo(to_json({"schema": SCHEMA, "name": name, "sha256": text.sha256, "prompt": text.text}) if as_json else text.text)
    return 0


def lint_skills(home: Path | None) -> int:
    """What is wrong, a line each; exit code 1 when anything is."""
    from agents.skillbook import HOME, lint

    _home(home)
    problems = list(lint(home or HOME))
    for problem in problems:
        click.echo(one_line(problem))
    click.echo(f"{len(problems)} problems" if problems else "no problems")
    return 1 if problems else 0


def _home(home: Path | None) -> None:
    check_packages()
    require("campaign")
    if home is not None and not home.is_dir():
        raise UsageError(f"{path_text(home)}: not a folder", "Name a folder with a folder for each skill.")


def _every(home: Path | None) -> list[Skill]:
    from agents.skillbook import HOME, SkillError, every

    _home(home)
    try:
        return every(home or HOME)
    except SkillError as error:
        raise UsageError(str(error), "countersign skills lint") from error


def _one(name: str, home: Path | None) -> Skill:
    known = {item.name: item for item in _every(home)}
    if name not in known:
        raise UsageError(f"no skill {one_line(name)!r}", f"There are: {', '.join(known)}.")
    return known[name]

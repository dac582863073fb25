"""Commands about what personas know."""

from __future__ import annotations

from pathlib import Path

import click

HOME = click.option("--home", metavar="DIR", type=click.Path(path_type=Path), help="Skills of this folder instead of our own.")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@click.group("skills")
def skills() -> None:
    """Instructions of the personas: list, show, render and check them.

    \b
    Examples:
      countersign skills list
      countersign skills show patch-auditor
      countersign skills render config-tuner      the system prompt, with the form of its answer
      countersign skills lint --home my-skills
    """


@skills.command("list")
@HOME
@JSON
def list_command(home: Path | None, *, as_json: bool) -> int:
    """Name and purpose of each skill.

    \b
    Example:
      countersign skills list --json
    """
    from workflow.commands.skills import list_skills

    return list_skills(home, as_json=as_json)


@skills.command("show")
@click.argument("name")
@HOME
def show_command(name: str, home: Path | None) -> int:
    """One skill as it stands in its SKILL.md.

    \b
    Example:
      countersign skills show patch-auditor
    """
    from workflow.commands.skills import show_skill

    return show_skill(name, home)


@skills.command("render")
@click.argument("name")
@HOME
@JSON
def render_command(name: str, home: Path | None, *, as_json: bool) -> int:
    """The system prompt that a role of a campaign is given.

    \b
    Example:
      countersign skills render config-tuner
    """
    from workflow.commands.skills import render_skill

    return render_skill(name, home, as_json=as_json)


@skills.command("lint")
@HOME
def lint_command(home: Path | None) -> int:
    """What is wrong with skills, a line each; exit code 1 when anything is.

    \b
    Example:
      countersign skills lint --home my-skills
    """
    from workflow.commands.skills import lint_skills

    return lint_skills(home)


COMMANDS = (skills,)

"""What the shell completes: run directories, requests of a run, examples; and the script that a shell needs for it.

This runs at every press of the tab key: standard library and click alone, a look at directories, one small file parsed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

RUNS = "runs"
MARKS = ("campaign.json", "audit_request.json", "ledger.jsonl")
"""Files that make a directory a run."""
ROLES = ("baseline", "profiler", "config_tuner", "kernel_integrator", "auditor")
"""As workflow.config has them, which is too heavy to import here."""
MOST_BYTES = 1 << 20
"""A larger audit_request.json is not read while somebody waits."""
_PLAIN = re.compile(r"[A-Za-z0-9._+@%/~-]+")
"""What a shell takes as it is; other names are left to its own completion, which quotes them."""


def runs(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Run directories that begin so, in the folder that was typed and in ``runs/``; beside them whatever directory there is."""
    typed, _, start = incomplete.rpartition("/")
    folder = f"{typed}/" if "/" in incomplete else ""
    found = [f"{folder}{name}" for name in _runs_in(Path(folder or ".")) if name.startswith(start)]
    if not folder:
        found += [path for name in _runs_in(Path(RUNS)) if (path := f"{RUNS}/{name}").startswith(incomplete)]
    return [*directories(_ctx, _param, incomplete), *(CompletionItem(item) for item in found if _PLAIN.fullmatch(item))]


def directories(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Directories, by the shell's own means."""
    return [CompletionItem(incomplete, type="dir")]


def requests(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Short names of the requests in the run that was typed before."""
    path = Path(ctx.params.get("run") or ".") / "audit_request.json"
    try:
        value = json.loads(path.read_bytes()) if path.stat().st_size <= MOST_BYTES else []
    except (OSError, ValueError, RecursionError):
        return []
    asked = value if isinstance(value, list) else [value]
    names = [item["short_name"] for item in asked if isinstance(item, dict) and isinstance(item.get("short_name"), str)]
    return [CompletionItem(name) for name in names if name.startswith(incomplete) and _PLAIN.fullmatch(name)]


def roles(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Roles that a model can stand behind, and nothing after the sign."""
    return [CompletionItem(f"{name}=") for name in ROLES if f"{name}=".startswith(incomplete) and "=" not in incomplete]


def examples(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of examples, each with the verdicts to expect."""
    from workflow.examples import EXAMPLES

    return [
        CompletionItem(item.name, help=", ".join(asked.verdict for asked in item.expect))
        for item in EXAMPLES
        if item.name.startswith(incomplete)
    ]


def _runs_in(folder: Path) -> list[str]:
    try:
        return sorted(item.name for item in folder.iterdir() if any((item / mark).is_file() for mark in MARKS))
    except OSError:
        return []


@click.command("completion", short_help="The script that lets a shell complete commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> int:
    """Print the script that lets SHELL complete commands, options, run directories, requests and examples.

    \b
    Examples:
      eval "$(countersign completion bash)"      for this shell; in ~/.bashrc for every one
      countersign completion zsh > ~/.zfunc/_countersign
      countersign completion fish > ~/.config/fish/completions/countersign.fish
    """
    root = ctx.find_root()
    known = get_completion_class(shell)
    assert known is not None  # noqa: S101 - the choices are those that click has
    click.echo(known(root.command, {}, "countersign", "_COUNTERSIGN_COMPLETE").source())
    return 0


COMMANDS = (completion_command,)

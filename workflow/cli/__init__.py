"""The command line. Imports the standard library and click alone, so that help answers at once."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

import click

from workflow.cli import completing, judging, running, skills
from workflow.errors import CountersignError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
INTERRUPTED = 130


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("countersign")
    except PackageNotFoundError:
        found = "from a source tree, not installed"
    click.echo(f"countersign {found}")
    ctx.exit()


@click.group(context_settings=CONTEXT)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version and exit.")
def cli() -> None:
    """Run inference optimisation campaigns, and countersign every claimed speed-up from the raw rows.

    \b
    First steps:
      countersign doctor                       what this machine has for campaigns, and what it lacks
      countersign campaign run --plan-only     what the shipped campaign would do, and for how long
      countersign campaign run --use-auditor   do it: measure, audit, bank only what holds
      countersign audit runs/<id>              check any run again: no server, no model, no network
      countersign audit --legs BEFORE AFTER    check two folders of somebody's rows
      countersign examples                     ready runs to try that on, with what to expect
      countersign verdicts list                what was decided so far
      countersign replay raw_runs              judge recorded runs again, blind

    \b
    Exit codes: 0 done, 1 it could not go on, 2 wrong usage or configuration,
    audit: 3 FAIL, 4 FLAG, 5 evidence damaged; 130 interrupted.
    """


for command in (*running.COMMANDS, *judging.COMMANDS, *skills.COMMANDS, *completing.COMMANDS):
    cli.add_command(command)


def main(args: Sequence[str] | None = None) -> int:
    """Run one command. Every error becomes one line, its next step and an exit code; a bug also shows its traceback."""
    try:
        code = cli.main(args=list(args) if args is not None else None, prog_name="countersign", standalone_mode=False)
    except CountersignError as error:
        return _fail(error.code, str(error), error.next_step, error.exit_code)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "countersign"
        return _fail("CS001", error.format_message(), f"{where} --help", 2)
    except click.ClickException as error:
        return _fail("CS001", error.format_message(), "countersign --help", 2)
    except (KeyboardInterrupt, click.Abort):
        return _fail("CS008", "interrupted", "", INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001 - the named edge: whatever is left is a bug of ours
        traceback.print_exc()
        return _fail("CS000", f"internal error: {type(error).__name__}: {error}", "Report it with the lines above.", 1)
    return code if isinstance(code, int) else 0


def _fail(code: str, message: str, next_step: str, exit_code: int) -> int:
    click.echo(f"error {code}: {message}", err=True)
    if next_step:
        click.echo(f"next: {next_step}", err=True)
    return exit_code

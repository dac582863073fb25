"""The command line. Imports the standard library and click alone, so that help answers at once."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

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
      countersign campaign run --plan-only     what the shipped campaign would do, and for how long
      countersign campaign run --use-auditor   do it: measure, audit, bank only what holds
      countersign audit runs/<id>              check any run again: no server, no model, no network

    \b
    Exit codes: 0 done, 1 it could not go on, 2 wrong usage or configuration,
    audit: 3 FAIL, 4 FLAG, 5 evidence damaged; 130 interrupted.
    """


@cli.group()
def campaign() -> None:
    """Measure a baseline, try changes one at a time, keep what holds.

    \b
    Examples:
      countersign campaign run my.yaml --use-auditor --id tuesday
      countersign campaign status runs/tuesday
      countersign campaign resume runs/tuesday     after Ctrl-C, kill -9 or a power cut
    """


@campaign.command("run")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--use-auditor/--no-auditor", default=None, help="Bank only what an auditor signed [default: as the file says].")
@click.option("--out", default=Path("runs"), show_default=True, type=click.Path(path_type=Path), help="Where runs are kept.")
@click.option("--id", "campaign_id", default=None, help="Name of the run [default: time and four characters].")
@click.option("--plan-only", is_flag=True, help="Print the plan and its cost, start nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; all else goes to stderr.")
def run_command(
    file: Path | None, use_auditor: bool | None, out: Path, campaign_id: str | None, plan_only: bool, as_json: bool
) -> int:
    """Run the campaign of FILE (default: the embedded one that ships with Countersign).

    A candidate that is refused is a result, not an error: the exit code is 0 when the campaign finished.

    \b
    Examples:
      countersign campaign run --use-auditor
      countersign campaign run my.yaml --plan-only
      countersign campaign run my.yaml --json > outcome.json
    """
    from workflow.commands.campaign import run_campaign

    return run_campaign(file, use_auditor, out, campaign_id, plan_only=plan_only, as_json=as_json)


@campaign.command("resume")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; all else goes to stderr.")
def resume_command(directory: Path, as_json: bool) -> int:
    """Go on with the campaign in DIRECTORY. No sealed launch is measured again.

    \b
    Example:
      countersign campaign resume runs/tuesday
    """
    from workflow.commands.campaign import resume_campaign

    return resume_campaign(directory, as_json=as_json)


@campaign.command("status")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status_command(directory: Path, as_json: bool) -> int:
    """Say how the campaign in DIRECTORY stands and what to do next. Only reads.

    \b
    Example:
      countersign campaign status runs/tuesday --json
    """
    from workflow.commands.campaign import status_campaign

    return status_campaign(directory, as_json=as_json)


@cli.command("audit")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", default="text", show_default=True, type=click.Choice(["text", "json", "md"]), help="How to print."
)
@click.option(
    "--fail-on", type=click.Choice(["fail", "flag"]), default=None, help="For CI: what counts as failure [default: flag]."
)
def audit_command(path: Path, form: Literal["text", "json", "md"], fail_on: Literal["fail", "flag"] | None) -> int:
    """Recompute every verdict of the run in PATH from its raw rows.

    \b
    Examples:
      countersign audit runs/tuesday
      countersign audit runs/tuesday --format json | cmp - runs/tuesday/verdicts.json
      countersign audit runs/tuesday --fail-on fail
    """
    from workflow.commands.audit import audit_command as body

    return body(path, form, fail_on)


@cli.group()
def model() -> None:
    """The tiny model that ships with Countersign.

    \b
    Example:
      countersign model evaluate      reproduces the figures of its card
    """


@model.command("evaluate")
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def evaluate_command(directory: Path | None, as_json: bool) -> int:
    """Exact match on held-out prompts of the model in DIRECTORY (default: the shipped one), with intervals."""
    from workflow.commands.model import evaluate_command as body

    return body(directory, as_json=as_json)


@model.command("train")
@click.argument("out", type=click.Path(path_type=Path))
def train_command(out: Path) -> int:
    """Train the tiny model from its seeded corpus into OUT (about 15 CPU minutes)."""
    from workflow.commands.model import train_command as body

    return body(out)


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

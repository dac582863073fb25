"""The command line. Imports the standard library and click alone, so that help answers at once."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from workflow.errors import CountersignError

if TYPE_CHECKING:
    from workflow.commands.audit import FailOn, Form
    from workflow.commands.init_pair import Engine

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
      countersign audit --legs BEFORE AFTER    check two folders of somebody's rows
      countersign verdicts list                what was decided so far
      countersign replay raw_runs              judge recorded runs again, blind

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


@cli.command("proof")
@click.option("--quick", is_flag=True, help="Fewer variants and campaigns: under three minutes on two cores.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where the report goes [default: proof/, with --quick proof/quick/]."
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes [default: one a core].")
@click.option("--seed", type=int, default=20261121, show_default=True, help="Of every planted run and every simulated campaign.")
@click.option("--no-worlds", is_flag=True, help="Planted and recorded runs alone.")
@click.option("--accept", metavar="NOTE", help="Commit the figures of a quick proof; NOTE is the decision that lowers one.")
@click.option("--format", "form", default="text", show_default=True, type=click.Choice(["text", "json"]), help="How to print.")
def proof_group(  # noqa: PLR0913 - one parameter an option
    *,
    quick: bool,
    out: Path | None,
    jobs: int | None,
    seed: int,
    no_worlds: bool,
    accept: str | None,
    form: Literal["text", "json"],
) -> int:
    """Measure the judge: plant lies, replay them blind, simulate campaigns, write down how often it is wrong.

    Needs the source tree. Exit codes: 0 done, 3 a figure of a quick proof is below the committed one.

    \b
    Examples:
      countersign proof --quick            what CI runs
      countersign proof                    everything, under an hour; writes proof/report.html
    """
    from workflow.commands.proof import Asked, proof_command

    asked = Asked("quick" if quick else "full", out, jobs, seed, not no_worlds, accept)
    return proof_command(asked, form)


@cli.command("audit")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--scope", type=click.Choice(["baseline", "profile", "harness", "patch", "bundle"]), help="Only requests of this scope."
)
@click.option(
    "--request",
    "request_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="This file instead of PATH/audit_request.json.",
)
@click.option(
    "--legs", metavar="REF CAND", nargs=2, type=click.Path(path_type=Path), help="Two folders of rows: reference, candidate."
)
@click.option("--policy", metavar="FILE|strict|default", help="A policy file, whole or only what it changes.")
@click.option(
    "--format",
    "form",
    default="text",
    show_default=True,
    type=click.Choice(["text", "json", "md", "junit"]),
    help="How to print.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["fail", "flag", "unsigned", "never"]),
    default="flag",
    show_default=True,
    help="For CI: from where on the exit code is not 0.",
)
def audit_command(form: Form, fail_on: FailOn, **asked: Any) -> int:  # noqa: ANN401 - click hands over the fields of Asked
    """Recompute every verdict of the run in PATH from its raw rows. Nothing is written, started or asked of a network.

    PATH needs no special names: folders of SGLang, vLLM or other rows will do. Without audit_request.json the requests are
    derived from the layout.

    \b
    Examples:
      countersign audit runs/tuesday
      countersign audit runs/tuesday --format json | cmp - runs/tuesday/verdicts.json
      countersign audit --legs rows/before rows/after
      countersign audit --legs rows/before rows/after --request claim.json --policy strict
      countersign audit DOWNLOADED --scope bundle --format junit > audit.xml

    \b
    Exit codes: 0 PASS, 3 FAIL, 4 FLAG, 5 evidence damaged or a verdict without signature, 2 wrong usage.
    --fail-on flag      as above
    --fail-on fail      a FLAG is 0
    --fail-on unsigned  FLAG and FAIL are 0: only evidence that cannot be believed is not
    --fail-on never     every verdict is 0; wrong usage is still 2
    """
    from workflow.commands.audit import Asked
    from workflow.commands.audit import audit_command as body

    return body(Asked(**asked), form, fail_on)


@cli.command("replay", short_help="Judge recorded runs again, blind.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--jobs", type=click.IntRange(min=1), help="Judges side by side [default: one a core].")
@click.option("--policy", metavar="FILE|strict|default", help="A policy file, whole or only what it changes.")
@click.option("--state", metavar="FILE", type=click.Path(path_type=Path), help="Keep what is finished here, and go on from it.")
@click.option(
    "--limit", default=600.0, show_default=True, type=click.FloatRange(min=0, min_open=True), help="Seconds a run may take."
)
@click.option("--format", "form", default="text", show_default=True, type=click.Choice(["text", "json"]), help="How to print.")
def replay_command(form: str, **asked: Any) -> int:  # noqa: ANN401 - click hands over the fields of Asked
    """Audit the runs in PATHS (runs, or folders of runs) with judges that see raw artefacts and nothing else.

    Each judge is a process without a network that cannot write, and cannot read proof/ or what in a run says how it was judged
    before; it knows the run by a number. The order and the bytes of the output do not depend on --jobs.

    \b
    Examples:
      countersign replay raw_runs
      countersign replay raw_runs --format json --state replay.jsonl > replay.json
      countersign replay runs/monday runs/tuesday --policy strict --jobs 1

    \b
    Exit codes: 0 every run was audited (whatever the verdicts), 1 a run could not be, 2 wrong usage, 130 interrupted.
    """
    from workflow.commands.replay import Asked
    from workflow.commands.replay import replay_command as body

    return body(Asked(**asked), form)


@cli.group(short_help="List, show and compare verdicts.")
def verdicts() -> None:
    """Look at verdicts: all of them, one in full with the queries behind it, or what changed between two.

    \b
    Examples:
      countersign verdicts list
      countersign verdicts show runs/tuesday c01 --sql
      countersign verdicts diff runs/monday runs/tuesday
    """


@verdicts.command("list")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "form", default="text", show_default=True, type=click.Choice(["text", "json"]), help="How to print.")
def list_command(paths: tuple[Path, ...], form: str) -> int:
    """Verdicts of the runs in PATHS (runs, or folders of runs; default: runs/), as verdicts.json and the ledger tell them.

    A run that cannot be read is named, and the exit code is 5.

    \b
    Examples:
      countersign verdicts list
      countersign verdicts list runs/monday runs/tuesday --format json
    """
    from workflow.commands.verdicts import list_command as body

    return body(paths, form)


@verdicts.command("show")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("name", required=False)
@click.option("--finding", metavar="GATE", help="Only what this gate found, with its figures and citations.")
@click.option("--sql", "with_sql", is_flag=True, help="The queries behind the figures, and the rows they return.")
@click.option("--rows", "shown", default=20, show_default=True, type=click.IntRange(min=0), help="Rows shown of each query.")
@click.option("--format", "form", default="text", show_default=True, type=click.Choice(["text", "json"]), help="How to print.")
def show_command(run: Path, name: str | None, **how: Any) -> int:  # noqa: ANN401 - click hands over the fields of How
    """Audit RUN again and print the verdict called NAME (default: all of them) in full. The exit code is that of audit.

    \b
    Examples:
      countersign verdicts show runs/tuesday
      countersign verdicts show runs/tuesday c01 --finding real_delta --sql
    """
    from workflow.commands.verdicts import How
    from workflow.commands.verdicts import show_command as body

    return body(run, name, How(**how))


@verdicts.command("diff")
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", required=False, type=click.Path(path_type=Path))
@click.option("--format", "form", default="text", show_default=True, type=click.Choice(["text", "json"]), help="How to print.")
def diff_command(before: Path, after: Path | None, form: str) -> int:
    """What changed between the verdicts of BEFORE and AFTER. A directory is audited again, a JSON file is taken as it is.

    Without AFTER, a run's verdicts.json against what an audit says now. Exit codes: 0 the same, 3 a verdict is worse or
    gone, 4 something else differs.

    \b
    Examples:
      countersign verdicts diff runs/tuesday
      countersign verdicts diff runs/monday runs/tuesday
      countersign verdicts diff yesterday.json today.json --format json
    """
    from workflow.commands.verdicts_diff import diff_command as body

    return body(before, after, form)


@cli.command("rows", short_help="What the auditor reads out of result files.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "form", default="text", show_default=True, type=click.Choice(["text", "json"]), help="How to print.")
def rows_command(paths: tuple[Path, ...], form: str) -> int:
    """One line for each row in PATHS, its units settled, and for each file that is refused the reason.

    \b
    Examples:
      countersign rows results/
      countersign rows ref/bench_runs.jsonl --format json
    """
    from workflow.commands.rows import rows_command as body

    return body(paths, form)


@cli.command("taxonomy", short_help="The known ways a performance claim is false.")
@click.argument("id", required=False)
@click.option("--covered", is_flag=True, help="Only what a test with a planted lie shows to be caught.")
@click.option("--format", "form", default="text", show_default=True, type=click.Choice(["text", "json"]), help="How to print.")
def taxonomy_command(id: str | None, covered: bool, form: str) -> int:
    """The known ways a performance claim is false; with an ID, what is known of that one. Findings quote these ids.

    \b
    Examples:
      countersign taxonomy
      countersign taxonomy W06
      countersign taxonomy --covered --format json
    """
    from workflow.commands.taxonomy import taxonomy_command as body

    return body(id, form, covered=covered)


@cli.command("init-pair", short_help="Prepare a directory for an A/B measurement by hand.")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--engine", required=True, type=click.Choice(["vllm", "sglang", "openai"]), help="What serves the model.")
@click.option("--model", default="MODEL", show_default=True, help="Model name or path, as the server and the client take it.")
@click.option("--launches", default=3, show_default=True, type=click.IntRange(1, 99), help="Server starts a leg.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(1, 99), help="Timed repeats a start.")
def init_pair_command(directory: Path, engine: Engine, model: str, launches: int, repeats: int) -> int:
    """Prepare DIRECTORY for an A/B measurement by hand: folders, a request to fill in, and the commands to type.

    Nothing is started. DIRECTORY must be new or empty.

    \b
    Examples:
      countersign init-pair ab --engine sglang --model Qwen/Qwen3-8B
      countersign init-pair ab --engine vllm --launches 5 && less ab/COMMANDS.md
    """
    from workflow.commands.init_pair import Design, init_pair

    return init_pair(directory, Design(engine, model, launches, repeats))


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
@click.option("--overlap", is_flag=True, help="Only count held-out prompts that occur in training; exits 1 unless none.")
def evaluate_command(directory: Path | None, as_json: bool, overlap: bool) -> int:
    """Exact match on held-out prompts of the model in DIRECTORY (default: the shipped one), with intervals.

    Exits 1, and names each figure, when the shipped model is off its card.

    \b
    Example:
      countersign model evaluate --json
    """
    from workflow.commands.model import evaluate_command as body
    from workflow.commands.model import overlap_command

    return overlap_command(directory, as_json=as_json) if overlap else body(directory, as_json=as_json)


@model.command("train")
@click.argument("out", type=click.Path(path_type=Path))
def train_command(out: Path) -> int:
    """Train the tiny model from its seeded corpus into OUT (about half an hour on one thread).

    \b
    Example:
      countersign model train /tmp/tiny
    """
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

"""Commands that judge: audits, replays, verdicts, the proof, and what the auditor knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from workflow.cli import completing

if TYPE_CHECKING:
    from workflow.commands.audit import FailOn, Form


@click.command("audit")
@click.argument("path", required=False, type=click.Path(path_type=Path), shell_complete=completing.runs)
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
    "--legs",
    metavar="REF CAND",
    nargs=2,
    type=click.Path(path_type=Path),
    shell_complete=completing.directories,
    help="Two folders of rows: reference, candidate.",
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


@click.command("replay", short_help="Judge recorded runs again, blind.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), shell_complete=completing.runs)
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


@click.group(short_help="List, show and compare verdicts.")
def verdicts() -> None:
    """Look at verdicts: all of them, one in full with the queries behind it, or what changed between two.

    \b
    Examples:
      countersign verdicts list
      countersign verdicts show runs/tuesday c01 --sql
      countersign verdicts diff runs/monday runs/tuesday
    """


@verdicts.command("list")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), shell_complete=completing.runs)
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
@click.argument("run", type=click.Path(path_type=Path), shell_complete=completing.runs)
@click.argument("name", required=False, shell_complete=completing.requests)
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
@click.argument("before", type=click.Path(path_type=Path), shell_complete=completing.runs)
@click.argument("after", required=False, type=click.Path(path_type=Path), shell_complete=completing.runs)
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


@click.command("rows", short_help="What the auditor reads out of result files.")
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


@click.command("taxonomy", short_help="The known ways a performance claim is false.")
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


@click.command("proof", short_help="Measure how often the judge is wrong.")
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


@click.command("examples", short_help="Ready run directories to try an audit on.")
@click.argument("name", required=False, shell_complete=completing.examples)
@click.argument("directory", required=False, metavar="[DIR]", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def examples_command(name: str | None, directory: Path | None, as_json: bool) -> int:
    """Run directories that ship with Countersign, each with the verdicts to expect; with NAME and DIR, copy one to DIR.

    DIR must not exist yet. Needs no engine, no accelerator and no network.

    \b
    Examples:
      countersign examples                                     what there is
      countersign examples embedded-baseline try               a PASS
      countersign audit try
      countersign examples geak292-handicapped-bundle lie      a FAIL: why is +66.9 % false?
      countersign audit lie

    \b
    Exit codes: 0 listed or copied, 1 DIR cannot be written, 2 no such example, or DIR exists.
    """
    from workflow.commands.examples import examples_command as body

    return body(name, directory, machine=as_json)


COMMANDS = (audit_command, replay_command, verdicts, rows_command, taxonomy_command, examples_command, proof_group)

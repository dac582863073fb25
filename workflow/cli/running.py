"""Commands that measure: campaigns, a pair by hand, the model that ships."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workflow.cli import completing

if TYPE_CHECKING:
    from workflow.commands.init_pair import Engine

REPLAY = click.option(
    "--replay",
    metavar="RECORDING",
    type=click.Path(path_type=Path),
    shell_complete=completing.runs,
    help="Recorded calls answer in place of models: a calls.jsonl, or the run that it is in.",
)
RECORD = click.option(
    "--record", metavar="FILE", type=click.Path(path_type=Path), help="Keep the models' calls in FILE, too, to be replayed."
)
MODEL = click.option(
    "--model",
    metavar="NAME|ROLE=NAME",
    multiple=True,
    shell_complete=completing.roles,
    help="Language model behind every role, or behind one; `builtin` for the built-in policy. Repeatable.",
)
API_BASE = click.option("--api-base", metavar="URL", help="Where those models are served [default: by their provider].")


@click.group()
def campaign() -> None:
    """Measure a baseline, try changes one at a time, keep what holds.

    \b
    Examples:
      countersign campaign init my.yaml            a file that explains every key
      countersign campaign run my.yaml --use-auditor --id tuesday
      countersign campaign list
      countersign campaign status runs/tuesday
      countersign campaign tail runs/tuesday --follow
      countersign campaign resume runs/tuesday     after Ctrl-C, kill -9 or a power cut
      countersign campaign report runs/tuesday     write its reports anew from the evidence
    """


@campaign.command("init", short_help="Write a campaign file that explains every key.")
@click.argument("file", default=Path("campaign.yaml"), type=click.Path(path_type=Path))
def init_command(file: Path) -> int:
    """Write a campaign file to FILE (default: campaign.yaml) in which every key stands with its default and is explained.

    FILE must not exist yet. `campaign run FILE` takes it as it is.

    \b
    Examples:
      countersign campaign init
      countersign campaign init my.yaml && countersign campaign run my.yaml --plan-only

    \b
    Exit codes: 0 written, 1 FILE cannot be written, 2 it exists.
    """
    from workflow.commands.campaign import init_campaign

    return init_campaign(file)


@campaign.command("run", short_help="Run a campaign, the embedded one by default.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--use-auditor/--no-auditor", default=None, help="Bank only what an auditor signed [default: as the file says].")
@click.option("--out", default=Path("runs"), show_default=True, type=click.Path(path_type=Path), help="Where runs are kept.")
@click.option("--id", "campaign_id", default=None, help="Name of the run [default: time and four characters].")
@click.option("--plan-only", is_flag=True, help="Print the plan and its cost, start nothing.")
@MODEL
@API_BASE
@REPLAY
@RECORD
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; all else goes to stderr.")
def run_command(model: tuple[str, ...], api_base: str | None, replay: Path | None, record: Path | None, **asked: Any) -> int:  # noqa: ANN401 - click hands over the fields of Asked
    """Run the campaign of FILE (default: the embedded one that ships with Countersign).

    A candidate that is refused is a result, not an error: the exit code is 0 when the campaign finished.

    Built-in policies answer for the roles, unless the file or --model names language models: one for all, or one for each
    of baseline, profiler, config_tuner, kernel_integrator, auditor. Keys stand in the environment (docs/models.md).

    \b
    Examples:
      countersign campaign run --use-auditor
      countersign campaign run my.yaml --plan-only
      countersign campaign run my.yaml --json > outcome.json
      countersign campaign run --use-auditor --model anthropic/claude-sonnet-4-5 --model baseline=builtin
      countersign campaign run --model hosted_vllm/qwen3 --api-base http://127.0.0.1:8000/v1 --record calls.jsonl
      countersign campaign run --model hosted_vllm/qwen3 --replay calls.jsonl
    """
    from workflow.commands.campaign import Answering, Asked, run_campaign

    as_json = bool(asked.pop("as_json"))
    return run_campaign(Asked(**asked), Answering(model, api_base, replay, record), as_json=as_json)


@campaign.command("resume", short_help="Go on with an interrupted campaign.")
@click.argument("directory", type=click.Path(path_type=Path), shell_complete=completing.runs)
@REPLAY
@RECORD
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout; all else goes to stderr.")
def resume_command(directory: Path, replay: Path | None, record: Path | None, as_json: bool) -> int:
    """Go on with the campaign in DIRECTORY. No sealed launch is measured again, and no model is asked twice.

    \b
    Examples:
      countersign campaign resume runs/tuesday
      countersign campaign resume runs/tuesday --replay calls.jsonl
    """
    from workflow.commands.campaign import Answering, resume_campaign

    return resume_campaign(directory, Answering(replay=replay, record=record), as_json=as_json)


@campaign.command("status", short_help="How a campaign stands, and the next step.")
@click.argument("directory", type=click.Path(path_type=Path), shell_complete=completing.runs)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def status_command(directory: Path, as_json: bool) -> int:
    """Say how the campaign in DIRECTORY stands and what to do next. Only reads.

    \b
    Example:
      countersign campaign status runs/tuesday --json
    """
    from workflow.commands.campaign import status_campaign

    return status_campaign(directory, as_json=as_json)


@campaign.command("report")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object with the paths of what was written.")
def report_command(directory: Path, as_json: bool) -> int:
    """Write report.html, report.md and report.json of the campaign in DIRECTORY anew, from its evidence alone.

    The same evidence gives the same bytes. An unfinished campaign gets a report of what is there so far.

    \b
    Examples:
      countersign campaign report runs/tuesday && xdg-open runs/tuesday/report.html
      countersign audit runs/old --format json > runs/old/verdicts.json && countersign campaign report runs/old
    """
    from workflow.commands.campaign import report_campaign

    return report_campaign(directory, as_json=as_json)


@campaign.command("list", short_help="The campaigns in a folder, newest first.")
@click.argument(
    "directory", default=Path("runs"), metavar="[DIR]", type=click.Path(path_type=Path), shell_complete=completing.directories
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def list_command(directory: Path, as_json: bool) -> int:
    """The campaigns in DIR (default: runs), newest first: when they began, how they stand, what was banked. Only reads.

    \b
    Examples:
      countersign campaign list
      countersign campaign list /data/runs --json

    \b
    Exit codes: 0 listed, 2 no such directory, 5 a campaign cannot be read; it is named, with the reason.
    """
    from workflow.commands.campaigns import list_campaigns

    return list_campaigns(directory, machine=as_json)


@campaign.command("show", short_help="One campaign in full.")
@click.argument("directory", type=click.Path(path_type=Path), shell_complete=completing.runs)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show_command(directory: Path, as_json: bool) -> int:
    """The campaign in DIRECTORY in full: status, plans, verdicts with their reasons, banks, drops, files. Only reads.

    \b
    Examples:
      countersign campaign show runs/tuesday
      countersign campaign show runs/tuesday --json

    \b
    Exit codes: 0 shown, 2 no campaign, 5 record or ledger are damaged, or a file contradicts them.
    """
    from workflow.commands.campaigns import show_campaign

    return show_campaign(directory, machine=as_json)


@campaign.command("tail", short_help="What happens in a campaign, line by line.")
@click.argument("directory", type=click.Path(path_type=Path), shell_complete=completing.runs)
@click.option("--follow", "-f", is_flag=True, help="Go on until the campaign has finished, or nobody runs it any more.")
@click.option("--lines", "-n", default=20, show_default=True, type=click.IntRange(min=0), help="Events shown of what was before.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, every event and all it holds.")
def tail_command(directory: Path, follow: bool, lines: int, as_json: bool) -> int:
    """What happened last in the campaign in DIRECTORY, one line an event, out of its ledger and its log. Only reads.

    \b
    Examples:
      countersign campaign tail runs/tuesday
      countersign campaign tail runs/tuesday --follow
      countersign campaign tail runs/tuesday -n 1000 --json > events.jsonl

    \b
    Exit codes: 0 told, 2 no campaign, 130 Ctrl-C.
    """
    from workflow.commands.campaigns import tail_campaign

    return tail_campaign(directory, lines, follow=follow, machine=as_json)


@click.command("init-pair", short_help="Prepare a directory for an A/B measurement by hand.")
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


@click.group()
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


@click.command("doctor", short_help="What this machine has for campaigns, and what it lacks.")
@click.option("--out", default=Path("runs"), show_default=True, type=click.Path(path_type=Path), help="Where runs would be kept.")
@MODEL
@API_BASE
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def doctor_command(out: Path, model: tuple[str, ...], api_base: str | None, as_json: bool) -> int:
    """Look at this machine: packages, engines, accelerator, sandbox, disk, memory, load, keys; and the cure for what is wrong.

    Starts no server, prints no key, and asks no network but for --model, which is asked one small question. Each line is
    `ok`, `warn` or `missing`.

    \b
    Examples:
      countersign doctor
      countersign doctor --json | jq '.checks[] | select(.state != "ok")'
      countersign doctor --model openai/gpt-4o
      countersign doctor --model hosted_vllm/qwen3 --api-base http://127.0.0.1:8000/v1

    \b
    Exit codes: 0 the embedded campaign can run (with these models), 3 it cannot.
    """
    from workflow.commands.doctor import doctor_command as body

    return body(out, model, api_base, machine=as_json)


COMMANDS = (campaign, init_pair_command, model, doctor_command)

"""``countersign campaign init | run | resume | status``: real clock, real stopwatch, a person or a machine watching."""

from __future__ import annotations

import secrets
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from workflow.errors import InfrastructureError, InterruptedCampaignError, UsageError
from workflow.plain import one_line, path_text, printable, to_json
from workflow.startup import check_packages, require

if TYPE_CHECKING:
    from workflow.campaign import Outcome, Services
    from workflow.config import CampaignConfig, ModelsConfig
    from workflow.stopping import Stop


def init_campaign(file: Path) -> int:
    """Write an annotated campaign file. Raises UsageError when the file exists, InfrastructureError when it cannot be written."""
    require("campaign")
    from workflow.campaigns.annotated import annotated

    try:
        with file.open("x", encoding="utf-8") as handle:
            handle.write(annotated())
    except FileExistsError as error:
        raise UsageError(f"{file}: exists already, nothing was written", "Name a new file.") from error
    except OSError as error:
        raise InfrastructureError(f"{file}: cannot be written: {error.strerror}", "Name another file.") from error
    click.echo(one_line(f"{file}: every key with its default and its meaning"))
    click.echo(one_line(f"next: countersign campaign run {shlex.quote(str(file))} --plan-only"))
    return 0


@dataclass(frozen=True, slots=True)
class Answering:
    """Who is to answer for the roles, as the command line says it."""

    model: tuple[str, ...] = ()
    """``NAME`` for every role, or ``ROLE=NAME``."""
    api_base: str | None = None
    replay: Path | None = None
    """A recording, or the run that it is in: it answers in place of models."""
    record: Path | None = None
    """A second file for the calls."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be run, and where it is kept."""

    file: Path | None
    use_auditor: bool | None
    out: Path
    campaign_id: str | None
    plan_only: bool


def run_campaign(asked: Asked, answering: Answering, *, as_json: bool) -> int:
    """Announce the plan, run the campaign, say what came of it. Returns the exit code."""
    check_packages(audit=bool(asked.use_auditor))
    require("campaign")
    from workflow.announce import announcement, as_text
    from workflow.campaign import check, run
    from workflow.choosing import choose, told
    from workflow.config import load

    config = load(asked.file if asked.file is not None else embedded())
    models = choose(config.models, answering.model, answering.api_base)
    config = config.model_copy(update={"models": models})
    if asked.use_auditor is not None:
        config = config.model_copy(update={"use_auditor": asked.use_auditor})
    check(config)
    name = asked.campaign_id if asked.campaign_id is not None else new_id()
    run_dir = asked.out / name
    tape = _answerable(models, answering, run_dir)
    if config.use_auditor:
        _auditor_there()
    plan = announcement(config)
    click.echo(as_text(plan, config), err=as_json)
    if who := told(models, tape):
        click.echo(one_line(f"  {who}"), err=as_json)
    if asked.plan_only:
        if as_json:
            click.echo(to_json(plan.as_dict()))
        return 0
    _engine_there(config)
    with _services(plan.at_most, plan.seconds_per_launch, run_dir, tape, answering.record) as services:
        services.sink.say(f"run directory: {run_dir}")
        done = run(config, services, asked.out, name)
    return _finish(done, as_json)


def resume_campaign(run_dir: Path, answering: Answering, *, as_json: bool) -> int:
    """Go on with an interrupted campaign. Returns the exit code."""
    check_packages()
    require("campaign")
    from workflow.announce import announcement
    from workflow.campaign import read_campaign, resume, stored_config
    from workflow.looking import reading
    from workflow.status import status

    with reading(run_dir):
        config = stored_config(run_dir, read_campaign(run_dir))
        before = status(run_dir)
    tape = _answerable(config.models, answering, run_dir)
    if config.use_auditor:
        _auditor_there()
    _engine_there(config)
    plan = announcement(config)
    with _services(plan.at_most, plan.seconds_per_launch, run_dir, tape, answering.record) as services:
        for name, verdict in before.verdicts.items():
            word, _, outcome = verdict.partition(" ")
            services.sink.decided(name, word, outcome)
        done = resume(run_dir, services)
    return _finish(done, as_json)


def _answerable(models: ModelsConfig, answering: Answering, run_dir: Path) -> Path | None:
    """The recording to replay, if one is. Raises an error for models that cannot be asked, and files that will not do."""
    from workflow.choosing import can_ask, record_to, recording

    tape = None if answering.replay is None else recording(answering.replay, models)
    if answering.record is not None:
        record_to(answering.record, models, run_dir)
    if models.by_role() and tape is None:
        require("models")
        for lacking in can_ask(models):
            click.echo(one_line(f"not set, and asked for by most who serve it: {lacking}"), err=True)
    return tape


def status_campaign(run_dir: Path, *, as_json: bool) -> int:
    """Say how a campaign stands; reads only."""
    require("campaign")
    from workflow.looking import reading
    from workflow.status import status

    with reading(run_dir):
        found = status(run_dir)
    if as_json:
        click.echo(to_json(found.as_dict()))
    else:
        click.echo(printable(found.as_text()))
    return 0


def report_campaign(run_dir: Path, *, as_json: bool) -> int:
    """Write the reports of a campaign anew from its evidence. Returns the exit code."""
    check_packages()
    require("campaign")
    from workflow.campaign import LEDGER, read_campaign, stored_config, stored_digest
    from workflow.errors import EvidenceError, InfrastructureError
    from workflow.ledger import Ledger
    from workflow.report import Run, stopped_because, write_report

    record = read_campaign(run_dir)
    config = stored_config(run_dir, record)
    ledger = Ledger(run_dir / LEDGER, time.time, read_only=True)
    created = ledger.get("campaign")
    if created is None or created.body.get("config_sha256") != stored_digest(record):
        raise EvidenceError(f"{run_dir}: campaign.json and ledger.jsonl do not fit together", "Restore them from a copy.")
    run = Run(run_dir, str(record["campaign_id"]), config, ledger, stopped_because(config, ledger))
    try:
        written = write_report(run)
    except OSError as error:
        words = f"{error.filename or run_dir}: cannot be written: {error.strerror}"
        raise InfrastructureError(words, "Copy the run to a place that can be written, and report on the copy.") from error
    if as_json:
        click.echo(to_json({"schema": "countersign.reported/1", "written": [str(path) for path in written]}))
    else:
        for path in written:
            click.echo(path)
    return 0


def embedded() -> Path:
    """The campaign file that ships with Countersign."""
    return Path(__file__).resolve().parent.parent / "campaigns" / "embedded.yaml"


def _engine_there(config: CampaignConfig) -> None:
    """A server that is visited needs no engine here."""
    if config.server is None:
        require("engine")


def _auditor_there() -> None:
    check_packages(audit=True)
    require("audit")


def new_id() -> str:
    """A campaign id: UTC time and four random characters."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


@contextmanager
def _services(
    launches: int, seconds: float, run_dir: Path, tape: Path | None = None, record: Path | None = None
) -> Iterator[Services]:
    """The real services, and a tidy end of the terminal however the campaign ends."""
    from workflow.campaign import Services
    from workflow.measure.building import build_bench
    from workflow.progress import make_sink
    from workflow.stopping import Stop
    from workflow.timeleft import TimeLeft

    files = [f" --{name} {shlex.quote(path_text(path))}" for name, path in (("replay", tape), ("record", record)) if path]
    again = f"countersign campaign resume {shlex.quote(path_text(run_dir))}{''.join(files)}"
    sink = make_sink(sys.stderr, TimeLeft(launches, seconds, time.time), time.time, again)
    stop = Stop(sink.say, sink.at)
    with _stop_signals(stop):
        try:
            yield Services(time.time, new_id, build_bench, sink, stop.at, tape, record)
        except KeyboardInterrupt as error:
            raise InterruptedCampaignError(
                "interrupted; a launch that was not whole is discarded, what was sealed is safe",
                again,
            ) from error
        finally:
            sink.close()


@contextmanager
def _stop_signals(ctrl_c: Stop) -> Iterator[None]:
    """Ctrl-C ends a campaign after the repeat that runs, or at its second press; SIGTERM and SIGHUP end it at once.

    The running launch is aborted then, its server stopped.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # a shell's background job is not to hear it
        before[signal.SIGINT] = signal.signal(signal.SIGINT, ctrl_c.pressed)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


UNSIGNED = 5
"""Exit code of a campaign that banked what the auditor's model was to sign and did not."""


def _finish(done: Outcome, as_json: bool) -> int:
    code = UNSIGNED if done.unsigned else 0
    if as_json:
        click.echo(to_json(done.as_dict()))
        return code
    for name, verdict, outcome in done.verdicts:
        click.echo(f"auditor: {name}: {verdict} ({outcome})")
    if not done.audited:
        click.echo("UNAUDITED: nobody checked these results; `countersign audit` can, now or later")
    click.echo(f"banked: {', '.join(done.banked) or 'nothing'}; dropped: {', '.join(done.dropped) or 'nothing'}")
    if done.unsigned:
        click.echo(f"UNSIGNED: {', '.join(done.unsigned)}; the auditor's model could not be asked, see the verdict's note")
    if done.stopped in ("wall", "device", "money"):
        spent = {"money": "the money for models", "device": "the time budget of the servers"}.get(done.stopped, "the time budget")
        click.echo(f"partial: {spent} ended before everything was tried")
    click.echo(f"report: {done.report}")
    click.echo(f"page:   {done.page}")
    return code

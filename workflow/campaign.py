"""The face of a campaign directory: create and run one, resume it, ask how it stands."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import sqlite3
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.asking import people
from workflow.canonical import digest, pretty, write_atomic
from workflow.catalogue import overlays_to_try
from workflow.choosing import check_models, told
from workflow.config import CampaignConfig
from workflow.context import Context, Sink, levers_to_try
from workflow.errors import EvidenceError, InfrastructureError, UsageError
from workflow.ledger import Ledger
from workflow.log import log_line, open_log
from workflow.measure.execute import Bench
from workflow.owner import owned
from workflow.routing import step_bound
from workflow.serving import get_engine, validate_settings
from workflow.state import initial

SCHEMA = "countersign.campaign/1"  # 1: first form
FILE = "campaign.json"
LEDGER = "ledger.jsonl"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

BenchFactory = Callable[[CampaignConfig, Path, Callable[[], float], Callable[[str, float], None]], Bench]


@dataclass(frozen=True, slots=True)
class Services:
    """What a campaign needs from the world. The real ones are in ``workflow.commands``; tests bring their own."""

    clock: Callable[[], float]
    """Unix seconds."""
    new_id: Callable[[], str]
    """A campaign id nobody used before."""
    build_bench: BenchFactory
    """The stopwatch of a campaign directory: driver, prompts, entropy."""
    sink: Sink
    progress: Callable[[str, float], None] | None = None
    """Hears what the stopwatch does, in place of the sink; it may raise KeyboardInterrupt between two things."""
    tape: Path | None = None
    """Recorded calls that answer in place of models."""
    record: Path | None = None
    """A second file that calls are recorded in."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished campaign."""

    campaign_id: str
    run_dir: Path
    report: Path
    page: Path
    """The same report for a browser."""
    audited: bool
    banked: tuple[str, ...]
    dropped: tuple[str, ...]
    stopped: str
    """``levers`` and ``candidates``: tried all it could; ``wall``: ended early, the report is partial."""
    verdicts: tuple[tuple[str, str, str], ...]
    """Short name, verdict, outcome of every audit."""
    unsigned: tuple[str, ...] = ()
    """Of those that were banked: without the signature of the second reader that was wanted."""

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "schema": "countersign.outcome/1",
            "campaign_id": self.campaign_id,
            "run_dir": str(self.run_dir),
            "report": str(self.report),
            "page": str(self.page),
            "audited": self.audited,
            "banked": list(self.banked),
            "dropped": list(self.dropped),
            "unsigned": list(self.unsigned),
            "stopped": self.stopped,
            "partial": self.stopped in ("wall", "device", "money"),
            "verdicts": [dict(zip(("short_name", "verdict", "outcome"), row, strict=True)) for row in self.verdicts],
        }


def check(config: CampaignConfig) -> None:
    """Raise ConfigError for what the engine does not know, before anything is created."""
    engine = get_engine(config.engine)
    validate_settings(engine, config.flags, config.env)
    levers_to_try(config, engine)
    overlays_to_try(config, engine)
    check_models(config.models)


def run(config: CampaignConfig, services: Services, out: Path, campaign_id: str | None = None) -> Outcome:
    """Create ``out/<id>`` and run the campaign to its end.

    Raises UsageError when the directory is a campaign already, OwnedError when another process has it, ConfigError,
    InstallError, InfrastructureError (resume goes on) and EvidenceError (it cannot).
    """
    check(config)
    name = campaign_id if campaign_id is not None else services.new_id()
    if not _ID.fullmatch(name):
        raise UsageError(f"campaign id {name!r}: not a plain name", "Use letters, digits, '.', '_' and '-', at most 64.")
    run_dir = out / name
    taken = UsageError(f"{run_dir}: is a campaign already", f"countersign campaign resume {run_dir}")
    with _disk(run_dir):
        if (run_dir / FILE).exists():
            raise taken
        if run_dir.exists() and not {path.name for path in run_dir.iterdir()} <= {".state", f".{FILE}.tmp"}:
            raise UsageError(f"{run_dir}: exists and is no campaign", "Give another --id or --out.")
        (run_dir / ".state").mkdir(parents=True, exist_ok=True)
        refuse_links(run_dir)
        with owned(run_dir) as fence:
            if (run_dir / FILE).exists():  # another process was quicker
                raise taken
            record = {
                "schema": SCHEMA,
                "campaign_id": name,
                "created_unix": services.clock(),
                "config": config.model_dump(mode="json"),
                "policy": policy(config, services.tape),
                "versions": versions(),
            }
            write_atomic(run_dir / FILE, pretty(record))
            return _drive(config, services, run_dir, name, stored_digest(record), fence)


def resume(run_dir: Path, services: Services) -> Outcome:
    """Go on where the campaign was interrupted; a finished one returns its outcome. Errors as in ``run``."""
    record = read_campaign(run_dir)
    config = stored_config(run_dir, record)
    refuse_links(run_dir)
    with _disk(run_dir), owned(run_dir) as fence:
        return _drive(config, services, run_dir, str(record["campaign_id"]), stored_digest(record), fence)


def refuse_links(run_dir: Path) -> None:
    """Raise EvidenceError for links and special files in a run: whoever made them would have a campaign write elsewhere."""
    for place, folders, files in os.walk(run_dir):
        for name in (*folders, *files):
            path = Path(place, name)
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise EvidenceError(f"{path}: a link or a special file, and no campaign makes any", "Take it away, then resume.")


def read_campaign(run_dir: Path) -> dict[str, Any]:
    """campaign.json of a run. Raises UsageError when the directory is no campaign, EvidenceError when it is damaged."""
    path = run_dir / FILE
    if not path.is_file():
        raise UsageError(f"{run_dir}: not a campaign directory (no {FILE})", "Give the directory that `campaign run` printed.")
    try:
        record = json.loads(path.read_bytes())
        if record["schema"] != SCHEMA or not isinstance(record["campaign_id"], str):
            raise ValueError(f"schema {record['schema']!r}")
    except (ValueError, KeyError, TypeError) as error:
        raise EvidenceError(f"{path}: damaged ({error!r})", "Restore it from a copy, or start a new campaign.") from error
    found: dict[str, Any] = record
    return found


def stored_config(run_dir: Path, record: dict[str, Any]) -> CampaignConfig:
    """The resolved configuration a campaign was created with; one of before profiles goes on without.

    Raises EvidenceError when it does not validate.
    """
    import pydantic

    stored = record.get("config")
    before = {"profile": False} if isinstance(stored, dict) and "profile" not in stored else {}
    try:
        return CampaignConfig.model_validate_json(json.dumps({**before, **stored} if isinstance(stored, dict) else stored))
    except pydantic.ValidationError as error:
        raise EvidenceError(f"{run_dir / FILE}: its configuration is damaged", "Restore it from a copy.") from error


def stored_digest(record: dict[str, Any]) -> str:
    """Digest of the configuration as campaign.json holds it: keys that came to be later are not in it."""
    return digest(record.get("config"))


def _drive(
    config: CampaignConfig, services: Services, run_dir: Path, name: str, asked: str, fence: Callable[[], None]
) -> Outcome:
    """Run or resume the graph. ``asked``: digest of the stored configuration. ``fence``: of the lock that the caller holds."""
    from workflow.checkpoint import open_checkpoints
    from workflow.graph import build_graph, drive, spent_seconds

    with open_log(run_dir, name, services.clock) as log:
        ledger = Ledger(run_dir / LEDGER, services.clock, fence=fence, heard=lambda line: log_line(log, line))
        created = ledger.get("campaign")
        if created is not None and created.body["config_sha256"] != asked:
            what = f"{run_dir / FILE}: not the configuration in the ledger"
            raise EvidenceError(what, "Restore it, or start a new campaign.")
        bench = services.build_bench(config, run_dir, services.clock, services.progress or services.sink.at)
        who = people(config, run_dir, log, services.tape, services.record)

        def context(spent: float) -> Context:
            engine, now = get_engine(config.engine), services.clock()
            return Context(run_dir, name, config, engine, ledger, bench, services.sink, log, services.clock, now, spent, who)

        with open_checkpoints(run_dir / ".state") as saver:
            spent = spent_seconds(build_graph(context(0.0), saver), name)
            graph = build_graph(context(spent), saver)
            log.info("session_begins", spent_s=spent, sealed=len(ledger.of_kind("sealed")))
            state = drive(graph, initial(name), step_bound(config))
            log.info("session_ends", stopped=state["stopped"])
    return outcome(run_dir, ledger, config, state["stopped"])


def outcome(run_dir: Path, ledger: Ledger, config: CampaignConfig, stopped: str) -> Outcome:
    """What a finished campaign came to, from its ledger."""
    names = {kind: tuple(str(entry.body["short_name"]) for entry in ledger.of_kind(kind)) for kind in ("bank", "drop")}
    verdicts = tuple(
        (str(entry.body["short_name"]), str(entry.body["verdict"]), str(entry.body["outcome"]))
        for entry in ledger.of_kind("verdict")
    )
    return Outcome(
        campaign_id=run_dir.name,
        run_dir=run_dir,
        report=run_dir / "report.md",
        page=run_dir / "report.html",
        audited=config.use_auditor,
        banked=names["bank"],
        dropped=names["drop"],
        stopped=stopped,
        verdicts=verdicts,
        unsigned=tuple(str(entry.body["short_name"]) for entry in ledger.of_kind("bank") if entry.body.get("unsigned")),
    )


@contextlib.contextmanager
def _disk(run_dir: Path) -> Iterator[None]:
    """A full, read-only or forbidden disk is one clear error, whoever notices it."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        if isinstance(error, OSError) and error.errno not in NO_ROOM:
            raise
        words = error.strerror if isinstance(error, OSError) else f"checkpoints: {error}"
        raise InfrastructureError(
            f"{getattr(error, 'filename', None) or run_dir}: cannot be written: {words}",
            f"Mend that, then `countersign campaign resume {run_dir}` (or `run` again when nothing was created).",
        ) from error


def policy(config: CampaignConfig, tape: Path | None) -> str:
    """Who answers for the roles when the campaign begins: ``builtin``, or the models by role."""
    return told(config.models, tape) or "builtin"


def versions() -> dict[str, str]:
    """Versions of what orchestrates; those of the engine are in every launch."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("countersign", "langgraph", "pydantic"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found

"""Who answers for the roles of a campaign: built-in policies, models, or a recording; every call is kept in the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agents import Builtin, ModelError, Producers
from workflow.canonical import write_atomic
from workflow.errors import InfrastructureError
from workflow.rereading import SecondReader, second_reader
from workflow.state import Stopped

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from agents.cassette import Cassette
    from agents.llm import Call, Model
    from workflow.config import CampaignConfig, ModelsConfig

CALLS = "calls.jsonl"
"""Every call of a campaign, in its run directory; a recording is such a file."""


class BudgetSpentError(Exception):
    """No money or no tokens are left for models: the campaign ends as far as it came."""

    stopped: Stopped = "money"


class People(NamedTuple):
    """Who answers in a campaign."""

    producers: Producers
    second_reader: SecondReader | None
    """The auditor's, where an auditor is wanted and a model stands for it."""


def people(
    config: CampaignConfig, run_dir: Path, log: FilteringBoundLogger, tape: Path | None, record: Path | None = None
) -> People:
    """The roles of this campaign. Raises InfrastructureError when a recording cannot be read."""
    wanted = config.models.by_role()
    auditor = wanted.pop("auditor", None)
    reader = auditor if config.use_auditor else None
    if not wanted and reader is None:
        return People(Builtin(), None)
    from agents.modelled import Modelled

    make = models(config.models, run_dir, log, tape, record)
    producers = Modelled({role: make(name) for role, name in wanted.items()}, Builtin())
    return People(producers, None if reader is None else second_reader(make(reader), config.models.auditor_samples))


def models(
    config: ModelsConfig, run_dir: Path, log: FilteringBoundLogger, tape: Path | None, record: Path | None = None
) -> Callable[[str], Model]:
    """Makes a model by its name; all that one call of this makes share budget and record.

    ``tape``: answers in place of the wire. ``record``: a second file that every call is written to, at once.
    """
    from agents.cassette import SAID
    from agents.llm import Budget, Endpoint
    from agents.llm import Model as One

    own, played = _cassette(run_dir / CALLS), None if tape is None else _cassette(tape)
    copy = None if record is None else _copy(own, record)
    budget = Budget(config.max_usd, config.max_tokens)
    for call in own.calls:
        budget.charge(call)
        if played is not None and call.outcome in SAID:
            played.skip(call.request_sha256, call.role)

    def keep(call: Call) -> None:
        own.append(call)
        if copy is not None:
            copy.append(call)
        told: dict[str, Any] = call.model_dump(exclude={"version", "response", "latency_s"})
        log.info("model_call", replayed=played is not None, **told)

    def make(name: str) -> Model:
        at = Endpoint(name, config.api_base, config.deadline_s, config.answer_tokens)
        return One(at, budget, keep, known=own.find, tape=None if played is None else played.play)

    return make


def _cassette(path: Path) -> Cassette:
    from agents.cassette import Cassette

    try:
        return Cassette(path)
    except ModelError as error:
        raise InfrastructureError(str(error), error.next_step) from error


def _copy(own: Cassette, record: Path) -> Cassette:
    """A second file with what was recorded so far."""
    write_atomic(record, own.path.read_bytes() if own.path.exists() else b"")
    return _cassette(record)


@contextmanager
def asking(role: str) -> Iterator[None]:
    """A model that cannot be asked stops the campaign, never a candidate: resume asks again; a spent budget ends it."""
    try:
        yield
    except ModelError as error:
        if error.kind == "budget":
            raise BudgetSpentError(str(error)) from error
        then = "" if error.kind == "missing" else " Then resume the campaign: what was answered is not asked again."
        raise InfrastructureError(f"the model of role {role}: {error.kind}: {error}", f"{error.next_step}{then}") from error

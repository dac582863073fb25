"""What intake hands on: launches, legs and damage, each with the place in the raw files it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from audit.contract import Scalar, Source
from audit.intake.logs import LogFacts

Role = str
"""``ref``, ``cand``, or ``noise0``, ``noise1``, ... for A/A sets."""


class Failure(Struct, frozen=True):
    """Why a launch failed (server.json)."""

    phase: str
    reason: str
    detail: str | None = None


class Plan(Struct, frozen=True):
    """A launch's place in its plan (server.json)."""

    pair: int
    position: int
    order: list[str]
    repeats: int
    requests_per_repeat: int
    warmup_requests: int


class Survivor(Struct, frozen=True):
    """A process that outlived its server's stop."""

    pid: int
    command: str


class Stop(Struct, frozen=True):
    """How the server ended."""

    survivors: list[Survivor]
    port_closed: bool


class Sandbox(Struct, frozen=True):
    """Where the server ran."""

    kind: Literal["bubblewrap", "none"]
    detail: str | None = None


class Installed(Struct, frozen=True):
    """One overlay that the stopwatch put into a server; ``rebind`` False: installed and left switched off."""

    name: str
    target: str
    entry: str
    sha256: str
    rebind: bool


class Server(Struct, frozen=True):
    """The part of server.json that the auditor uses; times in Unix seconds."""

    schema: str
    launch_id: str
    status: Literal["complete", "failed"]
    effective: dict[str, Scalar]
    effective_source: dict[str, str]
    plan: Plan
    started_unix: float
    stopped_unix: float
    sandbox: Sandbox
    stop: Stop
    failure: Failure | None = None
    argv: list[str] = []
    env: dict[str, str] = {}
    versions: dict[str, str] = {}
    attached: bool = False
    """Somebody else's server, visited while it was up."""
    overlays: list[Installed] | None = None
    """None for a server of a stopwatch that knew no overlays."""


class Request(Struct, frozen=True):
    """One line of requests.jsonl; times in seconds since the repeat's start."""

    schema: str
    repeat: int
    index: int
    prompt: str
    prompt_sha256: str
    sent_s: float
    first_token_s: float | None
    end_s: float | None
    tokens_in: int
    tokens_out: int
    usage_in: int | None
    usage_out: int | None
    stop_reason: str | None
    error: str | None
    answer: str | None
    expected: str | None
    scheduled_s: float | None = None


class Stranger(Struct, frozen=True):
    """A foreign process in a host sample; ``cores`` of CPU over the second."""

    pid: int
    name: str
    cores: float


class Sample(Struct, frozen=True):
    """One second of host.json, the second that ends at ``t_unix``."""

    t_unix: float
    foreign_cores: float
    steal_cores: float
    foreign: list[Stranger]
    mhz: float | None = None
    """Mean clock of the cores; None where the machine does not say."""


class Host(Struct, frozen=True):
    """The part of host.json that the auditor uses."""

    schema: str
    samples: list[Sample]
    cores: int | None = None
    cpu_model: str | None = None


class Ours(Struct, frozen=True):
    """The key ``countersign`` of a row."""

    schema: str
    launch_id: str
    repeat: int
    start_unix: float
    end_unix: float
    requested: int
    failed: int
    output_len: int
    prompts_sha256: str
    usage_input_tokens: int
    usage_output_tokens: int


@dataclass(frozen=True, slots=True)
class Start:
    """server_start.json: whether the server came up and stayed up; ``words`` are the starter's own."""

    ok: bool
    words: str
    source: Source


@dataclass(frozen=True, slots=True)
class Detail:
    """One request of a row that kept its arrays; None where an array is missing."""

    tokens_in: int | None
    tokens_out: int
    ttft_ms: float | None
    e2e_ms: float | None
    """Added up from TTFT and the gaps between tokens."""
    failed: bool
    text: str | None
    gaps_ms: tuple[float, ...] | None = None
    """Time between tokens."""

    @property
    def tpot_ms(self) -> float | None:
        """Mean time per output token after the first."""
        if self.e2e_ms is None or self.ttft_ms is None or self.tokens_out < 2:
            return None
        return (self.e2e_ms - self.ttft_ms) / (self.tokens_out - 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One timed repeat: throughputs per second, latencies in ms, duration in s."""

    repeat: int
    """Our own index, or the order in the file."""
    source: Source
    metrics: dict[str, float]
    duration: float
    completed: int
    tokens_in: int | None
    tokens_out: int | None
    workload: dict[str, Scalar]
    config: str | None
    """``server_info`` as canonical JSON text; None when the dialect does not record it."""
    ours: Ours | None
    dialect: Literal["countersign", "sglang", "vllm"] = "sglang"
    era: str = ""
    requested: int | None = None
    """Requests asked; None where the client does not say."""
    failed: int | None = None
    start_unix: float | None = None
    end_unix: float | None = None
    stamp: str | None = None
    """The client's own date of the end of the run, local time without a zone, ``YYYYmmdd-HHMMSS``."""
    in_flight: float | None = None
    """Mean requests in flight, as the client computed it."""
    latency_mean_ms: float | None = None
    accept_length: float | None = None
    limit: float | None = None
    """Requests that the client kept in flight at most (``max_concurrency``)."""
    recounted: int | None = None
    """Output tokens, counted again in the text of the answers."""
    details: tuple[Detail, ...] = ()
    cache_hit_pct: float | None = None
    """Share of prompt tokens served from a prefix cache, percent, where the client recorded it."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One start of one server, or one flat folder of rows where starts are not recorded."""

    id: str
    rows: tuple[Row, ...]
    own: bool
    """Measured by our stopwatch: stricter rules apply."""
    server: Server | None = None
    requests: tuple[Request, ...] = ()
    samples: tuple[Sample, ...] = ()
    machine: str | None = None
    """Cores and processor that host.json names."""
    config_lines: dict[str, int] = field(default_factory=dict)
    """Effective key -> its line in server.json."""
    files: dict[str, str] = field(default_factory=dict)
    """Every file of evidence, relative to the run -> sha256."""
    log: LogFacts | None = None
    """The server's own log, where one lies with the launch."""
    start: Start | None = None
    """What the starter of a foreign server wrote about it."""

    def source(self, name: str, line: int | None = None) -> Source:
        """A place in a file of this launch."""
        path = name if self.id == "." else f"{self.id}/{name}"
        return Source(path, self.files.get(path), line)


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of the comparison, or one A/A set."""

    role: Role
    dir: str
    launches: tuple[Launch, ...]
    launches_known: bool
    """False for flat folders of rows: how many servers stand behind them is not recorded."""

    @property
    def own(self) -> bool:
        """True when our stopwatch measured it."""
        return any(launch.own for launch in self.launches)

    @property
    def rows(self) -> list[tuple[Launch, Row]]:
        """Every timed repeat, in the order of launches and repeats."""
        return [(launch, row) for launch in self.launches for row in launch.rows]

    @property
    def failed(self) -> list[Launch]:
        """Launches whose server died or hung."""
        return [launch for launch in self.launches if launch.server is not None and launch.server.status == "failed"]


@dataclass(frozen=True, slots=True)
class Damage:
    """Evidence that cannot be believed: where, what, and the taxonomy ids it falls under."""

    source: Source
    what: str
    ids: tuple[str, ...] = ()
    gate: str = "intake"
    """``intake`` or ``seal``."""

"""campaign.yaml as frozen models. Unknown keys, wrong types and impossible workloads are refused with their place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from workflow.errors import ConfigError

SCHEMA = 1  # 1: first form

Scalar = str | int | float | bool | None
MAX_BYTES = 256 * 1024
_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,255}")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class WorkloadConfig(_Frozen):
    """One closed-loop load, the same for every launch of the campaign."""

    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    """Clients that each wait for their answer before they send again."""
    output_len: Annotated[int, Field(ge=8, le=1024)] = 32
    """Output tokens forced on every request; the known answers of the tiny model are at least 32 long."""
    requests_per_repeat: Annotated[int, Field(ge=8, le=20_000)] = 32
    """Fewest requests of one timed repeat; each plan sizes it upwards so that its faster leg takes min_repeat_s."""
    warmup_requests: Annotated[int, Field(ge=1, le=2_000)] = 16
    """Requests after the start of a server that are never timed."""
    request_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Seconds after which a request without an answer means that the server hangs."""

    @model_validator(mode="after")
    def _enough_requests(self) -> WorkloadConfig:
        if self.requests_per_repeat < 2 * self.concurrency:
            raise ValueError(
                f"requests_per_repeat ({self.requests_per_repeat}) must be at least twice concurrency ({self.concurrency}): "
                "with fewer the load never reaches its concurrency for long enough to be measured"
            )
        return self


class MeasureConfig(_Frozen):
    """How often everything is measured."""

    aa_launches: Annotated[int, Field(ge=2, le=50)] = 6
    """Launches of the A/A set, all of the same configuration."""
    launches: Annotated[int, Field(ge=1, le=50)] = 3
    """Launches of each leg of an A/B."""
    repeats: Annotated[int, Field(ge=1, le=20)] = 2
    """Timed repeats of each launch."""
    final_launches: Annotated[int, Field(ge=1, le=50)] = 3
    """Launches of each leg of the final comparison with the true baseline."""
    min_repeat_s: Annotated[float, Field(ge=0.5, le=3600)] = 3.0
    """Shortest timed repeat in seconds."""
    start_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    """Seconds a server may take to answer for the first time."""


Role = Literal["baseline", "profiler", "config_tuner", "kernel_integrator", "auditor"]


class ModelsConfig(_Frozen):
    """Which language models answer for which roles; without any, the built-in policies do."""

    default: str | None = None
    """Model of every role, as LiteLLM spells it (``openai/gpt-4o``); null: none."""
    roles: dict[Role, str | None] = Field(default_factory=dict)
    """Model by role, in place of the default; null: the built-in policy."""
    api_base: str | None = None
    """Base URL of a server of one's own; null: the provider's."""
    deadline_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """Seconds that one call may take, its second try included."""
    answer_tokens: Annotated[int, Field(ge=64, le=100_000)] = 2000
    """Tokens that one answer may have."""
    max_usd: Annotated[float, Field(ge=0, le=1_000_000)] = 5.0
    """Money that all calls of a campaign may cost; a model without a known price is bounded by max_tokens alone."""
    max_tokens: Annotated[int, Field(ge=0, le=10_000_000_000)] = 2_000_000
    """Tokens that all calls of a campaign may take."""
    auditor_samples: Annotated[int, Field(ge=1, le=9)] = 1
    """How often the auditor's second reader is asked; where the answers disagree the verdict is a FLAG."""

    on_degraded: Literal["open", "closed"] = "open"
    """What a PASS or FLAG is worth whose second reader could not be asked: banked as UNSIGNED, or not banked."""

    def by_role(self) -> dict[Role, str]:
        """Model by role, without those that have none."""
        found = {role: self.roles.get(role, self.default) for role in get_args(Role)}
        return {role: name for role, name in found.items() if name is not None}


class CampaignConfig(_Frozen):
    """One campaign. Every field has a default; an empty file is the embedded campaign."""

    schema_version: Literal[1] = 1
    """Version of this format."""
    engine: Literal["transformers", "openai"] = "transformers"
    """Serving engine; ``transformers`` is ``transformers serve``, the embedded one; ``openai`` visits a server that is up."""
    server: str | None = None
    """Base URL of that server (``http://127.0.0.1:8000``), for ``engine: openai`` only."""
    served_model: str | None = None
    """Name under which that server knows its model; null: the first that it offers."""
    model: str = "tiny"
    """``tiny`` (the model that ships with Countersign) or the absolute path of a model directory."""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Loopback port of the servers; 0 picks a free one for each launch."""
    workload: WorkloadConfig = WorkloadConfig()
    """The load: a closed loop, in which each client waits for its answer before it sends again."""
    measure: MeasureConfig = MeasureConfig()
    """How often everything is measured, each launch on a fresh server."""
    noise_band_pct: Annotated[float, Field(gt=0, le=50)] = 5.0
    """Declared band in percent: smaller differences are not worth having."""
    flags: dict[str, Scalar] = Field(default_factory=dict)
    """Engine settings given to both legs as invariants."""
    env: dict[str, str] = Field(default_factory=dict)
    """Environment given to both legs; only keys on the engine's allow-list."""
    levers: tuple[str, ...] | None = None
    """Levers to try, in this order; null: every lever the engine declares."""
    max_candidates: Annotated[int, Field(ge=0, le=100)] = 4
    """Levers tried at most."""
    profile: bool = True
    """Profile the served model before anything is tried and after every bank; without it no overlay is tried."""
    overlays: tuple[str, ...] | None = None
    """Overlays of the catalogue to try, in this order, where the profile routes their operation; null: all that fit here."""
    max_overlays: Annotated[int, Field(ge=0, le=100)] = 1
    """Overlays tried at most."""
    models: ModelsConfig = ModelsConfig()
    """Language models behind the roles; without any, built-in policies answer."""
    use_auditor: bool = False
    """An auditor judges every result and only what it signs is banked; ``--use-auditor`` and ``--no-auditor`` override it."""
    auditor_max_remeasure: Annotated[int, Field(ge=0, le=5)] = 1
    """Whole new baseline sets an auditor may ask for."""
    auditor_max_fix: Annotated[int, Field(ge=0, le=5)] = 1
    """Times one change may go back to its producer after a FAIL."""
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Chance of one false accept in the whole campaign; shared out over the looks planned."""
    wall_minutes: Annotated[float, Field(gt=0, le=100_000)] = 120.0
    """Minutes of work, all sessions together: no new change is measured that they would not hold with the final comparison
    still to come; the report is then partial and says so."""
    device_minutes: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """Minutes that servers may run, all launches together; null: as long as the wall clock allows."""

    @model_validator(mode="after")
    def _server_fits_engine(self) -> CampaignConfig:
        if (self.engine == "openai") != (self.server is not None):
            raise ValueError("server: a base URL belongs to engine openai, and engine openai needs one")
        if self.server is not None and not _URL.fullmatch(self.server):
            raise ValueError(f"server {self.server!r}: not a base URL such as http://127.0.0.1:8000")
        if self.served_model is not None and self.server is None:
            raise ValueError("served_model: only with server")
        return self

    @property
    def alpha_per_look(self) -> float:
        """The error budget of one look, fixed before the first claim (design: Noise, launches, odds)."""
        return self.alpha / self.looks_planned

    @property
    def looks_planned(self) -> int:
        """Looks that the error budget is divided by: every attempt at every lever and overlay."""
        tried = self.max_candidates + (self.max_overlays if self.profile else 0)
        return max(tried, 1) * (1 + self.auditor_max_fix)


class _StrictLoader(yaml.SafeLoader):
    """YAML without duplicate keys."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is not text", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=deep)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def parse(text: str, name: str) -> CampaignConfig:
    """Parse campaign.yaml. Raises ConfigError naming the file, the line or the key, and what is allowed."""
    hint = "See `countersign campaign run --help` and docs/campaign.md for every key."
    try:
        raw = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark is not None else name
        raise ConfigError(f"{place}: not valid YAML: {getattr(error, 'problem', error)}", hint) from error
    except RecursionError as error:
        raise ConfigError(f"{name}: nested too deeply", hint) from error
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise ConfigError(f"{name}: the file must hold keys and values, not {type(raw).__name__}", hint)
    try:
        return CampaignConfig.model_validate(_tuples(raw))
    except ValidationError as error:
        problems = [_problem(item, text, name) for item in error.errors()]
        raise ConfigError("\n".join(problems), hint) from error


def _tuples(raw: dict[str, Any]) -> dict[str, Any]:
    return {**raw, **{key: tuple(raw[key]) for key in ("levers", "overlays") if isinstance(raw.get(key), list)}}


def _problem(item: Any, text: str, name: str) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    path = ".".join(str(part) for part in item["loc"]) or "(top)"
    last = str(item["loc"][-1]) if item["loc"] else ""
    line = next((n for n, row in enumerate(text.splitlines(), 1) if last and row.strip().startswith(f"{last}:")), None)
    place = f"{name}:{line}" if line else name
    if item["type"] == "extra_forbidden":
        return f"{place}: unknown key {path!r}"
    return f"{place}: {path}: {item['msg']} (got {item.get('input')!r:.80})"


def load(path: Path) -> CampaignConfig:
    """Read campaign.yaml. Raises ConfigError when it is missing, not text, too large or wrong."""
    try:
        if path.is_dir():
            raise ConfigError(f"{path}: is a directory, not a campaign file", "Give the path of a campaign.yaml.")
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes, not a campaign file", "Give the path of a campaign.yaml.")
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", "Give the path of a campaign.yaml.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})", "Save the file as UTF-8.") from error
    return parse(text, path.name)

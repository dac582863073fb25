"""The bench of a campaign, put together: driver, prompts, sandbox, and what profiles and benchmarks beside the servers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from workflow.config import CampaignConfig
from workflow.errors import ConfigError, InfrastructureError
from workflow.harness import Isolated
from workflow.harness import measure as isolate
from workflow.measure.attached import PlainPrompts, UsageCounter, answers, served_models
from workflow.measure.execute import Bench
from workflow.measure.prompts import TinyPrompts, TokenCounter
from workflow.measure.runner import Rig, ServerDriver
from workflow.measure.types import Prompt, Settings, Workload
from workflow.profiling import ProfileSpec, Table, profile
from workflow.sandbox import Sandbox, detect
from workflow.serving import OpenAIServer, get_engine
from workflow.serving.overlay import Overlay
from workflow.serving.tiny import TINY_MODEL


def build_bench(
    config: CampaignConfig, run_dir: Path, clock: Callable[[], float], progress: Callable[[str, float], None]
) -> Bench:
    """The real bench of a campaign. Raises ConfigError, InstallError or InfrastructureError before anything is started."""
    if config.server is not None:
        return _visiting(config, config.server, run_dir, clock, progress)
    engine = get_engine(config.engine)
    engine.version()
    model = model_dir(config.model)
    counter = TokenCounter(model)
    sandbox = detect()
    rig = Rig(engine, model, sandbox, counter, run_dir, config.port, config.measure.start_timeout_s)

    def profiler(settings: Settings, prompts: Sequence[Prompt], load: Workload, folder: Path) -> Table:
        texts = [prompt.text for prompt in prompts]
        spec = ProfileSpec(engine, model, settings.flags, settings.env, settings.overlays, texts, load.output_len)
        return profile(spec, sandbox, folder)

    def isolator(settings: Settings, overlay: Overlay, prompts: Sequence[Prompt], load: Workload, folder: Path) -> float | None:
        texts = [prompt.text for prompt in prompts]
        one = Isolated(engine, model, settings.flags, settings.env, settings.overlays, overlay, texts, load.output_len)
        speedup: float | None = isolate(one, sandbox, folder)["speedup"]
        return speedup

    driver, prompts = ServerDriver(rig), TinyPrompts(counter)
    return Bench(driver, prompts, clock, lambda: secrets.randbits(48), progress, sandbox, profiler, isolator)


def _visiting(
    config: CampaignConfig, url: str, run_dir: Path, clock: Callable[[], float], progress: Callable[[str, float], None]
) -> Bench:
    """The bench of a server that is up already: nothing is profiled, and no overlay can be put into it."""
    if not answers(url):
        raise InfrastructureError(f"{url}: nobody answers there", "Start the server first; it is visited, not started.")
    served = config.served_model if config.served_model is not None else served_models(url)[0]
    counter = UsageCounter() if config.model == "tiny" else TokenCounter(model_dir(config.model))
    outside = Sandbox("none", "somebody else started this server")
    rig = Rig(
        OpenAIServer(served), TINY_MODEL, outside, counter, run_dir, start_timeout_s=config.measure.start_timeout_s, attach=url
    )
    return Bench(ServerDriver(rig), PlainPrompts(), clock, lambda: secrets.randbits(48), progress, outside)


def model_dir(name: str) -> Path:
    """The directory of a model: the shipped one for ``tiny``, else an existing directory with a config.json."""
    if name == "tiny":
        return TINY_MODEL
    path = Path(name)
    if not path.is_absolute() or not (path / "config.json").is_file():
        raise ConfigError(
            f"model {name!r}: not an absolute path of a model directory (no config.json there)",
            "Give `model: tiny` or such a path.",
        )
    return path.resolve()

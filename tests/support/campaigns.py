"""Small campaigns over a simulated world, for tests that need the whole graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.simulated import FakeClock, SimulatedDriver, World, bench_factory
from workflow.campaign import Services
from workflow.config import CampaignConfig, MeasureConfig, WorkloadConfig
from workflow.measure.execute import UNCONFINED
from workflow.sandbox import Sandbox

LEVERS = ("continuous-batching", "dtype-bfloat16")


class ListSink:
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """See ``Sink.say``."""
        self.said.append(text)

    def stage(self, name: str, launches: int) -> None:
        """See ``Sink.stage``."""
        self.said.append(f"stage {name} {launches}")

    def at(self, what: str, fraction: float) -> None:
        """See ``Sink.at``."""

    def decided(self, name: str, word: str, detail: str) -> None:
        """See ``Sink.decided``."""
        self.said.append(f"decided {name} {word}")

    def close(self) -> None:
        """See ``Sink.close``."""


def small_config(**changes: Any) -> CampaignConfig:
    """A campaign of two levers that simulates in a second."""
    base: dict[str, Any] = {
        "workload": WorkloadConfig(concurrency=4, output_len=8, requests_per_repeat=8, warmup_requests=4),
        "measure": MeasureConfig(aa_launches=3, launches=2, repeats=2, final_launches=2, min_repeat_s=0.5),
        "levers": LEVERS,
        "profile": False,
    }
    return CampaignConfig(**{**base, **changes})


def services(
    world: World | None = None,
    clock: FakeClock | None = None,
    drivers: list[SimulatedDriver] | None = None,
    sink: ListSink | None = None,
    sandbox: Sandbox = UNCONFINED,
) -> Services:
    """Injected clock, id, stopwatch and sink."""
    now = clock or FakeClock()
    return Services(now, lambda: "sim", bench_factory(world or World(), now, drivers, sandbox), sink or ListSink())


def tree(root: Path, keep: Callable[[str], bool] = lambda _: True) -> dict[str, bytes]:
    """Every file below ``root`` by relative path, without checkpoints and logs."""
    files = {str(path.relative_to(root)): path for path in sorted(root.rglob("*")) if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if not name.startswith(".state/") and name != "log.jsonl" and keep(name)
    }

"""What else the machine did while it was measured: load, clock, steal, and CPU used by strangers, once a second."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import Any

import psutil

SCHEMA = "countersign.host/1"  # 1: first form
PERIOD_S = 1.0
LEAST_S = 0.2
"""A shorter span says nothing: process times tick in hundredths of a second."""
KTHREADD = 2


class HostSampler:
    """Samples in a thread from ``start`` to ``stop``.

    A stranger is a process that is neither this one nor a descendant of it (servers are descendants) nor a kernel
    thread. Its CPU in cores is the growth of its user and system time over the second, divided by the second.
    """

    def __init__(self) -> None:
        self.samples: list[dict[str, Any]] = []
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name="host-sampler", daemon=True)
        self._previous = _snapshot()

    def start(self) -> None:
        """Begin sampling."""
        self._thread.start()

    def stop(self) -> dict[str, Any]:
        """End sampling and return the content of host.json."""
        self._halt.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5 * PERIOD_S)
            current = _snapshot()
            if current["mono"] - self._previous["mono"] >= LEAST_S:  # the part of a second that is left
                self.samples.append(_difference(self._previous, current))
        return {"schema": SCHEMA, "cores": os.cpu_count() or 1, "cpu_model": _cpu_model(), "samples": self.samples}

    def quiet(self, limit_cores: float) -> bool:
        """True when the newest sample saw strangers use no more than ``limit_cores``."""
        return not self.samples or bool(self.samples[-1]["foreign_cores"] <= limit_cores)

    def _run(self) -> None:
        while not self._halt.wait(PERIOD_S):
            current = _snapshot()
            self.samples.append(_difference(self._previous, current))
            self._previous = current


def _snapshot() -> dict[str, Any]:
    processes: dict[tuple[int, float], tuple[float, str, int]] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error), process.oneshot():
            times = process.cpu_times()
            key = (process.pid, process.create_time())
            processes[key] = (times.user + times.system, process.name(), process.ppid())
    return {"at": time.time(), "mono": time.monotonic(), "cpu": psutil.cpu_times(), "processes": processes}


def _own(processes: dict[tuple[int, float], tuple[float, str, int]]) -> set[int]:
    """Pids of this process and its descendants."""
    own = {os.getpid()}
    parents = {pid: ppid for (pid, _), (_, _, ppid) in processes.items()}
    grew = True
    while grew:
        more = {pid for pid, ppid in parents.items() if ppid in own} - own
        own |= more
        grew = bool(more)
    return own


def _difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    span = max(after["mono"] - before["mono"], 1e-6)
    own = _own(after["processes"])
    mine, strangers = 0.0, []
    for key, (used, name, ppid) in after["processes"].items():
        cores = max(used - before["processes"].get(key, (0.0 if key not in before["processes"] else used, "", 0))[0], 0.0) / span
        if key[0] in own:
            mine += cores
        elif cores > 0 and KTHREADD not in (key[0], ppid):
            strangers.append({"pid": key[0], "name": name[:64], "cores": round(cores, 4)})
    old, new = before["cpu"], after["cpu"]
    idle = (new.idle + new.iowait) - (old.idle + old.iowait)
    steal = getattr(new, "steal", 0.0) - getattr(old, "steal", 0.0)
    frequency = psutil.cpu_freq()
    return {
        "t_unix": after["at"],
        "load1": os.getloadavg()[0],
        "mhz": round(frequency.current, 1) if frequency else None,
        "busy_cores": round(max((os.cpu_count() or 1) - idle / span, 0.0), 4),
        "own_cores": round(mine, 4),
        "foreign_cores": round(sum(item["cores"] for item in strangers), 4),
        "steal_cores": round(max(steal, 0.0) / span, 4),
        "foreign": sorted(strangers, key=lambda item: -item["cores"])[:5],
    }


def _cpu_model() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as handle:  # noqa: PTH123 - procfs
        for line in handle:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return "unknown"

"""Checks of the machine: sandbox, compiler, disk, memory, cores, load, ports, clock."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from workflow.doctoring.check import Check

SAMPLE_S = 0.5
QUIET_CORES = 0.25
"""Busy cores of a machine with nothing to do, this command not counted."""
LEAST_CORES = 2
"""One for the server, one for the load client and the stopwatch."""
MEMORY_TIGHT, MEMORY_LEAST = 2 << 30, 700 << 20
"""Bytes: a server of the embedded engine takes about 600 MiB, the campaign some 300 more."""
DISK_TIGHT, DISK_LEAST = 1 << 30, 50 << 20
"""Bytes: an embedded campaign leaves about 7 MB."""
COARSEST_TICK_S = 1e-4
FAST_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "xen")
PAIR_PORTS = (8000, 30000)
"""Ports in the commands that ``init-pair`` writes."""
COMPILERS = ("c++", "g++", "clang++")
QUIET_CURE = "Stop what else runs: launches beside other work are set aside and measured again, or cannot be believed."


def tools(*names: str) -> list[str]:
    """Those of the commands that are on the PATH."""
    return [name for name in names if shutil.which(name)]


def sandbox() -> Check:
    """Whether servers can be confined; found out by trying."""
    from workflow.sandbox import detect

    found = detect()
    if found.kind == "none":
        cure = "Install bubblewrap (Debian: apt install bubblewrap) and allow it to make user namespaces."
        return Check("sandbox", "warn", f"{found.detail}; campaigns run, and mark their evidence", cure)
    return Check("sandbox", "ok", found.detail)


def compiler(environment: Mapping[str, str]) -> Check:
    """A C++ compiler: what is compiled while it runs needs one, the embedded campaign does not."""
    named = environment.get("CXX", "").split()[:1]
    found = tools(*named, *COMPILERS)
    if found:
        return Check("compiler", "ok", shutil.which(found[0]) or found[0])
    words = "no C++ compiler: the lever `compile` and extensions that are compiled inline will fail"
    return Check("compiler", "warn", words, "Debian: apt install g++")


def disk(runs: Path) -> Check:
    """Whether campaigns can be kept in ``runs`` (or where it would be made), found out by trying, and for how long."""
    place = runs.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"x")
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Check("disk", "missing", f"{place} cannot be written: {error.strerror}", "Give another --out, or mend the rights.")
    words = f"{place} can be written, {free / 1e9:.1f} GB free; a campaign of the embedded engine takes 0.01 GB"
    if free < DISK_LEAST:
        return Check("disk", "missing", words, "Free some space, or give another --out.")
    return Check("disk", "ok", words) if free >= DISK_TIGHT else Check("disk", "warn", words, "Free some space.")


def available_bytes(root: Path = Path("/")) -> int | None:
    """Memory that can be had without swapping, within the limit of the control group; None where that is not told."""
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None
    group = root / "sys/fs/cgroup"
    try:
        left = int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return max(0, min(free, left))


def memory(free: int | None) -> Check:
    """Enough for one server and the campaign."""
    if free is None:
        return Check("memory", "warn", "this system does not tell how much is free", "Have 2 GiB.")
    words = f"{free / 2**30:.1f} GiB available"
    if free < MEMORY_LEAST:
        return Check("memory", "missing", words, "Free some: a server takes about 0.6 GiB.")
    return Check("memory", "ok", words) if free >= MEMORY_TIGHT else Check("memory", "warn", words, "Free some: 2 GiB are safe.")


def usable_cores(root: Path = Path("/")) -> float:
    """Cores this process may use: by its affinity and by the quota of its control group."""
    count = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = (root / "sys/fs/cgroup/cpu.max").read_text().split()
        return min(count, int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return count


def cores(count: float) -> Check:
    """One for the server, one for the client."""
    words = f"{count:g} usable"
    if count < LEAST_CORES:
        return Check("cores", "warn", words, "Use two: on one, server and load client disturb each other.")
    return Check("cores", "ok", words)


def busy_cores(root: Path = Path("/"), sample_s: float = SAMPLE_S) -> float | None:
    """Cores in use over a short look, by anybody, this process not counted; None where that is not told."""
    begun, own = _ticks(root), time.process_time()
    time.sleep(sample_s)
    ended = _ticks(root)
    if begun is None or ended is None or ended[1] <= begun[1]:
        return None
    share = (ended[0] - begun[0]) / (ended[1] - begun[1])
    return max(0.0, share * (os.cpu_count() or 1) - (time.process_time() - own) / sample_s)


def _ticks(root: Path) -> tuple[int, int] | None:
    """Busy and all ticks of all cores since the start of the machine."""
    try:
        values = [int(word) for word in (root / "proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(values) - values[3] - values[4], sum(values)
    except (OSError, ValueError, IndexError):
        return None


def load(busy: float | None, load1: float) -> Check:
    """Whether the machine is quiet now; measurements beside other work are of little worth."""
    if busy is None:
        return Check("load", "warn", f"load {load1:.2f}; this system does not tell which cores are busy", QUIET_CURE)
    words = f"{busy:.2f} cores busy now, load {load1:.2f} over the last minute"
    return Check("load", "ok", words) if busy <= QUIET_CORES else Check("load", "warn", words, QUIET_CURE)


def ports() -> Check:
    """Loopback can be listened on; the ports of ``init-pair`` are told when they are taken."""
    if not _free(0):
        return Check("ports", "missing", "no port of 127.0.0.1 can be listened on", "Bring the loopback device up.")
    taken = [str(port) for port in PAIR_PORTS if not _free(port)]
    if taken:
        words = f"127.0.0.1 can be listened on; taken: {', '.join(taken)}, which the commands of `init-pair` use"
        return Check("ports", "warn", words, "Nothing, for campaigns: they take free ones. Else stop what listens there.")
    return Check("ports", "ok", "127.0.0.1 can be listened on; campaigns take free ports")


def _free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def clock(root: Path = Path("/")) -> Check:
    """The clock of the stopwatch is fine enough and cheap to read."""
    tick = time.get_clock_info("monotonic").resolution
    try:
        source = (root / "sys/devices/system/clocksource/clocksource0/current_clocksource").read_text().strip()
    except OSError:
        source = "not told"
    words = f"monotonic to {tick:.0e} s, source {source}"
    if tick > COARSEST_TICK_S:
        return Check("clock", "warn", words, "Use another machine: repeats could not be told apart.")
    if source not in (*FAST_CLOCKS, "not told"):
        return Check("clock", "warn", words, "Prefer the source tsc: this one is slow to read, which every request pays for.")
    return Check("clock", "ok", words)

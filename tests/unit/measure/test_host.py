"""Foreign CPU is seen and named; our own is not foreign."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

from workflow.measure.host import HostSampler

BURN = "import time\nend = time.time() + 4\nwhile time.time() < end: pass"


def test_our_own_child_is_not_a_stranger() -> None:
    sampler = HostSampler()
    sampler.start()
    child = subprocess.Popen([sys.executable, "-c", BURN])
    time.sleep(2.6)
    child.kill()
    child.wait()
    record = sampler.stop()
    assert record["schema"] == "countersign.host/1"
    assert len(record["samples"]) >= 2
    assert max(sample["own_cores"] for sample in record["samples"]) > 0.5
    assert all(child.pid not in {f["pid"] for f in sample["foreign"]} for sample in record["samples"])


def test_a_stranger_that_burns_cpu_is_named() -> None:
    """The burner is started through a shell that exits, so init (or the test's reaper) owns it, not this process."""
    burner = (
        "import subprocess, sys; null = subprocess.DEVNULL; "
        f"print(subprocess.Popen([sys.executable, '-c', {BURN!r}], stdout=null, stderr=null).pid)"
    )
    out = subprocess.run([sys.executable, "-c", burner], capture_output=True, text=True, timeout=10, check=True).stdout
    stranger = psutil.Process(int(out))
    # Another test may have made this process the reaper of orphans; then the stranger is a descendant after all.
    adopted = stranger.ppid() == psutil.Process().pid
    sampler = HostSampler()
    sampler.start()
    time.sleep(2.3)
    record = sampler.stop()
    stranger.kill()
    seen = [sample for sample in record["samples"] if any(f["pid"] == stranger.pid for f in sample["foreign"])]
    assert bool(seen) is not adopted
    if not adopted:
        assert max(sample["foreign_cores"] for sample in seen) > 0.5

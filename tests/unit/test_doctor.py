"""``countersign doctor``: each check on a machine made of files, and the whole on this one."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

from workflow.cli import main
from workflow.commands.doctor import can_run, lines_of, summary
from workflow.doctoring import Check, machine, software
from workflow.doctoring.software import Probe

ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]


def told(check: Check) -> tuple[str, str]:
    return check.state, check.what


def test_the_whole_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Runs cannot be kept in a file: exit 3, all else as it is here; no key is printed, every trouble has a cure."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    assert main(["doctor", "--json", "--out", str(tmp_path / "file" / "runs")]) == 3
    out = capsys.readouterr().out
    page = json.loads(out)
    checks = [Check(**item) for item in page["checks"]]
    assert page["schema"] == "countersign.doctor/1" and page["embedded_campaign_can_run"] is False
    assert [item.name for item in checks if item.state == "missing"] == ["disk"]
    assert can_run([item for item in checks if item.name != "disk"])
    assert all(item.cure for item in checks if item.state != "ok") and len({item.name for item in checks}) == len(checks)
    assert "OPENAI_API_KEY" in out and "very-secret" not in out


def test_the_last_line_says_what_can_be_done() -> None:
    """It can, it can with warnings, it cannot and for which reasons."""
    fine, warned, gone = Check("a", "ok", "x"), Check("b", "warn", "y", "z"), Check("c", "missing", "y", "z")
    assert "can run here. next: countersign campaign run" in summary([fine])
    assert "can run here, with 1 warning." in summary([fine, warned])
    assert "cannot run here: c." in summary([fine, warned, gone])


def test_nothing_of_the_system_drives_the_terminal() -> None:
    """Versions, paths and errors come from elsewhere."""
    lines = lines_of(Check("a", "warn", "x\x1b[2J\ny", "z\u202e"))
    assert len(lines) == 2 and all(char.isprintable() for line in lines for char in line)


def test_versions_are_held_against_the_constraints() -> None:
    """Other versions are named with both; builds of the same version are the same; what is absent is not compared."""
    wanted = {"torch": "2.13.0", "duckdb": "2.0.0", "rich": "15.0.0"}
    assert software.versions(wanted, {"torch": "2.13.0+cpu", "duckdb": "2.0.0"}).state == "ok"
    other = software.versions(wanted, {"torch": "2.12.0", "rich": "15.0.0"})
    assert told(other) == ("warn", "torch 2.12.0 (measured with 2.13.0)") and "-c constraints.txt" in other.cure
    assert software.versions({}, {}).state == "warn"


def test_the_constraints_of_the_root_are_found() -> None:
    """The link in the package leads to them; names are compared as indexes do."""
    pinned = software.pins()
    assert pinned["torch"] == "2.13.0" and pinned["pyyaml"] and software.normal("Py_YAML.x") == "py-yaml-x"
    assert (ROOT / "workflow/constraints.txt").read_bytes() == (ROOT / "constraints.txt").read_bytes()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os._exit(3)", "exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "exit code -11"),
        ("raise ImportError('libgomp is gone')", "exit code 1 ImportError: libgomp is gone"),
        ('print(\'{"error": "torch: OSError: no such library"}\')', "torch: OSError: no such library"),
        ("import time; time.sleep(60)", "took more than 2 s"),
    ],
)
def test_an_engine_that_does_not_import(code: str, said: str) -> None:
    """However it ends, it is one line and a cure."""
    found = software.probe(code, timeout_s=2.0)
    check = software.embedded_engine(found)
    assert said in found.error and told(check) == ("missing", found.error) and "countersign[engine]" in check.cure


def test_accelerators() -> None:
    """None is fine; a driver without a device that torch sees is worth a word."""
    assert software.accelerator(Probe(), []).state == "ok"
    assert software.accelerator(Probe(devices=("H200",)), ["nvidia-smi"]).what.startswith("H200")
    assert software.accelerator(Probe(), ["rocm-smi"]).state == "warn"


def test_keys_are_names_alone() -> None:
    """An empty one is not set."""
    found = software.keys({"OPENAI_API_KEY": "secret", "GROQ_API_KEY": ""})
    assert "OPENAI_API_KEY" in found.what and "secret" not in str(found) and "GROQ" not in found.what


def test_weights_that_are_a_pointer(tmp_path: Path) -> None:
    """As a clone without large files has them."""
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert software.shipped_model(tmp_path).state == software.shipped_model(tmp_path / "gone").state == "missing"
    assert software.shipped_model().state == "ok"


def test_memory_within_the_control_group(tmp_path: Path) -> None:
    """The smaller of what the machine has and what the group may still take."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    assert machine.available_bytes(tmp_path) is None
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    4194304 kB\n")
    assert machine.available_bytes(tmp_path) == 4 << 30
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("2147483648\n")
    (tmp_path / "sys/fs/cgroup/memory.current").write_text("1073741824\n")
    assert machine.available_bytes(tmp_path) == 1 << 30
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert machine.available_bytes(tmp_path) == 4 << 30
    states = [machine.memory(count).state for count in (None, 100 << 20, 1 << 30, 4 << 30)]
    assert states == ["warn", "missing", "warn", "ok"]


def test_cores_within_the_control_group(tmp_path: Path) -> None:
    """A quota of one and a half is no two cores."""
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    whole = machine.usable_cores(tmp_path)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text("max 100000\n")
    assert machine.usable_cores(tmp_path) == whole >= 1
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text("50000 100000\n")
    assert machine.usable_cores(tmp_path) == 0.5
    assert machine.cores(1.5).state == "warn" and machine.cores(2).state == "ok"


def test_a_busy_machine_is_told(tmp_path: Path) -> None:
    """By what is used now; where that is not told, one is warned."""
    assert machine.load(0.1, 3.0).state == "ok"
    busy = machine.load(0.9, 0.1)
    assert busy.state == "warn" and "Stop what else runs" in busy.cure
    assert machine.busy_cores(tmp_path, 0.0) is None and machine.load(None, 0.0).state == "warn"
    seen = machine.busy_cores(sample_s=0.3)
    assert seen is not None and seen >= 0.0


def test_ports_that_are_taken_are_named() -> None:
    """Somebody listens where init-pair's server would."""
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", 30000))
        except OSError:
            pytest.skip("port 30000 is taken here already")
        listener.listen()
        found = machine.ports()
    assert found.state == "warn" and "30000" in found.what


def test_a_place_for_runs(tmp_path: Path) -> None:
    """A directory that is yet to be made is judged by where it would be; nothing stays behind."""
    assert machine.disk(tmp_path / "a" / "b").state == "ok"
    (tmp_path / "file").write_text("")
    refused = machine.disk(tmp_path / "file")
    assert refused.state == "missing" and "cannot be written" in refused.what
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_clocks(tmp_path: Path) -> None:
    """A source that is slow to read is worth a word; one that is not told is not."""
    folder = tmp_path / "sys/devices/system/clocksource/clocksource0"
    folder.mkdir(parents=True)
    assert machine.clock(tmp_path).state == "ok"
    for source, state in (("tsc", "ok"), ("acpi_pm", "warn")):
        (folder / "current_clocksource").write_text(f"{source}\n")
        assert machine.clock(tmp_path).state == state


def test_a_compiler_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CXX counts; without any it is a warning, for the embedded campaign needs none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.compiler({}).state == "warn"
    assert machine.compiler({"CXX": f"{sys.executable} -O2"}).state == "ok"

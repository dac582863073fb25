"""Gate 4 on overlays and environment: the third leg proves, the log refutes, silence stays open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from audit import audit_path, engine, requests
from audit.contract import Finding
from audit.evidence import Evidence
from audit.gates import engagement, overlay_proof
from audit.intake.logs import EventKind, LogEvent, LogFacts, LogValue
from audit.intake.model import Leg
from audit.policy import load
from tests.unit.audit.planted.overlays import AS_FAST, OFF, overlay, own

Line = tuple[EventKind, str]
BIND: Line = ("bind", "[overlay] bound sglang.srt.layers.linear.apply")


def evidence(run: Path) -> Evidence:
    """What the gates would see of the run's one request."""
    policy = load().policy
    request = requests.read(run, policy).requests[0]
    return engine._evidence(request, policy, engine._read(run, request, load()))


def logged(ev: Evidence, cand: Sequence[Line], ref: Sequence[Line] = (), config: Sequence[LogValue] = ()) -> Evidence:
    """The same with these events in the server logs of both legs, line by line; settings in the candidate's."""

    def leg(role: str, lines: Sequence[Line]) -> Leg:
        events = tuple(LogEvent(kind, number, text) for number, (kind, text) in enumerate(lines, start=1))
        log = LogFacts(f"{role}/server.log", "sglang", tuple(config) if role == "cand" else (), events)
        return replace(ev.legs[role], launches=tuple(replace(item, log=log) for item in ev.legs[role].launches))

    return replace(ev, legs={"ref": leg("ref", ref), "cand": leg("cand", cand)})


@dataclass(frozen=True)
class Told:
    """What the logs say, and the answer it deserves."""

    name: str
    status: str
    ids: str
    cand: tuple[Line, ...] = (BIND,)
    ref: tuple[Line, ...] = ()
    tp: int = 1


RANK0: Line = ("bind", "TP0] [overlay] bound apply")
IMPORT: Line = ("import_error", "ImportError: cannot import name 'apply'")
FELL: Line = ("fallback", "gemm not supported, using torch")
TOLD = (
    Told("a bind line", "ok", "E01"),
    Told("silence", "unknown", "E05", cand=()),
    Told("one worker of two", "fail", "E12", cand=(RANK0,), tp=2),
    Told("both workers", "ok", "E12", cand=(RANK0, ("bind", "TP1] [overlay] bound apply")), tp=2),
    Told("two workers, no rank in the line", "ok", "E01", tp=2),
    Told("a failed import alone", "fail", "E14", cand=(IMPORT,)),
    Told("a failed import after binding", "fail", "E15", cand=(BIND, IMPORT)),
    Told("a failed import before binding", "ok", "E01", cand=(IMPORT, BIND)),
    Told("a failed import in both legs", "ok", "E01", cand=(BIND, IMPORT), ref=(IMPORT,)),
    Told("a fallback after binding", "fail", "E10", cand=(BIND, FELL)),
    Told("a fallback in both legs", "ok", "E01", cand=(BIND, FELL), ref=(FELL,)),
    Told("a fallback and no bind line", "unknown", "E05", cand=(FELL,)),
    Told("no call counted", "fail", "E01", cand=(BIND, ("bind", "[overlay] apply calls=0"))),
    Told("calls counted", "ok", "E01", cand=(BIND, ("bind", "[overlay] apply calls=0"), ("bind", "[overlay] apply calls=412"))),
    Told("bound in the reference", "fail", "C16", ref=(BIND,)),
)  # fmt: skip


@pytest.mark.parametrize("case", TOLD, ids=lambda case: case.name)
def test_what_logs_say_of_an_overlay(case: Told, tmp_path: Path) -> None:
    """Lines refute; for foreign runs a line from every launch may carry it, in words that say so."""
    ev = logged(evidence(overlay(tmp_path, None, info={"tp_size": case.tp})), case.cand, case.ref)
    found = engagement.check(ev)[0]
    assert (found.status, case.ids in found.ids) == (case.status, True), found
    if case.status == "ok":
        assert "on the word of the log alone" in found.reason
    else:
        assert found.next_step


def test_a_log_line_proves_nothing_on_our_own_stopwatch(tmp_path: Path) -> None:
    """The candidate writes its own log: without the third leg an own run stays open."""
    found = overlay_proof.check(logged(evidence(own(None)(tmp_path)), (BIND,)))[0]
    assert (found.status, found.required, found.ids) == ("unknown", True, ["E01"])
    assert "off/" in found.next_step


def _third(off: Sequence[float]) -> Callable[[Path], Path]:
    return lambda root: overlay(root, None, off=off)


@dataclass(frozen=True)
class Third:
    """Speeds of the third leg, and what they show."""

    name: str
    make: Callable[[Path], Path]
    status: str
    says: str


THIRD = (
    Third("off looks like the reference", _third(OFF), "ok", "the overlay's code makes the gain"),
    Third("off is as fast", _third(AS_FAST), "fail", "not what gained"),
    Third("half of the gain is there without it", _third((1040.1, 1041.7, 1039.4)), "flag", "part of the gain"),
    Third("too scattered to tell", _third((1001.3, 1083.2, 1030.1)), "unknown", "too close to tell"),
    Third("own stopwatch, off like ref", own(1000.0), "ok", "the overlay's code makes the gain"),
    Third("own stopwatch, off like cand", own(1100.0), "fail", "not what gained"),
    Third("own stopwatch, off slower than ref", own(985.0), "ok", "the overlay's code makes the gain"),
)


@pytest.mark.parametrize("case", THIRD, ids=lambda case: case.name)
def test_the_third_leg_decides(case: Third, tmp_path: Path) -> None:
    """The candidate has to beat its own overlay switched off, and that one has to look like the reference."""
    found = overlay_proof.check(evidence(case.make(tmp_path)))
    assert [(item.status, case.says in item.reason) for item in found] == [(case.status, True)], found
    assert {"cand_over_off", "off_over_ref"} <= set(found[0].figures)


def test_a_third_leg_with_other_settings_proves_nothing(tmp_path: Path) -> None:
    """A setting that neither leg has makes it a third configuration."""
    run = overlay(tmp_path, None, off=OFF)
    rows = (run / "off/bench_runs.jsonl").read_text().replace('"mem_fraction_static": 0.85', '"mem_fraction_static": 0.7')
    (run / "off/bench_runs.jsonl").write_text(rows)
    found = overlay_proof.check(evidence(run))[0]
    assert found.status == "unknown"
    assert "mem_fraction_static is 0.7" in found.reason


def test_a_third_leg_that_bound_proves_nothing(tmp_path: Path) -> None:
    """Switched off, it must not say that it was bound."""
    ev = evidence(overlay(tmp_path, None, off=OFF))
    assert ev.off is not None
    log = LogFacts("off/server.log", "sglang", (), (LogEvent("bind", 7, BIND[1]),))
    off = replace(ev.off, launches=tuple(replace(item, log=log) for item in ev.off.launches))
    found = overlay_proof.check(replace(ev, off=off))[0]
    assert (found.status, "off/server.log:7" in found.reason) == ("unknown", True)


def test_declared_files_that_are_missing_stay_open(tmp_path: Path) -> None:
    """A patch that nobody can read has not been shown to run."""
    run = overlay(tmp_path, None, off=OFF)
    (run / "overlay/gemm.py").unlink()
    found = overlay_proof.check(evidence(run))[0]
    assert (found.status, found.ids) == ("unknown", ["E14"])
    assert "overlay/gemm.py: no such file" in found.reason


def test_files_that_merely_lie_there_are_not_required(tmp_path: Path) -> None:
    """Nobody claimed the gain for them: silence about them is listed, and does not fail the claim on the flags."""
    run = overlay(tmp_path, None)
    change = '{"lever": "x", "flags": {"attention_backend": "fa3"}}'
    request = f'{{"scope": "patch", "cand_dir": "cand", "eval_dir": "ref", "change": {change}}}'
    (run / "audit_request.json").write_text(request)
    found = engagement.check(evidence(run))
    assert (found[0].status, found[0].required) == ("unknown", False)


def _env(ev: Evidence) -> Finding:
    return engagement.check(ev)[0]


def test_an_environment_that_nothing_records_is_unknown(tmp_path: Path) -> None:
    """SGLang's rows hold no environment; a log line may state it, in the candidate alone."""
    run = overlay(tmp_path, None)
    request = '{"scope": "patch", "cand_dir": ".", "change": {"lever": "x", "env": {"SGLANG_FAST": "1"}}}'
    (run / "audit_request.json").write_text(request)
    (run / "overlay/gemm.py").unlink()
    ev = evidence(run)
    assert (_env(ev).status, _env(ev).required) == ("unknown", True)
    value = LogValue("env.SGLANG_FAST", '"1"', 3)
    assert _env(logged(ev, (), config=[value])).status == "ok"
    assert _env(logged(ev, (), config=[LogValue("env.SGLANG_FAST", '"0"', 3)])).status == "fail"


def test_the_whole_verdict_names_the_overlay(tmp_path: Path) -> None:
    """With a third leg the verdict passes, class A, with the source lines that show it."""
    found = audit_path(overlay(tmp_path, None, off=OFF))[0]
    assert (found.verdict, found.lever_class, found.engagement_ok) == ("PASS", "A", True)
    assert any("overlay/gemm.py:" in words for words in found.lever_evidence)

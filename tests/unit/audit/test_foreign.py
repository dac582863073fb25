"""Rows that this project never measured: discovery of legs, loads, settings, and what stays open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit import AuditError, AuditRequest, Verdict, audit, audit_path, exit_code, render
from tests.unit.audit.build import Json, foreign, sglang_row

INFO: Json = {"model_path": "m", "attention_backend": "fa3", "mem_fraction_static": 0.85, "port": 1, "random_seed": 5}
REF, CAND = (1000.0, 1001.5, 999.25), (1080.0, 1083.0, 1081.5)


def _pair(root: Path, change: Json, names: tuple[str, str] = ("ref", "cand"), **keys: Any) -> Path:
    """Two flat legs; ``change`` goes into the candidate's settings, ``keys`` into its rows."""
    foreign(root / names[0], [sglang_row(value, INFO) for value in REF])
    info = {**INFO, "port": 2, "random_seed": 6, **change}
    foreign(root / names[1], [sglang_row(value, info, **keys) for value in CAND])
    return root


def _one(root: Path) -> Verdict:
    found = audit_path(root)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    "names", [("ref", "cand"), ("base", "final"), ("before", "after"), ("control", "treatment"), ("x_ref", "x_cand")]
)
def test_known_pairs_are_found(names: tuple[str, str], tmp_path: Path) -> None:
    """One setting differs and nothing was declared: it is taken as the lever, and the verdict says so."""
    found = _one(_pair(tmp_path, {"attention_backend": "triton"}, names))
    assert (found.verdict, found.outcome, found.lever_class) == ("PASS", "proven", "A"), render([found])
    assert found.launches.ref is None
    assert found.effect.rule == "ranges"
    assert set(found.effect.odds_pct) == {"0.3", "1", "2"}
    assert "derived from the layout" in found.note
    assert any("taken as the change" in finding.reason for finding in found.findings)
    assert {"seal", "contention", "lifecycle", "correctness", "same_work"} <= {line.split(":")[0] for line in found.not_checked}


def test_numbered_launches_are_launches(tmp_path: Path) -> None:
    """``launch_000`` and ``replica_001/attempt_1`` are launches of one leg; three a side bring inference."""
    for index, (ref, cand) in enumerate(zip(REF, CAND, strict=True)):
        foreign(tmp_path / f"ref/launch_{index:03d}", [sglang_row(ref, INFO), sglang_row(ref + 0.5, INFO)])
        info = {**INFO, "attention_backend": "triton"}
        foreign(
            tmp_path / f"cand/replica_{index:03d}/attempt_1", [sglang_row(cand, info), sglang_row(cand + 0.5, info)], "r.jsonl"
        )
    found = _one(tmp_path)
    assert (found.verdict, found.effect.rule, found.launches.ref, found.launches.cand) == ("PASS", "launches", 3, 3), render(
        [found]
    )


def test_a_second_setting_is_a_confound(tmp_path: Path) -> None:
    """Two settings differ, nothing declared: both are named with value, file and line."""
    found = _one(_pair(tmp_path, {"attention_backend": "triton", "mem_fraction_static": 0.72}))
    assert (found.verdict, found.action, found.outcome) == ("FAIL", "eject", "not_measured")
    assert any(
        "'mem_fraction_static' is 0.85 in ref (ref/bench_runs.jsonl:1) and 0.72 in cand" in reason for reason in found.reasons
    )


def test_nothing_differs(tmp_path: Path) -> None:
    """A gain with no change at all is credited to nothing."""
    found = _one(_pair(tmp_path, {}))
    assert (found.verdict, found.outcome, found.lever_class) == ("FAIL", "not_measured", "indeterminate")


def test_declared_change_decides(tmp_path: Path) -> None:
    """A declared flag in command-line spelling covers its key; a quoted number is the number."""
    _pair(tmp_path, {"mem_fraction_static": 0.72})
    change = {"lever": "mem", "flags": {"--mem-fraction-static": "0.72"}}
    (tmp_path / "audit_request.json").write_text(json.dumps({"scope": "patch", "change": change}))
    found = _one(tmp_path)
    assert (found.verdict, found.lever_class, found.engagement_ok) == ("PASS", "B", True), render([found])


def test_other_loads_are_a_confound(tmp_path: Path) -> None:
    """One load a leg, and not the same one."""
    found = _one(_pair(tmp_path, {"attention_backend": "triton"}, max_concurrency=32))
    assert (found.verdict, found.outcome) == ("FAIL", "not_measured")
    assert any("workload.max_concurrency" in reason for reason in found.reasons)


def test_a_sweep_is_no_set_of_repeats(tmp_path: Path) -> None:
    """Two common loads: which one is meant is not guessed. One common load: that one is compared."""
    info = {**INFO, "attention_backend": "triton"}
    for name, values, settings in (("ref", REF, INFO), ("cand", CAND, info)):
        rows = [sglang_row(value + load, settings, max_concurrency=load) for load in (8, 16) for value in values]
        foreign(tmp_path / name, rows)
    found = _one(tmp_path)
    assert (found.verdict, found.outcome) == ("FAIL", "not_measured")
    assert "a sweep, not repeats" in found.reasons[0]
    foreign(tmp_path / "ref", [sglang_row(value, INFO, max_concurrency=16) for value in REF])
    found = _one(tmp_path)
    assert found.verdict == "PASS", render([found])
    assert found.metrics["output_throughput"].cand is not None
    assert found.metrics["output_throughput"].cand.n == 3


def test_no_settings_recorded(tmp_path: Path) -> None:
    """Old rows without server_info: what else differed cannot be told, so the claim is not countersigned."""
    for name, values in (("ref", REF), ("cand", CAND)):
        foreign(tmp_path / name, [sglang_row(value) for value in values])
    found = _one(tmp_path)
    assert (found.verdict, found.action, found.outcome) == ("FAIL", "remeasure", "not_measured")


def test_several_candidates_for_a_role(tmp_path: Path) -> None:
    """Two pairs in one folder: the request is answered with what was seen."""
    _pair(tmp_path, {"attention_backend": "triton"})
    _pair(tmp_path, {"attention_backend": "triton"}, ("before", "after"))
    found = audit(tmp_path, AuditRequest("patch", cand_dir="."))
    assert (found.verdict, found.outcome) == ("FAIL", "not_measured")
    assert "more than one pair" in found.reasons[0]
    assert "ref/cand, before/after" in found.reasons[0]


def test_two_single_legs(tmp_path: Path) -> None:
    """eval_dir and cand_dir may name the legs themselves; baseline/ against config/<name>/ is derived."""
    _pair(tmp_path, {"attention_backend": "triton"}, ("baseline", "config/fast"))
    found = audit(tmp_path, AuditRequest("patch", eval_dir="baseline", cand_dir="config/fast"))
    assert found.verdict == "PASS", render([found])
    assert {verdict.audit_scope for verdict in audit_path(tmp_path)} == {"patch", "baseline"}


def test_the_noisy_baseline(tmp_path: Path) -> None:
    """966.36, 1004.05, 1004.71 at band 0.5: FLAG remeasure, repeat 0 by file and line; the quiet twin passes."""
    foreign(tmp_path / "baseline", [sglang_row(value, INFO) for value in (966.36, 1004.05, 1004.71)])
    found = _one(tmp_path)
    assert (found.verdict, found.action, found.outcome, found.audit_scope) == ("FLAG", "remeasure", "underpowered", "baseline")
    assert "repeat 0 of baseline stands out with 966.36" in found.flags[0]
    assert "(baseline/bench_runs.jsonl:1)" in found.flags[0]
    ref = found.metrics["output_throughput"].ref
    assert ref is not None
    assert ref.median == 1004.05
    assert ref.spread_pct == pytest.approx(3.8195, abs=1e-4)
    assert exit_code([found]) == 4
    foreign(tmp_path / "baseline", [sglang_row(value, INFO) for value in (1003.36, 1004.05, 1004.71)])
    assert _one(tmp_path).verdict == "PASS"


def test_a_trend_is_flagged(tmp_path: Path) -> None:
    """Six repeats that only rise."""
    foreign(tmp_path / "baseline", [sglang_row(value, INFO) for value in (1000.0, 1004.0, 1008.0, 1012.0, 1016.0, 1020.0)])
    assert any("drift inside the leg" in flag for flag in _one(tmp_path).flags)


def test_a_stranger_of_the_same_name_is_named(tmp_path: Path) -> None:
    """A line that is no serving result is damage, not a zero."""
    foreign(tmp_path / "ref", [sglang_row(1000.0, INFO), {"tok_s": 22.0, "device": "x"}])
    foreign(tmp_path / "cand", [sglang_row(1100.0, INFO)])
    found = _one(tmp_path)
    assert found.outcome == "evidence_damaged"
    assert "ref/bench_runs.jsonl:2: not a result of SGLang" in found.reasons[0]


@pytest.mark.parametrize(
    ("request_text", "says"),
    [
        ('{"scope": "patch", "cand_dir": "/etc"}', "leads out"),
        ('{"scope": "patch", "cand_dir": "../x"}', "leads out"),
        ('{"scope": "patch", "cand_dir": "link"}', "leads out"),
        ('{"scope": "baseline", "eval_dir": "ref", "noise_dirs": ["../x"]}', "leads out"),
        ('{"scope": "kernel"}', r"\$\.scope"),
        ('[{"scope": "patch"}, {"scope": "patch", "speed": 1}]', "request 1.*speed"),
        ('{"scope": "patch", "noise_band_pct": "0.5"}', "noise_band_pct"),
        ('{"scope": "patch", "noise_band_pct": true}', "noise_band_pct"),
        ('{"scope": "patch", "alpha": 0}', "'alpha'"),
        ('{"scope": "patch", "baseline_throughput": -1}', "'baseline_throughput'"),
        ('{"scope": "patch", "scope": "bundle"}', "stands twice"),
        ('{"scope": "patch", "policy": "mine.json"}', "'policy'"),
        ('[{"scope": "patch", "short_name": "a"}, {"scope": "patch", "short_name": "a"}]', "stands twice"),
        ("[]", "empty"),
        ("{", "cut off"),
    ],
)
def test_a_wrong_request_is_a_usage_error(request_text: str, says: str, tmp_path: Path) -> None:
    """AuditError, exit code 2, naming the file or the path and the field."""
    run = _pair(tmp_path / "run", {})
    (run / "link").symlink_to("/etc")
    (run / "audit_request.json").write_text(request_text)
    with pytest.raises(AuditError, match=says) as caught:
        audit_path(run)
    assert caught.value.exit_code == 2
    assert caught.value.next_step


def test_nothing_to_audit(tmp_path: Path) -> None:
    """An empty and a missing directory are usage errors."""
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(AuditError):
            audit_path(place)


def test_json_shape_follows_the_request_file(tmp_path: Path) -> None:
    """One object for an object or one derived request, a list for a list, even of one."""
    run = _pair(tmp_path, {"attention_backend": "triton"})
    assert isinstance(json.loads(render(audit_path(run), "json")), dict)
    for text, kind in (('{"scope": "patch"}', dict), ('[{"scope": "patch"}]', list)):
        (run / "audit_request.json").write_text(text)
        assert isinstance(json.loads(render(audit_path(run), "json")), kind)

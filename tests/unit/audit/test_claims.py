"""Gate 6: what claim files say is compared with the raw rows, named where it differs, and believed nowhere."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import Finding, Verdict, audit_path, render
from audit.gates import claims as gate
from audit.intake import claim_settings
from audit.policy import load
from audit.rendering import canonical_json
from tests.unit.audit import cases
from tests.unit.audit.build import Json, Run, Server, foreign
from tests.unit.audit.planted.claims import (
    CAND,
    DIRECTOR,
    FLAGS,
    INFO,
    INSIDE,
    INTEGRATE,
    REF,
    SUMMARY,
    SWEEP,
    Edit,
    Files,
    both,
    honest,
    integrate,
    put,
    rows,
    run,
    summary,
)

RESULT = f"config/attn/{INTEGRATE}"


def one(root: Path) -> Verdict:
    """The only verdict on a run."""
    found = audit_path(root)
    assert len(found) == 1
    return found[0]


def of_gate(verdict: Verdict, status: str = "") -> list[Finding]:
    """Findings of gate 6."""
    return [item for item in verdict.findings if item.gate == gate.GATE and status in ("", item.status)]


def add(file: str, **keys: Any) -> Edit:
    """An edit that adds keys to one file, or writes a new one."""

    def edit(files: Files) -> None:
        files.setdefault(file, {}).update(keys)

    return edit


@dataclass(frozen=True)
class Case:
    """One edit of an honest run, and what gate 6 says of it."""

    name: str
    edit: Edit
    ids: tuple[str, ...] = ()
    """Of the one flag; empty: no flag."""
    says: tuple[str, ...] = ()
    bundle: bool = False


def _isolated(files: Files) -> None:
    files[RESULT]["isolated_speedup"] = 3.0
    files["config/attn/opbench_result.json"] = {
        "winner_ms": 0.05, "baseline_ms": 0.33, "isolated_speedup": 7.1, "pct_gpu_time": 20.0, "amdahl_ceiling_e2e_pct": 20.43,
    }  # fmt: skip


def _probe(accuracy: float, said: float) -> Edit:
    def edit(files: Files) -> None:
        results = [{"idx": n, "gold": "1", "pred": "1" if n < 1170 else "2", "ok": n < 1170} for n in range(1300)]
        for leg in ("ref", "cand"):
            graded = {"exact_match": accuracy, "n": 1300, "correct": 1170}
            files[f"config/attn/gsm8k_{leg}.json"] = {"summary": graded, "results": results}
        files["config/attn/revalidate.json"] = {"holds": True, "cand_accuracy": said, "remeasured_delta_pct": 8.15}

    return edit


def _per_leg(files: Files) -> None:
    files[RESULT]["invariants"] = [
        {"leg": "ref", "tensor_parallel": 4, "mem_fraction": 0.85}, {"leg": "cand", "tensor_parallel": 4, "mem_fraction": 0.9},
    ]  # fmt: skip


CASES = (
    Case("honest patch", honest),
    Case("honest bundle", honest, bundle=True),
    Case("numbers in quotes", put(INTEGRATE, "cand_med", "1081.5")),
    Case("fewer decimals", both(put(INTEGRATE, "e2e_delta_pct", 8.1), put(INTEGRATE, "cand_med", 1081.5))),
    Case("a whole number", put(INTEGRATE, "e2e_delta_pct", 8)),
    Case("rounded too far", put(INTEGRATE, "e2e_delta_pct", 8.6), ("R02",), ("8.15", "config/attn/cand/bench_runs.jsonl:3")),
    Case("a speed-up rounded to a whole", add(RESULT, throughput_speedup=1), ("R02",), ("1.0815x",)),
    Case("a speed-up", add(RESULT, throughput_speedup=1.0815)),
    Case("file, field, said, raw, row", put(INTEGRATE, "cand_med", 1099.9), ("R02",),
         (RESULT, "'cand_med'", "1099.9", "1081.5 tok/s", "config/attn/cand/bench_runs.jsonl:3")),
    Case("the other leg's figure", put(INTEGRATE, "ref_med", 1081.5), ("R02",), ("the figure of the other leg (cand)",)),
    Case("the mean", put(INTEGRATE, "ref_med", 1000.25), ("M17",), ("the mean",)),
    Case("requests per second", put(INTEGRATE, "cand_med", round(1081.5 / 256, 3)), ("R09",), ("requests per second",)),
    Case("a gain upside down", put(INTEGRATE, "e2e_delta_pct", -7.54), ("R22",), ("upside down",)),
    Case("a share of the candidate", put(INTEGRATE, "e2e_delta_pct", 7.54), ("R23", "M19"), ("of the candidate",)),
    Case("extremes", add(RESULT, ref_min=999.25, ref_max=1001.5, cand_min=1080.0, cand_max=1083.25)),
    Case("a false extreme", add(RESULT, ref_max=1002.5), ("R02",), ("1001.5 tok/s, the max", "ref/bench_runs.jsonl:2")),
    Case("a spread", add(RESULT, ref_spread_pct=0.23, cand_spread_pct=0.3)),
    Case("a false spread", add(RESULT, cand_spread_pct=0.1), ("R02",), ("spread",)),
    Case("latencies", add(RESULT, ref_ttft_ms=100.0, cand_tpot_ms=11.096)),
    Case("a false latency", add(RESULT, cand_tpot_ms=9.5), ("R02",), ("tpot_ms", "ms")),
    Case("ranges apart", add(RESULT, non_overlapping=True)),
    Case("ranges not apart", add(RESULT, non_overlapping=False), ("R02",)),
    Case("decode not worse", add(RESULT, decode_regressed=False)),
    Case("tuning", add("config/attn/tuning_result.json", gate="accepted", pre_tune_throughput_tok_s=1000.0, tuning_delta_pct=8.15,
                       post_tune_throughput_tok_s=1081.5, tuning_speedup=1.0815, ops_tuned=[{"op": "gemm"}])),
    Case("tuning that tuned nothing", add("config/attn/tuning_result.json", gate="accepted", tuning_delta_pct=8.15, ops_tuned=[]),
         ("A05",), ("nothing was accepted",)),
    Case("a revalidation that does not hold", add("config/attn/revalidate.json", holds=False, remeasured_delta_pct=8.15)),
    Case("isolated times", _isolated, ("A07", "R02"), ("6.6 x", "own rows")),
    Case("a task probe", _probe(0.9, 0.9)),
    Case("a task probe in percent", _probe(0.9, 90.0), ("R23",), ("percent where a share",)),
    Case("settings per leg in a list", _per_leg, ("R11",), ("0.85 in cand (config/attn/cand/bench_runs.jsonl:1)",)),
    Case("settings in a command line", add(RESULT, server_flags={"extra": "--tp 4 --mem-fraction-static=0.8"}), ("R11",),
         ("0.85 in ref", "0.85 in cand")),
    Case("the lever in a command line", add(RESULT, server_flags=["--attention-backend", "triton", "--tp", "4"])),
    Case("a flag that the candidate did not have", add(RESULT, accepted_flags={"attention_backend": "flashinfer"}), ("R11",),
         ('"triton" in cand',)),
    Case("everything the same", add(RESULT, same_conditions=True)),
    Case("named things the same", add(RESULT, same_conditions=["tp", "isl", "osl", "conc", "mem_fraction"])),
    Case("a word that it is the same", add(RESULT, workload={"isl": "same", "conc": "unchanged"})),
    Case("a word that the lever is the same", add(RESULT, invariants={"attention_backend": "same"}), ("R11",),
         ('"fa3" (config/attn/ref/bench_runs.jsonl:1) and "triton" (config/attn/cand/bench_runs.jsonl:1)',)),
    Case("a pair of values", add(RESULT, workload={"conc": [16, 32]}), ("R11",), ("16 in cand",)),
    Case("prefixed settings", add(RESULT, ref_tp=4, cand_tp=2), ("R11",), ("4 in cand",)),
    Case("a model by its last name", add(RESULT, model="/models/Model-8B/")),
    Case("another model", add(RESULT, model="org/model-70b"), ("R11",), ("org/model-8b",)),
    Case("the pool", add(RESULT, invariants={"max_total_num_tokens": 947041})),
    Case("another pool", add(RESULT, invariants={"max_total_num_tokens": {"ref": 947041, "cand": 1156449}}), ("R11",),
         ("947041 in cand",)),
    Case("a trial's figure", put(SWEEP, "trials.0.delta_pct", 12.0), ("R02",), ("trials[0].delta_pct",)),
    Case("the figure of another trial", put(SWEEP, "trials.1.delta_pct", 99.0)),
    Case("the best of a sweep", put(SWEEP, "best_throughput_tok_s", 1100.0), ("R02",), ("best_throughput_tok_s",)),
    Case("a trial told by its flags", put(SWEEP, "trials.0.id", "t-017")),
    Case("a trial told by its flags lies",
         both(put(SWEEP, "trials.0.id", "t-017"), put(SWEEP, "trials.0.throughput_tok_s", 1085.0)),
         ("R02",), ("trials[0].throughput_tok_s",)),
    Case("a director's file above a patch", add(DIRECTOR, director_verified_throughput_tok_s=5000.0)),
    Case("a producer's claimed figure", put(DIRECTOR, "claimed_throughput_tok_s", 1100.0), ("R02",), bundle=True),
    Case("a final file", add("validation/finalize.json", final_throughput_tok_s=1081.5, accepted_kernels=[],
                             accepted_config={"flags": FLAGS, "env": {}}), bundle=True),
    Case("a final file without anything accepted", add("validation/finalize.json", final_throughput_tok_s=1081.5,
         throughput_speedup=1.0815, accepted_config={"flags": {}, "env": {}}, accepted_kernels=[]), ("A05",), bundle=True),
    Case("a set-up", add("setup.json", tp=4, workload={"isl": 1024, "osl": 256, "conc": 16})),
    Case("a set-up with other lengths", add("setup.json", tp=4, workload={"isl": 2048, "osl": 256, "conc": 16}), ("R11",),
         ("1024 in ref",)),
    Case("flags of a set-up that later changes moved", add("setup.json", server_flags={"extra": "--attention-backend fa2"})),
    Case("a basis that the rows do not hold", both(
         put(f"cand/{SUMMARY}", "metric_basis", "p90_intvty_inferencex"),
         put(f"ref/{SUMMARY}", "metric_basis", "p90_intvty_inferencex"),
         put(f"cand/{SUMMARY}", "throughput_tok_s_median", 81.9))),
    Case("a failed round", put(f"cand/{SUMMARY}", "status", "incomplete")),
    Case("a server start", add("config/attn/cand/server_start.json", status="ok", backend="sglang", port="30000")),
    Case("a server start of another engine", add("config/attn/cand/server_start.json", status="ok", backend="vllm"), ("R11",)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_claim_gets_its_finding(case: Case, tmp_path: Path) -> None:
    """Only the edited claim is flagged, with id, figures and rows; the verdict is PASS without a flag, FLAG with one."""
    found = one(run(tmp_path, case.edit, bundle=case.bundle))
    flags = of_gate(found, "flag")
    assert [tuple(item.ids) for item in flags] == ([case.ids] if case.ids else []), render([found])
    assert found.verdict == ("FLAG" if case.ids else "PASS"), render([found])
    assert all(words in flags[0].reason for words in case.says), flags[0].reason if flags else case.says
    assert all(item.situation == "flagged" and item.next_step and item.evidence for item in flags)


def test_agreement_is_one_finding(tmp_path: Path) -> None:
    """Every claim that agrees is counted in one ``ok`` that cites the files with their digests."""
    found = of_gate(one(run(tmp_path, honest)))
    assert [item.status for item in found] == ["ok"]
    assert "claims agree" in found[0].reason
    assert [source.file for source in found[0].evidence] == [
        f"config/attn/cand/{SUMMARY}", RESULT, f"config/attn/ref/{SUMMARY}", SWEEP,
    ]  # fmt: skip
    assert all(source.sha256 and len(source.sha256) == 64 for source in found[0].evidence)


def test_nulls_say_nothing(tmp_path: Path) -> None:
    """A file of nulls is no claim at all."""
    names = [*integrate(1.0, 1.0), "throughput_speedup", "invariants", "same_conditions"]
    found = of_gate(one(_bare(tmp_path, {INTEGRATE: dict.fromkeys(names)})))
    assert [(item.status, item.reason) for item in found] == [("n/a", gate.NO_CLAIM)]


def _bare(root: Path, files: Files, **request: Any) -> Path:
    """Two legs in the run's root and these files beside them."""
    foreign(root / "ref", rows(REF, INFO))
    foreign(root / "cand", rows(CAND, {**INFO, **FLAGS}))
    for name, value in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps(value, indent=1))
    asked = {"scope": "patch", "cand_dir": ".", "change": {"lever": "backend", "flags": FLAGS}, **request}
    (root / "audit_request.json").write_text(json.dumps(asked))
    return root


def test_what_no_row_holds_is_not_believed(tmp_path: Path) -> None:
    """A figure or setting that the rows do not record is listed as unknown, and the verdict stays."""
    said = {"workload": {"num_prompts": 200}, "ref_med": "about a thousand", "tp": 4}
    found = one(_bare(tmp_path, {INTEGRATE: said}))
    blind = of_gate(found, "unknown")
    assert found.verdict == "PASS"
    assert len(blind) == 1
    assert not blind[0].required
    assert "2 claims without raw evidence" in blind[0].reason
    assert "workload.num_prompts" in blind[0].reason


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"ref_med": NaN}', b'{"a": 1, "a": 2}', b"\xff\xfe", b'{"gate": "accepted"} x', b'{"a":' * 99]
)
def test_an_unreadable_file_lowers_nothing(data: bytes, tmp_path: Path) -> None:
    """A broken claim file is an unknown that names it, never damage and never required."""
    root = run(tmp_path, honest)
    (root / RESULT).write_bytes(data)
    found = one(root)
    assert found.verdict == "PASS", render([found])
    assert [item.reason.startswith(f"{RESULT} cannot be read (") for item in of_gate(found, "unknown")] == [True]


def test_files_outside_are_not_read(tmp_path: Path) -> None:
    """A link out of the run is refused; a claim file above the run is never looked at."""
    root = _bare(tmp_path / "run", {})
    (tmp_path / INTEGRATE).write_text(json.dumps({"ref_med": 5.0}))
    assert [item.status for item in of_gate(one(root))] == ["n/a"]
    (root / INTEGRATE).symlink_to(tmp_path / INTEGRATE)
    found = of_gate(one(root))
    assert [item.status for item in found] == ["unknown"]
    assert "leads out of the run directory" in found[0].reason


def test_the_lane_of_the_candidate_speaks(tmp_path: Path) -> None:
    """Of several lanes only the one that the candidate's folder names is compared; the others are listed."""
    root = _bare(tmp_path, {"integrate_fast.json": {"e2e_delta_pct": 8.15}, "integrate_slow.json": {"e2e_delta_pct": 1.0}})
    assert [item.status for item in of_gate(one(root))] == ["unknown", "unknown"]
    (root / "cand").rename(root / "cand_fast")
    (root / "audit_request.json").write_text(
        json.dumps({"scope": "patch", "eval_dir": "ref", "cand_dir": "cand_fast", "change": {"lever": "backend", "flags": FLAGS}})
    )
    found = of_gate(one(root))
    assert [item.status for item in found] == ["ok", "unknown"]
    assert "integrate_slow.json" in found[1].reason


def test_a_launch_has_its_own_summary(tmp_path: Path) -> None:
    """A summary in a launch speaks of that launch; one above speaks of the leg, by repeats or by launches."""
    for index, (ref, cand) in enumerate(zip(REF, CAND, strict=True)):
        for leg, value, info in (("ref", ref, INFO), ("cand", cand, {**INFO, **FLAGS})):
            made = rows([value, value + 0.5, value + 2.5], info)
            foreign(tmp_path / f"{leg}/replica_{index:03d}/attempt_1", made)
            for place in (f"{leg}/replica_{index:03d}/attempt_1", f"{leg}/replica_{index:03d}"):
                (tmp_path / place / SUMMARY).write_text(json.dumps(summary(made)))
    by_launch = [value + 0.5 for value in CAND]
    (tmp_path / "cand" / SUMMARY).write_text(
        json.dumps({"throughput_tok_s_median": 1082.0, "runs": 3, "successful_replicas": 3, "all_throughput": by_launch})
    )
    honest_ = one(tmp_path)
    assert {item.status for item in of_gate(honest_)} == {"ok"}, render([honest_])
    lie = tmp_path / f"cand/replica_001/{SUMMARY}"
    lie.write_text(json.dumps({"throughput_tok_s_median": 1082.0}))
    found = of_gate(one(tmp_path), "flag")
    assert len(found) == 1
    assert "1083.75" in found[0].reason


def test_our_own_proposal_is_held_to_the_servers(tmp_path: Path) -> None:
    """Flags of proposal.json against server.json of the candidate's launches, with the line; a forecast is no claim."""
    made = Run(tmp_path)
    made.aa("baseline/set_1", Server())
    made.ab(cases.LEG, Server(), cases.FAST)
    made.patch(cases.LEG, cases.EAGER, short_name="c01")
    root = made.finish()
    proposal = {
        "schema": "countersign.proposal/1",
        "short_name": "c01",
        "flags": cases.EAGER,
        "env": {},
        "expected_gain_pct": 90.0,
    }
    (root / cases.LEG / "proposal.json").write_text(json.dumps(proposal))
    found = one(root)
    assert (found.verdict, [item.status for item in of_gate(found)]) == ("PASS", ["ok"]), render([found])
    (root / cases.LEG / "proposal.json").write_text(json.dumps({**proposal, "flags": {"attn_implementation": "flash"}}))
    lie = of_gate(one(root), "flag")
    assert len(lie) == 1
    assert '"eager" in cand (config/c01/cand/launch_000/server.json:' in lie[0].reason


@pytest.mark.parametrize("lost", [1.0, 1000.0])
def test_a_false_claim_mends_nothing(lost: float, tmp_path: Path) -> None:
    """However the claims read, a run without a gain stays a FAIL with the same objective findings."""
    plain = one(run(tmp_path / "plain", honest, cand=INSIDE))
    sold = one(run(tmp_path / "sold", put(INTEGRATE, "e2e_delta_pct", lost), cand=INSIDE))
    assert plain.verdict == sold.verdict == "FAIL"
    assert _objective(plain) == _objective(sold)
    assert any("R03" in item.ids or "A14" in item.ids for item in of_gate(sold, "flag"))


def _objective(verdict: Verdict) -> list[str]:
    return [canonical_json(item) for item in verdict.findings if item.gate not in (gate.GATE, "isolated")]


BLANKS: dict[str, bytes | None] = {
    "empty": b"",
    "garbage": b"\x00{not json",
    "another object": b'{"gate": "accepted", "ref_med": -1e9, "invariants": {"tp": 512}}',
    "gone": None,
}


def _runs(root: Path) -> list[Path]:
    """A patch, a bundle, a win that is none, and a run of our own with every claim file."""
    own = cases.build(root / "own", cases.Case("clean", "PASS", "proven"))
    for name, value in (("proposal.json", {"flags": cases.EAGER}), (INTEGRATE, integrate(1000.0, 1100.0))):
        (own / cases.LEG / name).write_text(json.dumps(value))
    return [
        run(root / "patch", honest),
        run(root / "bundle", honest, bundle=True),
        run(root / "none", honest, cand=INSIDE),
        own,
    ]


@pytest.mark.parametrize("blank", BLANKS.values(), ids=BLANKS.keys())
def test_objective_findings_do_not_know_the_claims(blank: bytes | None, tmp_path: Path) -> None:
    """Every other finding comes out byte for byte with all claim files blanked, replaced or deleted."""
    policy = load().policy
    names = {*policy.layout.claim_files, SUMMARY, INTEGRATE} - {"audit_request.json", "ledger.jsonl"}
    for root in _runs(tmp_path):
        before = one(root)
        copy = root.with_name(root.name + "_blank")
        shutil.copytree(root, copy)
        touched = [path for path in sorted(copy.rglob("*.json")) if path.name in names]
        for path in touched:
            path.unlink() if blank is None else path.write_bytes(blank)
        assert touched
        after = one(copy)
        assert _objective(before) == _objective(after)
        assert before.input_digest == after.input_digest


KEYS = [
    "ref_med", "cand_med", "e2e_delta_pct", "throughput_speedup", "gate", "output_parity", "ab_complete", "accepted_flags",
    "accepted_overlay", "invariants", "serving_invariant", "server_flags", "same_conditions", "ref", "cand", "tp", "conc",
    "trials", "id", "kept", "delta_pct", "throughput_tok_s", "metric_basis", "runs", "all_throughput", "status",
    "requested_rounds", "cand_all", "change", "baseline_throughput_tok_s", "throughput_speedup_vs_baseline", "winner_ms",
    "baseline_ms", "isolated_speedup", "summary", "results",
]  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["accepted", "fail", "same", "--tp 4", "--tp", "'", "1e400", "inf", "nan", "1_0", "ref"])
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=5),
    max_leaves=25,
)
FILES = st.dictionaries(
    st.sampled_from([INTEGRATE, SUMMARY, "sweep_results.json", DIRECTOR, "setup.json", "tuning.json", "opbench_result.json"]),
    st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=8),
    min_size=1,
)


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two legs and no claim."""
    return _bare(tmp_path_factory.mktemp("claims"), {})


@given(files=FILES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_claim_file_breaks_the_gate(files: dict[str, Json], plain_run: Path) -> None:
    """Whatever a claim file holds: no crash, no failure, nothing but flags, agreement and unknowns that are not required."""
    places = {name: plain_run / ("cand" if name == SUMMARY else ".") / name for name in files}
    for name, value in files.items():
        places[name].write_text(json.dumps(value))
    try:
        found = one(plain_run)
    finally:
        for path in places.values():
            path.unlink()
    mine = of_gate(found)
    assert found.verdict in ("PASS", "FLAG"), render([found])
    assert not any("crashed" in item.reason for item in mine), mine
    assert {item.status for item in mine} <= {"ok", "flag", "unknown", "n/a"}
    assert not any(item.required for item in mine)


SPEEDS = st.lists(st.floats(900, 1100, allow_nan=False), min_size=2, max_size=6, unique=True)


@given(ref=SPEEDS, cand=SPEEDS, bundle=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_honest_files_are_never_called_false(
    ref: list[float], cand: list[float], bundle: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the repeats, figures rounded as the tool rounds them agree; only a word, or the band, may go too far."""
    found = one(run(tmp_path_factory.mktemp("honest"), honest, ref=ref, cand=[value * 1.05 for value in cand], bundle=bundle))
    told = {name for item in of_gate(found, "flag") for name in item.ids}
    assert told <= {"R03", "R04", "A14"}, render([found])


@dataclass(frozen=True)
class Walked:
    """A file and the settings that are read from it: (key, leg, value, subject)."""

    name: str
    document: Json
    said: tuple[tuple[str, str, Any, str], ...]


WALKS = (
    Walked("known keys at the top", {"tp": 4, "other": 5}, (("tp", "", 4, "setting"),)),
    Walked("any key in a container", {"invariants": {"page_size": 64}}, (("page_size", "", 64, "setting"),)),
    Walked("an object per leg", {"invariants": {"base": {"tp": 1}, "final": {"tp": 2}}},
           (("tp", "ref", 1, "setting"), ("tp", "cand", 2, "setting"))),
    Walked("legs below a key", {"invariants": {"tp": {"ref": 1, "cand": 2}}},
           (("tp", "ref", 1, "setting"), ("tp", "cand", 2, "setting"))),
    Walked("a leg around a container", {"baseline": {"server_flags": {"x": 1}}}, (("x", "ref", 1, "setting"),)),
    Walked("a command line", {"server_flags": "--tp 4 --disable-radix-cache --x=y"},
           (("tp", "", "4", "setting"), ("disable_radix_cache", "", True, "setting"), ("x", "", "y", "setting"))),
    Walked("an open quote", {"server_flags": "--tp '4"}, (("tp", "", "'4", "setting"),)),
    Walked("nulls", {"invariants": {"tp": None, "ref": None}}, ()),
    Walked("the word same", {"invariants": {"tp": "same"}}, (("tp", "", "same", "same"),)),
    Walked("all the same", {"same_conditions": True}, (("*", "", True, "same"),)),
    Walked("not the same", {"same_conditions": False}, ()),
    Walked("prose", {"note": "tp 4", "reason": {"tp_note": "x"}}, ()),
)  # fmt: skip


@pytest.mark.parametrize("case", WALKS, ids=lambda case: case.name)
def test_settings_are_found_in_any_shape(case: Walked) -> None:
    """Nested, per leg, as lists, as command lines; nulls and prose say nothing."""
    rules = load().policy.claims
    found = claim_settings.walk(case.document, rules.files["integrate"], rules)
    assert tuple((item.key, item.leg, item.value, item.subject) for item in found) == case.said

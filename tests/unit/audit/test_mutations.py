"""Six mutations of one clean foreign win, each beside an honest twin that looks the same and is not a lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from audit import audit_path, render
from proof.reconstruct import texts
from proof.reconstruct.shapes import Json, Latency, log, row, server_info, write, write_lines

REF, CAND = (1004.1, 1004.9, 1005.3), (1084.2, 1085.6, 1086.1)
AITER: Json = {"attention_backend": "aiter"}
EAGLE: Json = {"speculative_algorithm": "EAGLE", "speculative_num_steps": 3, "speculative_num_draft_tokens": 4}


@dataclass(frozen=True)
class Mutation:
    """What differs from the clean win, and the verdict it deserves."""

    name: str
    verdict: str
    action: str = ""
    outcome: str = "proven"
    says: str = ""
    cand: Json = field(default_factory=lambda: dict(AITER))
    flags: Json = field(default_factory=lambda: dict(AITER))
    what: str = "attention backend aiter"
    values: tuple[float, ...] = CAND
    ttft: tuple[float, float] = (2916.0, 2912.0)
    claim: Json | None = None
    bench: Json | None = None
    keys: Json = field(default_factory=dict)


def bench(**changes: Any) -> Json:
    """An operator benchmark as GEAK writes it: 3.0x over another backend, everything within tolerance."""
    return {
        "op_kind": "attention", "task": "decode_attention", "harness_suspect": False, "harness_error": None,
        "results": [
            {"backend": "triton", "available": True, "correct": True, "ms": 0.3, "wall_ms": 0.31, "max_rel_err": 0.0001},
            {"backend": "aiter", "available": True, "correct": True, "ms": 0.1, "wall_ms": 0.11, "max_rel_err": 0.002},
        ],
        "winner_backend": "aiter", "winner_ms": 0.1, "baseline_backend": "triton", "baseline_ms": 0.3, "measured": True,
        "measurement_mode": "cold", "isolated_speedup": 3.0, "pct_gpu_time": 20.0, "winner_kind": "flag", **changes,
    }  # fmt: skip


def claim(**changes: Any) -> Json:
    """integrate_result.json of the clean win, with its true numbers."""
    return {
        "short_name": "attention", "e2e_throughput_tok_s": 1085.6, "e2e_delta_pct": 8.03, "ref_med": 1004.9, "cand_med": 1085.6,
        "ab_complete": True, "output_parity": "pass", "parity_kind": "byte_exact", "gate": "accepted", "reason": None, **changes,
    }  # fmt: skip


NULLED = claim(e2e_throughput_tok_s=None, e2e_delta_pct=None, ref_med=None, cand_med=None, output_parity=None, parity_kind=None)
FLAT = (1004.4, 1005.0, 1005.2)
TOLD_ISOLATED = claim(isolated_speedup=3.0, pct_gpu_time=20.0)
FLAT_CLAIM = claim(
    isolated_speedup=3.0, pct_gpu_time=20.0, e2e_throughput_tok_s=1005.0, e2e_delta_pct=0.01, cand_med=1005.0, gate="stack"
)
MUTATIONS = (
    Mutation("the clean win", "PASS", "pass"),
    Mutation("serving lever sold as a kernel", "FLAG", "downgrade_headline", says="claimed as a kernel gain",
             cand=EAGLE, flags=EAGLE, what="fused decode kernel"),
    Mutation("twin: the same lever called by its name", "PASS", cand=EAGLE, flags=EAGLE, what="speculative decoding, EAGLE"),
    Mutation("given baseline 1300", "FAIL", "eject", "not_measured", "baseline drift", keys={"baseline_throughput": 1300.0}),
    Mutation("twin: given baseline 1004", "PASS", keys={"baseline_throughput": 1004.0}),
    Mutation("a second knob", "FAIL", "eject", "not_measured", "mem_fraction_static",
             cand={**AITER, "mem_fraction_static": 0.9, "max_total_num_tokens": 1231002}),
    Mutation("twin: seed and port move", "PASS", cand={**AITER, "random_seed": 7, "port": 30011}),
    Mutation("twin: several keys, one declared lever", "PASS", cand=EAGLE, flags=EAGLE, what="EAGLE"),
    Mutation("reported evidence nulled", "PASS", claim=NULLED),
    Mutation("twin: reported evidence true", "PASS", claim=claim()),
    Mutation("reported evidence false", "FLAG", "flag", says="integrate_result.json",
             claim=claim(ref_med=961.0, e2e_delta_pct=12.97)),
    Mutation("TTFT 2916 to 9446 ms", "FLAG", "flag", says="TTFT", ttft=(2916.0, 9446.0)),
    Mutation("twin: TTFT 2916 to 3100 ms", "PASS", ttft=(2916.0, 3100.0)),
    Mutation("isolated 3.0, flat end to end", "FAIL", "", "", "", values=FLAT, claim=FLAT_CLAIM, bench=bench()),
    Mutation("twin: isolated 3.0, real end to end", "PASS", claim=TOLD_ISOLATED, bench=bench()),
)  # fmt: skip


def build(root: Path, case: Mutation) -> Path:
    """The clean win with this mutation."""
    infos = {"ref": server_info(), "cand": server_info(**case.cand)}
    for role, values, ttft in (("ref", REF, case.ttft[0]), ("cand", case.values, case.ttft[1])):
        rows = []
        for n, value in enumerate(values):
            tpot = (1000 * 64 * 1024 / value - case.ttft[0]) / 1023
            rows.append(row(value, infos[role], Latency(ttft, tpot), 0.0007 * n))
        write_lines(root / role / "bench_runs.jsonl", rows)
        log(root / role, infos[role], 64, 131072)
    outputs = list(texts.COHERENT)
    for name in ("parity_base", "parity_base2", "parity_cand"):
        write(root / f"parity/{name}.json", texts.dump(outputs))
    if case.claim is not None:
        write(root / "integrate_result.json", case.claim)
    if case.bench is not None:
        write(root / "kernels/attention/opbench_result.json", case.bench)
    change = {"lever": "the change", "flags": case.flags, "env": {}, "overlay": []}
    request = {
        "scope": "patch",
        "eval_dir": ".",
        "cand_dir": ".",
        "short_name": "win",
        "what": case.what,
        "change": change,
        **case.keys,
    }
    write(root / "audit_request.json", request)
    return root


@pytest.mark.parametrize("case", MUTATIONS, ids=lambda case: case.name)
def test_a_mutation_gets_its_verdict(case: Mutation, tmp_path: Path) -> None:
    """Verdict, action and outcome as the issue states them; the reason names what was moved."""
    verdicts = audit_path(build(tmp_path, case))
    found = verdicts[0]
    assert found.verdict == case.verdict, render(verdicts)
    assert not case.action or found.action == case.action, render(verdicts)
    assert not case.outcome or found.outcome == case.outcome, render(verdicts)
    assert case.says in " ".join([*found.reasons, *found.flags]), render(verdicts)

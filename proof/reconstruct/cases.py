"""One function per published case: what was published stands in it as numbers, the rest is filled in to fit."""

from __future__ import annotations

from pathlib import Path

from proof.reconstruct import texts
from proof.reconstruct.shapes import Json, closed_loop, leg, log, row, server_info, write, write_lines

SOURCE = "AMD-AGI/GEAK pull request 292, 'Independent Patch Auditor for the e2e_workflow', description and discussion, 2026-06-23"
KERNEL = '''"""FP8 GEMM for decode shapes, authored with Triton; rebinds the server's linear layer."""

import triton
import triton.language as tl

import sglang.srt.layers.quantization.fp8_utils as fp8_utils


@triton.jit
def fp8_gemm(a_ptr, b_ptr, c_ptr, M, N, K, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    pid = tl.program_id(0)
    rows = pid * BLOCK_M + tl.arange(0, BLOCK_M)
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        acc += tl.dot(tl.load(a_ptr + rows[:, None] * K + k), tl.load(b_ptr + k * N))
    tl.store(c_ptr + rows[:, None] * N, acc)


fp8_utils.apply_fp8_linear = fp8_gemm
print("[overlay] bound sglang.srt.layers.quantization.fp8_utils.apply_fp8_linear")
'''
BOUND = "[2026-06-22 13:38:25 TP0] [overlay] bound sglang.srt.layers.quantization.fp8_utils.apply_fp8_linear"


def told(folder: Path, published: str, filled: str) -> None:
    """The label every reconstruction carries."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "RECONSTRUCTION.md").write_text(
        f"# A reconstruction, not a recording\n\nBuilt from published figures by `python -m proof.reconstruct`.\n\n"
        f"* Source: {SOURCE}.\n* Published: {published}\n* Filled in to fit: {filled}\n"
    )


def commission(folder: Path, **request: object) -> None:
    """audit_request.json with one request."""
    write(folder / "audit_request.json", {"schema": "countersign.request/1", "eval_dir": ".", "noise_band_pct": 0.5, **request})


def parity(folder: Path, reference: list[str], again: list[str] | None, candidate: list[str]) -> None:
    """Parity dumps of both legs, and of the reference once more where there is one."""
    write(folder / "parity_base.json", texts.dump(reference))
    if again is not None:
        write(folder / "parity_base2.json", texts.dump(again))
    write(folder / "parity_cand.json", texts.dump(candidate))


def handicapped_bundle(root: Path) -> None:
    """+66.9 % against a reference that ran with less memory, misreported as equal."""
    starved = server_info(mem_fraction_static=0.7225, max_total_num_tokens=947041)
    full = server_info()
    pair = root / "validation"
    leg(pair / "base", (1004.902, 1004.906, 1005.254), starved)
    leg(pair / "final", (1674.248, 1677.476, 1678.02), full, ttft=610.0)
    log(pair / "base", starved, None)
    log(pair / "final", full, None, extra=[BOUND])
    (root / "final").mkdir(parents=True)
    (root / "final/flydsl_gemm.py").write_text(KERNEL)
    write(root / "director_e2e_validation.json", {
        "model_name": "Qwen/Qwen3.5-27B-FP8", "baseline_throughput_tok_s": 1002.438, "director_verified_throughput_tok_s": 1677.476,
        "throughput_speedup": 1.6693, "claimed_throughput_tok_s": 1677.476, "validation_status": "validated_win", "output_parity": "pass",
        "applied_to_original": "true", "final_overlay": "final/flydsl_gemm.py",
        "serving_invariant": {"base": {"mem_fraction_static": 0.85, "tp": 1}, "final": {"mem_fraction_static": 0.85, "tp": 1}},
    })  # fmt: skip
    parity(root / "validation/parity", list(texts.COHERENT), list(texts.COHERENT), list(texts.COHERENT))
    commission(
        root, scope="bundle", cand_dir="validation", short_name="flydsl-gemm-bundle", baseline_throughput=1002.438,
        what="FlyDSL GEMM kernels, a clean +66.9 % win",
        accepted=[{"lever": "FlyDSL GEMM kernels", "flags": {}, "env": {}, "overlay": ["final/flydsl_gemm.py"]}],
    )  # fmt: skip
    told(root, "medians 1004.906 and 1677.476 tok/s, reference maximum 1005.254, candidate minimum 1674.248, given baseline 1002.438; memory "
         "fraction 0.7225 against 0.85, KV pool 947041 against 1156449 tokens; director_e2e_validation.json says 0.85 for both.",
         "the remaining repeats, latencies, the load, logs, the overlay's source, coherent parity dumps.")  # fmt: skip


def self_comparing_bench(root: Path) -> None:
    """A fabricated isolated 3.0306x beside a real end-to-end gain."""
    info = server_info()
    place = root / "overlay/cand_gemm"
    leg(place / "ref", (1021.4, 1022.0, 1022.7), info)
    leg(place / "cand", (1661.9, 1663.2, 1664.8), info, ttft=620.0)
    log(place / "ref", info, 64, 131072)
    log(place / "cand", info, 64, 131072, [BOUND])
    (place / "overlay").mkdir(parents=True)
    (place / "overlay/gemm.py").write_text(KERNEL)
    bench = {
        "op_kind": "gemm", "task": "fp8_gemm_decode", "harness_suspect": False, "harness_error": None,
        "results": [
            {"backend": "authored_gemm", "available": True, "correct": True, "ms": 0.0412, "wall_ms": 0.0497, "max_rel_err": 0.004},
            {"backend": "alternative_lib", "available": True, "correct": True, "ms": 0.0391, "wall_ms": 0.047, "max_rel_err": 45.4},
        ],
        "winner_backend": "authored_gemm", "winner_ms": 0.0412, "baseline_backend": "authored_gemm", "baseline_ms": 0.12486,
        "measured": True, "measurement_mode": "warm", "isolated_speedup": 3.0306, "pct_gpu_time": 68.0, "winner_kind": "patch_candidate",
        "winner_editable": True,
    }  # fmt: skip
    write(root / "kernels/gemm/opbench_result.json", bench)
    write(place / "integrate_result.json", {
        "short_name": "gemm", "provenance_ok": True, "isolated_speedup": 3.0306, "pct_gpu_time": 68.0, "e2e_throughput_tok_s": 1663.2,
        "e2e_delta_pct": 62.74, "ref_med": 1022.0, "cand_med": 1663.2, "ab_complete": True, "output_parity": "pass",
        "parity_kind": "byte_exact", "gate": "accepted", "accepted_overlay": "overlay/cand_gemm/overlay/gemm.py", "reason": None,
    })  # fmt: skip
    parity(place / "parity", list(texts.COHERENT), list(texts.COHERENT), list(texts.COHERENT))
    commission(
        root, scope="patch", cand_dir="overlay/cand_gemm", short_name="authored-gemm", baseline_throughput=1022.0,
        what="authored GEMM kernel, verified 3.03x isolated",
        change={"lever": "authored GEMM", "flags": {}, "env": {}, "overlay": ["overlay/cand_gemm/overlay/gemm.py"]},
    )  # fmt: skip
    told(root, "isolated 3.0306x, baseline backend equal to the winner, relative error 45.4 on the only faster alternative, "
         "end to end 1022.0 -> 1663.2 tok/s.",
         "the other repeats and latencies, operator times, share of GPU time, logs, the overlay's source, coherent parity dumps.")  # fmt: skip


def gibberish_reference(root: Path) -> None:
    """+9 % on a model whose reference output is gibberish: 0 of 12 byte-exact."""
    before, after = server_info(attention_backend="ck"), server_info(attention_backend="triton")
    leg(root / "ref", (811.2, 812.0, 812.9), before)
    leg(root / "cand", (884.1, 885.1, 886.3), after, ttft=820.0)
    log(root / "ref", before, 64, 131072)
    log(root / "cand", after, 64, 131072)
    reference = [texts.gibberish(n) for n in range(12)]
    parity(
        root / "parity", reference, [texts.gibberish(200 + n) for n in range(12)], [texts.gibberish(100 + n) for n in range(12)]
    )
    write(root / "integrate_result.json", {
        "short_name": "moe_attention", "ref_med": 812.0, "cand_med": 885.1, "e2e_delta_pct": 9.0, "output_parity": "fail",
        "parity_kind": "none", "gate": "accepted", "reason": "needs_accuracy_gate", "ab_complete": True,
    })  # fmt: skip
    commission(
        root, scope="patch", cand_dir=".", short_name="moe-attention", what="MoE attention CK to Triton, +9 %",
        change={"lever": "attention backend", "flags": {"attention_backend": "triton"}, "env": {}, "overlay": []},
    )  # fmt: skip
    told(root, "+9 % on the MoE attention backend, reference decode gibberish (random dataset), 0 of 12 outputs byte-exact, accuracy deferred.",
         "throughputs, rows, logs, and the texts themselves.")  # fmt: skip


def crashed_kernel(root: Path) -> None:
    """An isolated 6.6x whose server died with an HSA fault."""
    info = server_info(attention_backend="aiter")
    place = root / "overlay/cand_attention"
    leg(place / "ref", (1018.8, 1019.6, 1020.1), info)
    log(place / "ref", info, 64, 131072)
    write_lines(place / "cand/bench_runs.jsonl", [row(1019.2, info, closed_loop(1019.2, 900.0))])
    fault = [
        "[2026-06-22 13:38:25 TP0] [overlay] bound sglang.srt.layers.attention.aiter_backend.AiterAttnBackend.forward_decode",
        ":0:rocdevice.cpp            :3586: 1183357978 us:  Callback: Queue 0x7f35e8100000 aborting with error : "
        "HSA_STATUS_ERROR_EXCEPTION: An HSAIL operation resulted in a hardware exception. code: 0x1016",
        "Fatal Python error: Aborted",
    ]
    log(place / "cand", info, 64, 131072, fault)
    write(place / "cand/server_start.json", {
        "status": "failed", "reason": "died_early", "phase_hint": "serving", "wait_sec": 71, "ceiling_sec": 1800, "port": "30000",
        "backend": "sglang", "log": "server.log",
    })  # fmt: skip
    (place / "overlay").mkdir(parents=True)
    source = KERNEL.replace("quantization.fp8_utils", "attention.aiter_backend").replace(
        "apply_fp8_linear", "decode_attention_fwd"
    )
    (place / "overlay/attention.py").write_text(source.replace("fp8_gemm", "decode_attention").replace("FP8 GEMM", "Attention"))
    write(root / "kernels/attention/opbench_result.json", {
        "op_kind": "attention", "task": "decode_attention", "harness_suspect": False, "harness_error": None,
        "results": [
            {"backend": "aiter", "available": True, "correct": True, "ms": 0.33, "wall_ms": 0.35, "max_rel_err": 0.0},
            {"backend": "authored_attention", "available": True, "correct": True, "ms": 0.05, "wall_ms": 0.06, "max_rel_err": 0.006},
        ],
        "winner_backend": "authored_attention", "winner_ms": 0.05, "baseline_backend": "aiter", "baseline_ms": 0.33, "measured": True,
        "measurement_mode": "warm", "isolated_speedup": 6.6, "pct_gpu_time": 21.0, "winner_kind": "patch_candidate",
    })  # fmt: skip
    commission(
        root, scope="patch", cand_dir="overlay/cand_attention", short_name="authored-attention", what="authored attention kernel, 6.6x isolated",
        change={"lever": "authored attention", "flags": {}, "env": {}, "overlay": ["overlay/cand_attention/overlay/attention.py"]},
    )  # fmt: skip
    told(root, "an authored attention kernel, isolated 6.6x, live server crashed with an HSA fault.",
         "reference rows, the one row before the fault, operator times, log lines in ROCm's form, the overlay's source.")  # fmt: skip


BASELINE = (966.36, 1004.05, 1004.71)


def noisy_baseline(root: Path) -> None:
    """The first live run's baseline: repeat 0 is a warm-up outlier."""
    leg(root / "baseline", BASELINE, server_info())
    commission(root, scope="baseline", eval_dir="baseline", short_name="baseline", what="the baseline of the first live run")
    told(
        root, "repeats 966.36, 1004.05, 1004.71 tok/s, noise band 0.5 %, spread 3.82 %.", "latencies, the load, server settings."
    )


def config_accept(root: Path, *, inert: bool) -> None:
    """+2.9 % by a configuration change that also moved the KV pool, reported as unchanged."""
    before, after = server_info(), server_info(attention_backend="aiter", max_total_num_tokens=1141120)
    place = root / "config/attention-aiter"
    leg(place / "ref", (1003.6, 1004.05, 1004.7), before)
    leg(place / "cand", (1032.4, 1033.2, 1033.9), after, ttft=880.0)
    if inert:
        log(place / "ref", before, 65, 133120)
        log(place / "cand", after, 65, 133120)
    write(root / "config/sweep_results.json", {
        "trials": [{
            "id": "attention-aiter", "axis": "attention_backend", "change": "--attention-backend aiter", "throughput_tok_s": 1033.2,
            "delta_pct": 2.9, "parity": "pass", "swap_verified": True, "kept": True, "note": "same KV pool on both sides",
        }],
        "accepted_flags": {"attention_backend": "aiter"}, "accepted_env": {}, "best_throughput_tok_s": 1033.2,
        "throughput_speedup_vs_baseline": 1.029,
        "serving_invariant": {"ref": {"max_total_num_tokens": 1156449}, "cand": {"max_total_num_tokens": 1156449}},
    })  # fmt: skip
    parity(place / "parity", list(texts.COHERENT), list(texts.COHERENT), list(texts.COHERENT))
    commission(
        root, scope="patch", cand_dir="config/attention-aiter", short_name="attention-aiter", what="attention backend aiter, +2.9 %",
        baseline_throughput=1004.05,
        change={"lever": "attention backend", "flags": {"attention_backend": "aiter"}, "env": {}, "overlay": []},
    )  # fmt: skip
    shown = "server logs whose running requests peak at 65 and whose pool never holds more than the smaller budget"
    told(root, "a +2.9 % configuration accept on the baseline of 1004.05 tok/s; the pool differed between the legs and was reported as equal.",
         f"the backend, the smaller pool, rows, parity dumps{', ' + shown if inert else '; no log shows what the pools held'}.")  # fmt: skip


def config_accept_unshown(root: Path) -> None:
    """The accept as it was filed: nothing shows that the pool did not matter."""
    config_accept(root, inert=False)


def config_accept_inert(root: Path) -> None:
    """The same accept with logs that show it."""
    config_accept(root, inert=True)


def build(root: Path) -> dict[str, Path]:
    """Every reconstruction below ``root``, by name."""
    makers = {
        "geak292-handicapped-bundle": handicapped_bundle,
        "geak292-self-comparing-bench": self_comparing_bench,
        "geak292-gibberish-reference": gibberish_reference,
        "geak292-crashed-kernel": crashed_kernel,
        "geak292-noisy-baseline": noisy_baseline,
        "geak292-config-accept-pool-unshown": config_accept_unshown,
        "geak292-config-accept-pool-inert": config_accept_inert,
    }
    for name, make in makers.items():
        make(root / name)
    return {name: root / name for name in makers}


__all__ = ["Json", "build"]

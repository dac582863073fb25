"""What only the server's log tells: how full the pool got, what the engine made of its arguments, what it gave up, what it held."""

from __future__ import annotations

import random

from proof.inject import edits, foreign
from proof.inject.bases import SGLANG
from proof.inject.confounds import VLLM_POOL, gain, put
from proof.inject.draft import Draft, Launch
from proof.inject.recipe import Recipe

LOGGED = ("sglang-launches", "vllm-launches")
HELD = foreign.CLIENTS * (foreign.ISL + foreign.OSL)
"""Tokens in the KV pool when every client is being served."""
LEGS = ("aa", "ref", "cand")


def _with_logs(draft: Draft) -> None:
    """Every launch of SGLang keeps its server's log."""
    for launch in draft.launches:
        if draft.dialect == "sglang" and not launch.log:
            launch.log = foreign.sglang_log(launch.rows[0]["server_info"])


def _add(launch: Launch, lines: list[str]) -> None:
    launch.log = [*launch.log, *lines]


def _after_arguments(launch: Launch, line: str) -> None:
    """A line of the start: behind the arguments, before the server is ready."""
    launch.log = [launch.log[0], line, *launch.log[1:]]


def _work(draft: Draft, leg: str, pool: int, running: int) -> None:
    """The servers of a leg held so many requests at once, in a pool of so many tokens, and the others waited."""
    put(draft, leg, {"max_total_num_tokens" if draft.dialect == "sglang" else "kv_cache_tokens": pool})
    share, waiting = running * (foreign.ISL + foreign.OSL) / pool, foreign.CLIENTS - running
    for launch in draft.leg(leg):
        if draft.dialect == "vllm":
            old = f"Running: {foreign.CLIENTS} reqs, Waiting: 0 reqs, GPU KV cache usage: 1.1%"
            new = f"Running: {running} reqs, Waiting: {waiting} reqs, GPU KV cache usage: {100 * share:.1f}%"
            launch.log = [line.replace(old, new) for line in launch.log]
            continue
        launch.log = [_batch(line, running, waiting, pool) if "Decode batch" in line else line for line in launch.log]


def _batch(line: str, running: int, waiting: int, pool: int) -> str:
    """A line of SGLang's decode with these requests running and waiting."""
    stamp = line.partition("Decode batch")[0]
    tokens = running * (foreign.ISL + foreign.OSL)
    return (
        f"{stamp}Decode batch, #running-req: {running}, #token: {tokens}, token usage: {tokens / pool:.2f}, "
        f"cuda graph: True, gen throughput (token/s): 1000.00, #queue-req: {waiting}"
    )


def _pool_filled(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference's pool is by this share too small for its clients, the candidate's holds them all."""
    _with_logs(draft)
    small = round(HELD * (1 - size))
    for leg in ("aa", "ref"):
        _work(draft, leg, small, int(small / (foreign.ISL + foreign.OSL)))
    _work(draft, "cand", round(HELD * 1.05), foreign.CLIENTS)


def _pool_never_filled(draft: Draft, size: float, rng: random.Random) -> None:
    """The pools differ by as much, and nobody came near either."""
    _with_logs(draft)
    whole = foreign.SGLANG_INFO["max_total_num_tokens"] if draft.dialect == "sglang" else VLLM_POOL
    for leg in ("aa", "ref"):
        _work(draft, leg, round(whole * (1 - size)), foreign.CLIENTS)


def _cap_binds(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference serves at most so many of sixteen requests at once, the candidate all."""
    _with_logs(draft)
    for leg in ("aa", "ref"):
        edits.settings(draft, leg, {"max_running_requests": int(size)})
        _work(draft, leg, foreign.SGLANG_INFO["max_total_num_tokens"], int(size))


def _cap_above(draft: Draft, size: float, rng: random.Random) -> None:
    """The reference would serve three times as many, and sixteen were there."""
    _with_logs(draft)
    for leg in ("aa", "ref"):
        edits.settings(draft, leg, {"max_running_requests": 16 + 3 * int(size)})


FELL = "[2026-06-22 13:38:10 TP0] triton attention backend is not supported for this head size, falling back to fa3."
OTHER_FELL = "[2026-06-22 13:38:10 TP0] DeepGEMM is not supported on this device, falling back to cutlass for grouped GEMM."


def _fell_back(draft: Draft, size: float, rng: random.Random) -> None:
    """The servers of so many candidate launches gave the named backend up; SGLang says so, vLLM names the one it took."""
    for launch in draft.leg("cand")[: int(size)]:
        if draft.dialect == "sglang":
            _after_arguments(launch, FELL)
        else:
            launch.log[1] = launch.log[1].replace("Using TRITON_ATTN", "Using FLASH_ATTN")


def _others_fell_back(draft: Draft, size: float, rng: random.Random) -> None:
    """So many servers of each leg gave something else up."""
    for leg in LEGS:
        for launch in draft.leg(leg)[: int(size)]:
            _after_arguments(launch, OTHER_FELL)


THROWN_OUT = {
    "sglang": "[2026-06-22 13:40:{second:02d} TP0] KV cache pool is full. Retract requests. #retracted_reqs: 3, #new_token_ratio: 0.58 -> 0.81",
    "vllm": "WARNING 06-11 07:36:{second:02d} scheduler.py:1057] Sequence group 4 is preempted by PreemptionMode.RECOMPUTE mode because "
    "there is not enough KV cache space.",
}


def _preempted(draft: Draft, legs: tuple[str, ...], lines: int) -> None:
    told = [THROWN_OUT[draft.dialect].format(second=second % 60) for second in range(lines)]
    for launch in (launch for leg in legs for launch in draft.leg(leg)):
        _add(launch, told)


def _pressure(draft: Draft, size: float, rng: random.Random) -> None:
    """Each server of the reference threw requests out so many times."""
    _preempted(draft, ("aa", "ref"), int(size))


def _pressure_everywhere(draft: Draft, size: float, rng: random.Random) -> None:
    """Each server of every leg threw requests out so many times."""
    _preempted(draft, LEGS, int(size))


def _weights(draft: Draft, leg: str, gib: float) -> None:
    for launch in draft.leg(leg):
        if draft.dialect == "vllm":
            line = f"(EngineCore pid=232) INFO 06-11 07:34:14 [gpu_model_runner.py:5132] Model loading took {gib:.2f} GiB memory and 90.77 seconds"
        else:
            line = (
                "[2026-06-22 13:37:20 TP0] Load weight end. type=LlamaForCausalLM, dtype=torch.bfloat16, "
                f"avail mem={78 - gib:.2f} GB, mem usage={gib:.2f} GB."
            )
        _after_arguments(launch, line)


def _heavier(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's model takes so many more GiB of the device."""
    for leg in LEGS:
        _weights(draft, leg, 16.1 + (size if leg == "cand" else 0.0))


def _as_heavy(draft: Draft, size: float, rng: random.Random) -> None:
    """The model takes as much in every leg."""
    for leg in LEGS:
        _weights(draft, leg, 16.1 + size)


def _cached(draft: Draft, leg: str, share: float) -> None:
    """So many prompt tokens of a leg's load came from the prefix cache, by the prefill lines of its log."""
    old = round(foreign.ISL * share)
    line = f"Prefill batch, #new-seq: 1, #new-token: {foreign.ISL - old}, #cached-token: {old}, token usage: 0.01, #running-req: 3, #queue-req: 0"
    edits.settings(draft, leg, {"disable_radix_cache": False})
    for launch in draft.leg(leg):
        _add(launch, [f"[2026-06-22 13:39:{second:02d} TP0] {line}" for second in range(24)])


def _seen_prompts(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's server found this share of its prompt tokens in its cache, the reference's none."""
    _with_logs(draft)
    _cached(draft, "ref", 0.0)
    _cached(draft, "cand", size)


def _both_seen(draft: Draft, size: float, rng: random.Random) -> None:
    """Both servers found this share, but for a token a request."""
    _with_logs(draft)
    _cached(draft, "ref", size)
    _cached(draft, "cand", size + 1 / foreign.ISL)


ENGINE = (
    "(EngineCore pid=232) INFO 06-11 07:33:41 [core.py:112] Initializing a V1 LLM engine (v{version}) with config: model='org/model-7b', "
    "speculative_config={draft}, dtype=torch.bfloat16, max_seq_len=8192, tensor_parallel_size={devices}, quantization={quantization}, "
    "enforce_eager={eager}, kv_cache_dtype={kv}, seed=0"
)
PLAIN = {"version": "0.22.0", "draft": "None", "devices": "1", "quantization": "None", "eager": "False", "kv": "'auto'"}
RESOLVED = {
    "C02": {"kv": "'fp8'"}, "C03": {"devices": "2"}, "C04": {"draft": "SpeculativeConfig(method='eagle', num_spec_tokens=3)"},
    "C07": {"quantization": "'fp8'"}, "C09": {"version": "0.22.1"},
}  # fmt: skip


def _engine_line(draft: Draft, leg: str, values: dict[str, str]) -> None:
    for launch in draft.leg(leg):
        _after_arguments(launch, ENGINE.format(**PLAIN | values))


def _resolved_otherwise(draft: Draft, size: float, rng: random.Random) -> None:
    """The arguments are alike; what the candidate's engine made of them is not, and it brings so many percent."""
    moved = RESOLVED[rng.choice(sorted(RESOLVED))]
    for leg in LEGS:
        _engine_line(draft, leg, moved if leg == "cand" else {})
    gain(draft, size)


def _resolved_alike(draft: Draft, size: float, rng: random.Random) -> None:
    """The engines of every leg made the same of them."""
    moved = RESOLVED[rng.choice(sorted(RESOLVED))]
    for leg in LEGS:
        _engine_line(draft, leg, moved)
    gain(draft, size)


RECIPES = (
    Recipe("pool-too-small", ("C01", "C17"), "server.log: max_total_num_tokens, #token; GPU KV cache size, usage", (*SGLANG, "vllm-launches"), (0.05, 0.2, 0.5),
           "The reference's KV pool is by this share too small for its clients; the candidate's is not.", _pool_filled, _pool_never_filled, critical=True),
    Recipe("few-at-once", ("C08",), "sglang server.log: max_running_requests, #running-req, #queue-req", SGLANG, (14.0, 8.0, 4.0),
           "The reference's server serves at most so many of sixteen clients at once.", _cap_binds, _cap_above, critical=True),
    Recipe("backend-given-up", ("C10",), "server.log: fallback line, Using ... attention backend", LOGGED, (1.0, 2.0, 3.0),
           "The servers of so many candidate launches gave the named backend up.", _fell_back, _others_fell_back, critical=True),
    Recipe("requests-thrown-out", ("C14",), "server.log: retract and preemption lines", LOGGED, (2.0, 10.0, 60.0),
           "Each server of the reference threw requests out so many times, the candidate's never.", _pressure, _pressure_everywhere),
    Recipe("heavier-weights", ("C17",), "server.log: Load weight end, Model loading took", LOGGED, (0.8, 4.0, 12.3),
           "The candidate's model takes so many GiB more of the device.", _heavier, _as_heavy),
    Recipe("cached-prompts-in-the-log", ("W01",), "sglang server.log: #cached-token", ("sglang-flat",), (0.05, 0.3, 0.9),
           "The candidate's server had seen this share of its prompt tokens.", _seen_prompts, _both_seen, critical=True),
    Recipe("engine-made-something-else", ("C09", "C02", "C03", "C04", "C07"), "vLLM server.log: Initializing a V1 LLM engine ... with config", ("vllm-launches",),
           (3.0, 8.0, 25.0), "The engine of the candidate alone resolved a setting otherwise; it brings so many percent.", _resolved_otherwise, _resolved_alike, critical=True),
)  # fmt: skip

"""The isolated benchmark of an overlay as a step of a campaign: run once, ledgered, and never what decides."""

from __future__ import annotations

from typing import Any

from workflow import requests
from workflow.canonical import file_digest
from workflow.context import Context, installed
from workflow.errors import WorkerFailedError
from workflow.harness import RECORD
from workflow.proposing import proposal_of


def isolate(ctx: Context, name: str) -> None:
    """Benchmark a proposed overlay by itself, once, and commission the audit of that record.

    A benchmark that fails is ledgered with its reason; the servers are measured all the same.
    """
    key, folder = f"isolated/{name}", ctx.run_dir / "config" / name
    if ctx.ledger.get(key) is None:
        overlay = installed(ctx.run_dir, proposal_of(ctx, name).body["overlay"])
        seed, load = ctx.bench.entropy(), ctx.workload()
        prompts = ctx.bench.prompts.draw(seed, load.concurrency, load.output_len)
        body: dict[str, Any] = {"short_name": name, "prompt_seed": seed, "speedup": None, "error": None}
        try:
            if ctx.bench.isolator is None:
                raise WorkerFailedError("nothing on this bench can run an overlay by itself")
            body["speedup"] = ctx.bench.isolator(ctx.in_force, overlay, prompts, load, folder)
            body["record_sha256"] = file_digest(folder / RECORD)
            said = "no speed-up" if body["speedup"] is None else f"{body['speedup']:.2f}x"
            ctx.sink.say(f"{name}: by itself {said}; what servers make of it is measured now")
        except WorkerFailedError as failed:
            body["error"] = str(failed)
            ctx.sink.say(f"{name}: no isolated benchmark: {failed}")
        ctx.ledger.append("isolated", key, body)
    entry = ctx.ledger.get(key)
    if entry is not None and entry.body["error"] is None:
        requests.commission(ctx, requests.for_harness(ctx, name))

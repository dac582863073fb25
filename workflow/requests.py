"""The auditor's commissions: written with or without an auditor, so that anyone can audit the run later."""

from __future__ import annotations

import json
from typing import Any

from workflow.canonical import digest, pretty, write_atomic
from workflow.context import Context, baseline_dir, profile_dir
from workflow.errors import EvidenceError

SCHEMA = "countersign.request/1"  # 1: first form
FILE = "audit_request.json"


def commission(ctx: Context, request: dict[str, Any]) -> None:
    """Add a request to audit_request.json and to the ledger; the same request again changes nothing.

    Raises EvidenceError when a request of that name was ledgered with another content.
    """
    name, wanted = str(request["short_name"]), digest(request)
    known = ctx.ledger.get(f"request/{name}")
    if known is not None and known.body["request_sha256"] != wanted:
        raise EvidenceError(
            f"request {name!r}: differs from the one in the ledger",
            "The run was edited, or another version began it. Start a new campaign.",
        )
    path = ctx.run_dir / FILE
    requests: list[dict[str, Any]] = json.loads(path.read_bytes()) if path.exists() else []
    kept = [item for item in requests if item["short_name"] != name]
    write_atomic(path, pretty([*kept, request]))
    body = {"short_name": name, "scope": request["scope"], "request_sha256": wanted}
    ctx.ledger.append("request", f"request/{name}", body)


def _common(ctx: Context, name: str, what: str, launches: int) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "short_name": name,
        "what": what,
        "noise_band_pct": ctx.config.noise_band_pct,
        "alpha": ctx.config.alpha_per_look,
        "policy": None,
        "planned": {"launches": launches, "repeats": ctx.config.measure.repeats},
    }


def for_baseline(ctx: Context, number: int) -> dict[str, Any]:
    """The commission for the n-th A/A set, counted from 1."""
    name = "baseline" if number == 1 else f"baseline-set{number}"
    return {
        **_common(ctx, name, "the baseline measured against itself", ctx.config.measure.aa_launches),
        "scope": "baseline",
        "eval_dir": baseline_dir(number),
        "cand_dir": None,
        "baseline_throughput": None,
        "change": None,
        "accepted": [],
        "noise_dirs": [],
    }


def for_profile(ctx: Context, number: int) -> dict[str, Any]:
    """The commission for the n-th profile, counted from 1."""
    return {
        **_common(ctx, f"profile-{number}", "where the time goes", 0),
        "scope": "profile",
        "eval_dir": profile_dir(number),
        "cand_dir": ctx.in_force_launch(),
        "baseline_throughput": None,
        "planned": None,
        "change": None,
        "accepted": [],
        "noise_dirs": [],
    }


def for_harness(ctx: Context, name: str) -> dict[str, Any]:
    """The commission for the isolated benchmark of an overlay."""
    return {
        **_common(ctx, f"harness-{name}", "the overlay by itself", 0),
        "scope": "harness",
        "eval_dir": f"config/{name}",
        "cand_dir": None,
        "baseline_throughput": None,
        "planned": None,
        "change": None,
        "accepted": [],
        "noise_dirs": [],
    }


def change_of(body: Any) -> dict[str, Any]:  # noqa: ANN401 - a ledger body
    """A change as a request names it, from a ledgered proposal."""
    told = body.get("overlay")
    return {"lever": body["lever"], "flags": body["flags"], "env": body["env"], "overlay": [told["dir"]] if told else []}


def for_patch(ctx: Context, name: str, what: str, baseline_sets: int) -> dict[str, Any]:
    """The commission for one proposal, against the configuration that was in force when it was measured."""
    proposal = ctx.ledger.get(f"proposal/{name}")
    if proposal is None:
        raise EvidenceError(f"{name}: no such proposal in the ledger", "The run was edited. Start anew.")
    return {
        **_common(ctx, name, what, ctx.config.measure.launches),
        "scope": "patch",
        "eval_dir": ".",
        "cand_dir": f"config/{name}",
        "baseline_throughput": ctx.in_force_tok_s(baseline_sets),
        "change": change_of(proposal.body),
        "accepted": [],
        "noise_dirs": [baseline_dir(baseline_sets)],
    }


def for_final(ctx: Context, baseline_sets: int, baseline_tok_s: float | None) -> dict[str, Any]:
    """The commission for everything that was banked, together, against the true baseline."""
    banked = [str(entry.body["short_name"]) for entry in ctx.ledger.of_kind("bank")]
    proposals = [entry for name in banked if (entry := ctx.ledger.get(f"proposal/{name}")) is not None]
    what = f"{' + '.join(str(entry.body['lever']) for entry in proposals)} against the true baseline"
    return {
        **_common(ctx, "final", what, ctx.config.measure.final_launches),
        "scope": "bundle",
        "eval_dir": ".",
        "cand_dir": "final",
        "baseline_throughput": baseline_tok_s,
        "change": None,
        "accepted": [change_of(entry.body) for entry in proposals],
        "noise_dirs": [baseline_dir(baseline_sets)],
    }

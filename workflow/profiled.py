"""Profile and route as steps of a campaign: done once, ledgered, found again after a crash."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from agents import OpView
from workflow import authored, requests
from workflow.asking import BudgetSpentError, asking
from workflow.catalogue import overlays_on_offer
from workflow.context import Context, levers_to_try, profile_dir
from workflow.desk import desk
from workflow.errors import EvidenceError, WorkerFailedError
from workflow.history import read_verdicts
from workflow.measure.types import Workload
from workflow.profiling import route
from workflow.serving.overlay import folder_digest
from workflow.tables import tables

CORRECTED = "profile_modules"
"""Gate of the auditor whose figures are shares by module, percent."""


def profile_round(ctx: Context, number: int) -> None:
    """Profile the configuration in force into its folder, once, and commission its audit.

    A failed profile is ledgered with its reason: nothing is routed on its word.
    """
    key, name = f"profile/{number}", profile_dir(number)
    if ctx.ledger.get(key) is None:
        folder = ctx.run_dir / name
        shutil.rmtree(folder, ignore_errors=True)
        ctx.sink.say(f"{name}: profiling what is in force")
        seed, error = ctx.bench.entropy(), None
        load = ctx.workload()
        try:
            _profile(ctx, seed, load, name)
        except WorkerFailedError as failed:
            error = str(failed)
            ctx.sink.say(f"{name}: no profile: {error}")
        body: dict[str, Any] = {"dir": name, "prompt_seed": seed, "error": error}
        if error is None:
            body["sha256"] = folder_digest(folder)
        ctx.ledger.append("profile", key, body)
    if profiled(ctx, number):
        requests.commission(ctx, requests.for_profile(ctx, number))


def _profile(ctx: Context, seed: int, load: Workload, name: str) -> None:
    if ctx.bench.profiler is None:
        raise WorkerFailedError("nothing on this bench can profile")
    prompts = ctx.bench.prompts.draw(seed, load.concurrency, load.output_len)
    found = ctx.bench.profiler(ctx.in_force, prompts, load, ctx.run_dir / name)
    top = ", ".join(f"{row.name} {row.share_pct:.1f} %" for row in found.modules[:3])
    ctx.sink.say(f"{name}: {top}")


def profiled(ctx: Context, number: int) -> bool:
    """True when the n-th profile is on disk. Raises EvidenceError when it is not what the ledger says."""
    entry = ctx.ledger.get(f"profile/{number}")
    if entry is None or entry.body["error"] is not None:
        return False
    folder = ctx.run_dir / profile_dir(number)
    if not folder.is_dir() or folder_digest(folder) != entry.body["sha256"]:
        raise EvidenceError(f"{profile_dir(number)}: missing or altered since it was ledgered", "Restore it from a copy.")
    return True


def route_round(ctx: Context, number: int) -> None:
    """Route the n-th profile, once. Without one, or with one that the auditor failed, nothing is routed."""
    key = f"route/{number}"
    if ctx.ledger.get(key) is not None:
        return
    body: dict[str, Any] = {"profile": profile_dir(number), "routed": [], "left": [], "levers": {}, "because": None}
    word = ctx.ledger.get(f"verdict/profile-{number}")
    if not profiled(ctx, number):
        body["because"] = "there is no profile"
    elif word is not None and word.body["verdict"] == "FAIL":
        body["because"] = f"the auditor failed the profile ({word.body['outcome']})"
    else:
        shown = tables(ctx, number)
        catalogue = None if authored.wanted(ctx) else {item.op for item in overlays_on_offer(ctx)}
        body |= route(shown, corrected(ctx, number), catalogue, levers_to_try(ctx.config, ctx.engine)).as_dict()
        body["corrected"] = bool(corrected(ctx, number))
        body["routed"] = _ordered(ctx, body["routed"])
    ctx.ledger.append("route", key, body)
    for item in body["routed"]:
        ctx.sink.say(f"route: {item['op']} {item['share_pct']:.1f} % (ceiling {item['ceiling_pct']:+.1f} %): {item['reason']}")
    if not body["routed"]:
        ctx.sink.say(f"route: no operation goes to the kernel track{': ' + body['because'] if body['because'] else ''}")


def _ordered(ctx: Context, routed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Routed operations as the profiler puts them; what it leaves out is not worked on."""
    try:
        with asking("profiler"):
            order = ctx.people.producers.profiler([OpView.model_validate(item) for item in routed], desk(ctx, []))
    except BudgetSpentError as error:
        ctx.sink.say(str(error))
        return routed
    by_name = {item["op"]: item for item in routed}
    return [by_name[name] for name in dict.fromkeys(order) if name in by_name]


def corrected(ctx: Context, number: int) -> Mapping[str, float]:
    """Shares by module as the auditor computed them, percent; empty without an auditor."""
    found = read_verdicts(ctx.run_dir).get(f"profile-{number}", {}) if ctx.config.use_auditor else {}
    shares: dict[str, float] = {}
    for finding in found.get("findings", []):
        if finding.get("gate") == CORRECTED:
            shares |= {name: float(figure["value"]) for name, figure in finding.get("figures", {}).items()}
    return shares

"""The nodes of a campaign. Each may be killed anywhere and run again from its top: what was done is found in the ledger."""

from __future__ import annotations

from dataclasses import replace

from workflow import requests
from workflow.budget import is_spent
from workflow.context import Context, baseline_dir, changed, config_digest, final_legs
from workflow.errors import EvidenceError
from workflow.figures import LegFigures, delta_pct, leg_figures, plain_rule
from workflow.isolating import isolate
from workflow.ledger import Entry
from workflow.measure.execute import execute
from workflow.measure.plan import Plan
from workflow.measure.types import Leg, Settings
from workflow.profiled import profile_round, route_round
from workflow.proposing import drop, next_proposal, proposal_of
from workflow.routing import judge
from workflow.state import State


class Nodes:
    """The nodes that every campaign has. ``audit_nodes`` holds the others."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def setup(self, state: State) -> State:
        """Ledger what was asked for, before anything is measured."""
        ctx, config = self._ctx, self._ctx.config
        body = {
            "campaign_id": state["campaign_id"],
            "config_sha256": config_digest(config),
            "use_auditor": config.use_auditor,
            "alpha": config.alpha,
            "alpha_per_look": config.alpha_per_look,
        }
        ctx.ledger.append("campaign_created", "campaign", body)
        return {}

    def baseline(self, state: State) -> State:
        """Measure the next A/A set: fresh launches of one configuration; earlier sets are kept."""
        ctx, number = self._ctx, state["baseline_sets"] + 1
        folder = baseline_dir(number)
        known = ctx.in_force_tok_s(number - 1) or 0.0 if number > 1 else 0.0
        self._run(ctx.plan(folder, {"aa": ctx.plain}, ctx.config.measure.aa_launches, known))
        requests.commission(ctx, requests.for_baseline(ctx, number))
        median = leg_figures(ctx.run_dir, ctx.ledger, folder).median
        ctx.sink.say(f"{folder}: baseline median {median:.1f} tok/s" if median else f"{folder}: no row")
        return {"baseline_sets": number, "measure_again": False}

    def profile(self, state: State) -> State:
        """Profile what is in force; a profile that fails is told and leaves the kernel track without work."""
        number = state["profiles"] + 1
        profile_round(self._ctx, number)
        return {"profiles": number}

    def route(self, state: State) -> State:
        """Send the operations of the newest profile to the kernel track, by corrected shares where an auditor gave them."""
        route_round(self._ctx, state["profiles"])
        return {}

    def propose(self, state: State) -> State:
        """Ask the producer for the next change and freeze its answer, or say why there is none."""
        ctx = self._ctx
        spent = ctx.spent_before_s + ctx.clock() - ctx.session_start
        answer = next_proposal(ctx, state["attempt"], spent)
        overlay = bool(answer.name and proposal_of(ctx, answer.name).body.get("overlay"))
        found: State = {"short_name": answer.name, "attempt": answer.attempt, "stopped": answer.stopped, "spent_s": spent}
        return {**found, "overlay": overlay}

    def harness(self, state: State) -> State:
        """Benchmark an overlay by itself, beside what its servers will show; it decides nothing."""
        isolate(self._ctx, state["short_name"])
        return {}

    def measure(self, state: State) -> State:
        """Measure the frozen proposal against what is in force, then commission its audit."""
        ctx, name = self._ctx, state["short_name"]
        body = proposal_of(self._ctx, name).body
        ref = ctx.in_force
        cand = changed(ctx.run_dir, ref, body)
        legs: dict[Leg, Settings] = {"ref": ref, "cand": cand}
        if body.get("overlay"):
            legs["off"] = replace(cand, overlays=(*cand.overlays[:-1], cand.overlays[-1].off()))
        known = ctx.in_force_tok_s(state["baseline_sets"]) or 0.0
        self._run(ctx.plan(f"config/{name}", legs, ctx.config.measure.launches, known))
        what = f"{body['lever']} raises output throughput"
        requests.commission(ctx, requests.for_patch(ctx, name, what, state["baseline_sets"]))
        return {}

    def decide(self, state: State) -> State:
        """Bank, fix or drop: by the auditor's word where there is one, else by the plain rule."""
        ctx, name = self._ctx, state["short_name"]
        if not ctx.config.use_auditor:
            result = plain_rule(*self._legs(name), ctx.config.noise_band_pct)
            ctx.sink.say(f"{name}: UNAUDITED, plain rule: {result.reason}")
            return {"decision": "bank" if result.bank else "drop"}
        word = ctx.ledger.get(f"verdict/{name}")
        if word is None or (word.body["verdict"] in ("PASS", "FLAG") and not word.body["verdict_sha256"]):
            raise EvidenceError(f"{name}: no verdict in the ledger", "The run was edited. Start a new campaign.")
        decision = judge(word.body["verdict"], word.body["outcome"], state["attempt"], ctx.config.auditor_max_fix)
        if decision == "bank" and self._legs(name)[1].median is None:
            ctx.sink.say(f"{name}: signed, and its servers left no row: not banked")
            return {"decision": "drop"}
        if decision == "bank" and unsigned(word) and ctx.config.models.on_degraded == "closed":
            ctx.sink.say(f"{name}: the auditor's model did not sign, and this campaign wants it to (on_degraded: closed)")
            return {"decision": "drop"}
        return {"decision": decision}

    def bank(self, state: State) -> State:
        """Put the change in force for everything that is measured from now on."""
        ctx, name = self._ctx, state["short_name"]
        word, body, (ref, cand) = ctx.ledger.get(f"verdict/{name}"), proposal_of(self._ctx, name).body, self._legs(name)
        entry = {
            "short_name": name,
            "flags": body["flags"],
            "env": body["env"],
            **({"overlay": body["overlay"]} if body.get("overlay") else {}),
            "median_tok_s": cand.median,
            "verdict_sha256": word.body["verdict_sha256"] if word else None,
            "audited": word is not None,
            **({"unsigned": True} if unsigned(word) else {}),
        }
        ctx.ledger.append("bank", f"bank/{name}", entry)
        gain = delta_pct(ref, cand)
        banked = "BANKED UNSIGNED" if unsigned(word) else "BANKED"
        ctx.sink.say(f"{name}: {banked}" + (f" ({gain:+.1f} %)" if gain is not None else ""))
        ctx.sink.decided(name, banked, f"{gain:+.1f} %" if gain is not None else "")
        return {"short_name": "", "attempt": 1}

    def fix(self, state: State) -> State:
        """Send the proposal back to its producer, with the verdict's reasons and next steps in the history it sees."""
        self._ctx.sink.say(f"{state['short_name']}: back to its producer (attempt {state['attempt'] + 1})")
        return {"short_name": "", "attempt": state["attempt"] + 1}

    def drop(self, state: State) -> State:
        """Record that the change is not banked, and whether it may ever come again."""
        ctx, name = self._ctx, state["short_name"]
        word = ctx.ledger.get(f"verdict/{name}")
        if word is not None:
            reason = f"{word.body['verdict']} ({word.body['outcome']}), action {word.body['action']}"
            reason += "; UNSIGNED, its second reader could not be asked" if unsigned(word) else ""
            drop(ctx, name, reason, refuted=word.body["outcome"] == "refuted")
        else:
            result = plain_rule(*self._legs(name), ctx.config.noise_band_pct)
            drop(ctx, name, result.reason, refuted=result.refuted)
        return {"short_name": "", "attempt": 1}

    def final(self, state: State) -> State:
        """Measure everything banked against the true baseline, and without each part; nothing when nothing was banked."""
        ctx = self._ctx
        if not ctx.ledger.of_kind("bank"):
            ctx.sink.say("final: skipped, nothing was banked")
            return {"final_measured": False}
        if state["stopped"] in ("wall", "device") and is_spent(ctx, state["spent_s"]):
            ctx.sink.say("final: skipped, the time budget is used up")
            return {"final_measured": False}
        known = ctx.in_force_tok_s(state["baseline_sets"]) or 0.0
        self._run(ctx.plan("final", final_legs(ctx), ctx.config.measure.final_launches, known))
        base = leg_figures(ctx.run_dir, ctx.ledger, baseline_dir(state["baseline_sets"])).median
        requests.commission(ctx, requests.for_final(ctx, state["baseline_sets"], base))
        return {"final_measured": True}

    def report(self, state: State) -> State:
        """Write the reports and close the ledger."""
        from workflow.report import Run, write_report

        ctx = self._ctx
        banked = [str(entry.body["short_name"]) for entry in ctx.ledger.of_kind("bank")]
        dropped = [str(entry.body["short_name"]) for entry in ctx.ledger.of_kind("drop")]
        write_report(Run(ctx.run_dir, ctx.campaign_id, ctx.config, ctx.ledger, state["stopped"]))
        ctx.ledger.append("finished", "finished", {"banked": banked, "dropped": dropped, "stopped": state["stopped"]})
        return {}

    def _run(self, plan: Plan) -> None:
        ctx = self._ctx
        ctx.sink.stage(plan.dir, plan.total_launches)
        for launch in execute(plan, ctx.run_dir, ctx.ledger, ctx.bench):
            ctx.log.info("launch", launch=launch.launch_id, status=launch.status, tok_s=list(launch.output_throughputs))

    def _legs(self, name: str) -> tuple[LegFigures, LegFigures]:
        ctx = self._ctx
        ref, cand = (leg_figures(ctx.run_dir, ctx.ledger, f"config/{name}/{leg}") for leg in ("ref", "cand"))
        return ref, cand


def unsigned(word: Entry | None) -> bool:
    """True for a verdict that is no FAIL and that its second reader did not sign."""
    return word is not None and word.body["verdict"] != "FAIL" and not word.body.get("signed_off", True)

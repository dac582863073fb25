"""Gate 1, second part: both legs did the same work, and no failure is hidden in it."""

from __future__ import annotations

from audit.contract import Figure, Finding
from audit.evidence import Evidence, WorkRow

GATE = "same_work"
STEP = "Give both legs the same prompts and the same forced output length, then measure again."


def check(ev: Evidence) -> list[Finding]:
    """Totals for every dialect; prompt sets, distributions and stop reasons where our stopwatch recorded them."""
    rows = {row.leg: row for row in ev.tables.work}
    if set(rows) != {"ref", "cand"}:
        return [Finding(gate=GATE, status="unknown", reason="a leg has no rows: its work cannot be compared", ids=["W05"])]
    ref, cand = rows["ref"], rows["cand"]
    found = _totals(ev, ref, cand)
    if ev.own:
        found += _prompts(ev) + _shapes(ev) + _stops(ev)
    elif not found:
        found.append(
            Finding(
                gate=GATE,
                status="unknown",
                required=False,
                ids=["W05", "W10"],
                reason="the rows record neither the prompt set nor how many requests were asked, only how many completed",
            )
        )
    if any(item.status == "fail" for item in found):
        return found
    if ref.isl is None or cand.isl is None or ref.osl is None or cand.osl is None:
        return [
            *found,
            Finding(gate=GATE, status="unknown", ids=["W05"], reason="token totals are missing: work cannot be compared"),
        ]
    figures = {
        "ref_input_tokens": Figure(ref.isl, "tokens/request"),
        "cand_input_tokens": Figure(cand.isl, "tokens/request"),
        "ref_output_tokens": Figure(ref.osl, "tokens/request"),
        "cand_output_tokens": Figure(cand.osl, "tokens/request"),
        "ref_completed": Figure(ref.completed, "requests"),
        "cand_completed": Figure(cand.completed, "requests"),
    }
    words = f"{ref.completed} and {cand.completed} requests of {ref.isl:.4g} tokens in and {ref.osl:.4g} out"
    done = Finding(gate=GATE, status="ok", ids=["W05", "W06", "W10"], reason=words, figures=figures, sql=["work_totals"])
    return [done, *found]


def _apart(one: float | None, other: float | None, pct: float) -> bool:
    return one is not None and other is not None and abs(one - other) > pct / 100 * max(abs(one), abs(other))


def _fail(
    ids: list[str], reason: str, sql: str, evidence: list[tuple[str, int]] | None = None, ev: Evidence | None = None
) -> Finding:
    sources = [ev.source(file, line) for file, line in evidence or []] if ev else []
    return Finding(
        gate=GATE, status="fail", situation="not_comparable", ids=ids, reason=reason, next_step=STEP, sql=[sql], evidence=sources
    )


def _totals(ev: Evidence, ref: WorkRow, cand: WorkRow) -> list[Finding]:
    pct = ev.policy.tolerance.work_pct
    found = []
    for ids, words, one, other in (
        (["W05"], "input tokens per request", ref.isl, cand.isl),
        (["W06", "W08"], "output tokens per request", ref.osl, cand.osl),
        (["W10"], "completed requests per repeat", ref.completed_each, cand.completed_each),
    ):
        if _apart(one, other, pct):
            found.append(_fail(ids, f"unequal work: {words} are {one:.6g} in ref and {other:.6g} in cand", "work_totals"))
    for row in (ref, cand):
        if row.failed:
            worst = next((r for _, r in ev.legs[row.leg].rows if r.failed), None)
            place = [] if worst is None else [(worst.source.file, worst.source.line or 1)]
            at = "" if worst is None else f", first at {worst.source.file}:{worst.source.line}"
            words = f"{row.failed} of {row.requested} requests failed in leg {row.leg}{at}: survivors alone were timed"
            found.append(_fail(["W10", "W13"], words, "work_totals", place, ev))
    return found


def _prompts(ev: Evidence) -> list[Finding]:
    found = []
    for row in ev.tables.prompt_pairs:
        what = "other prompts" if row.other_prompts else "another number of requests"
        where = f"{row.ref_file}:{row.ref_line} and {row.cand_file}:{row.cand_line}"
        places = [(row.ref_file, row.ref_line), (row.cand_file, row.cand_line)]
        reason = f"unequal work: pair {row.pair}, repeat {row.repeat} got {what} in the two legs ({where})"
        found.append(_fail(["W05", "R14"], reason, "prompt_pairs", places, ev))
    return found


def _shapes(ev: Evidence) -> list[Finding]:
    rows = {row.leg: row for row in ev.tables.shapes}
    if set(rows) != {"ref", "cand"}:
        return []
    pct = ev.policy.tolerance.work_pct
    names = ("in_mean", "in_p10", "in_p90", "out_mean", "out_p10", "out_p90")
    return [
        _fail(["W06"], f"unequal work: {name} of tokens is {one:.6g} in ref and {other:.6g} in cand", "token_shape")
        for name in names
        if _apart(one := getattr(rows["ref"], name), other := getattr(rows["cand"], name), pct)
    ]


def _stops(ev: Evidence) -> list[Finding]:
    shares: dict[str, dict[str, float]] = {"ref": {}, "cand": {}}
    for row in ev.tables.stops:
        shares[row.leg][row.reason] = row.share
    found = []
    for reason in sorted({*shares["ref"], *shares["cand"]}):
        one, other = shares["ref"].get(reason, 0.0), shares["cand"].get(reason, 0.0)
        if abs(one - other) > ev.policy.tolerance.work_pct / 100:
            words = f"unequal work: {100 * one:.3g} % of answers end with {reason!r} in ref, {100 * other:.3g} % in cand"
            found.append(_fail(["K31", "W06"], words, "stop_reasons"))
    return found

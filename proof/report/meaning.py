"""What the figures mean and what they do not mean, in sentences that name the proof's own numbers."""

from __future__ import annotations

from collections.abc import Sequence

from proof.report import tables, words
from proof.report.shape import Proof, Rate, World


def means(proof: Proof) -> list[str]:
    """What a reader may conclude."""
    rates = proof.rates
    found = []
    if rates.lies_caught.n:
        found.append(
            f"Of the lies planted here the judge caught {words.full(rates.lies_caught)}; of the critical ones, those that put a "
            f"false gain on the books, it failed {words.full(rates.critical_failed)} outright."
        )
    honest = ((rates.twins_refused, "honest twins"), (rates.wins_refused, "true wins"))
    refused = [f"{words.full(rate)} of the {what}" for rate, what in honest if rate is not None and rate.n]
    if refused:
        found.append(f"What honest work pays for that: {words.listed(refused)} did not pass.")
    return found + _of_worlds(proof.worlds)


def worst(worlds: Sequence[World], policy: str) -> tuple[World, Rate] | None:
    """The world with the most false accepts per campaign under a policy, the first of equals; None without trials."""
    found = [
        (world, rate) for world in worlds if (rate := tables.accepts(world, policy)[0]) is not None and rate.rate is not None
    ]
    return max(found, key=lambda item: item[1].rate or 0.0, default=None)


def _of_worlds(worlds: Sequence[World]) -> list[str]:
    found = []
    fair = worst([world for world in worlds if world.meets_assumptions], "default")
    if fair:
        world, rate = fair
        text = (
            f"Where the stated assumptions hold, a campaign of {words.count(world.candidates, 'candidate')} that bring nothing "
            f"at all ends with a false accept in {words.full(rate)} of cases in the worst such world ({world.name})."
        )
        range_rule = tables.accepts(world, "range rule")[0]
        if range_rule is not None and range_rule.rate is not None:
            text += f" The range rule of the field is wrong in {words.full(range_rule)} there."
        found.append(text)
    other = worst([world for world in worlds if not world.meets_assumptions], "default")
    if other:
        world, rate = other
        noticed = [f"{item.gate} does so in {words.share(item.rate)} of {item.of}" for item in world.detections if item.rate.n]
        tail = f" Whether a gate notices that something is wrong: {words.listed(noticed)}." if noticed else ""
        found.append(f"Where they do not hold it can be worse: {words.full(rate)} in the worst world ({world.name}).{tail}")
    lost = [
        (world, world.true_wins)
        for world in worlds
        if world.meets_assumptions and world.true_wins and world.true_wins.not_proven.n
    ]
    if lost:
        world, wins = max(lost, key=lambda item: item[1].not_proven.rate or 0.0)
        found.append(
            f"A true gain so large that the rule should prove it 98 times in 100 ({wins.gain_pct:g} % in the worst world that "
            f"meets the assumptions, {world.name}) stays unproven in {words.full(wins.not_proven)}. Smaller ones are refused "
            "more often; that is the price, and the power curves show it."
        )
    return found


def limits(proof: Proof) -> list[str]:
    """What a reader must not conclude."""
    lies = [case for case in proof.cases if case.kind == "lie"]
    recipes = {case.recipe for case in lies}
    found = []
    if lies:
        found.append(
            f"The lies are ours. {len(lies):,} cases come from {words.count(len(recipes), 'recipe')} that we wrote; "
            "one that nobody thought of is not among them. The judge was also improved on such cases, so a stranger's lie is the "
            "better test."
        )
        found.append(
            "Intervals count the luck of the draw and nothing else. Variants of one recipe resemble each other, so they say "
            "less than as many unrelated lies would."
        )
    if proof.worlds:
        found.append(_of_models(proof.worlds))
    if proof.mode == "quick":
        found.append("This is a quick proof: fewer cases and fewer campaigns than a full one, so its intervals are wider.")
    found.append("PASS means that this evidence carries this claim on this machine and load. It promises nothing for another.")
    found.append(
        "FAIL is no accusation. It also stands where honest evidence is too thin, and then the verdict says what is missing."
    )
    return found


def _of_models(worlds: Sequence[World]) -> str:
    fitted = [f"{world.name} ({world.fitted_from})" for world in worlds if world.fitted_from]
    chosen = len(worlds) - len(fitted)
    text = "The worlds are models, not machines."
    if fitted:
        text += (
            f" {len(fitted)} of {len(worlds)} {'is' if len(fitted) == 1 else 'are'} fitted to recordings: {words.listed(fitted)}."
        )
    if chosen:
        text += f" The numbers of {'the other ' if fitted else ''}{chosen} were chosen by us."
    return text


def no_misses(proof: Proof) -> str:
    """What an empty list of misses does not mean."""
    caught = proof.rates.lies_caught
    if not caught.n:
        return "No lie was planted, so nothing could be missed."
    return (
        f"This does not mean that nothing can be missed. After {caught.k:,} of {caught.n:,} the share of such lies that pass "
        f"could still be {100 * (1 - caught.low):.2g} % (95 % interval), and lies of other kinds were not tried."
    )


def same_counts(worlds: Sequence[World]) -> bool:
    """The default and the strict policy came out alike in every world."""
    pairs = [(tables.accepts(world, "default"), tables.accepts(world, "strict")) for world in worlds]
    return bool(pairs) and all(one == other and one[0] is not None for one, other in pairs)

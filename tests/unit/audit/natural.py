"""Texts as people and good models write them, in the forms that answers take: none of them is damaged."""
# ruff: noqa: E501, RUF001 - texts in their own scripts, at their own length

from __future__ import annotations

ENGLISH = """The harbour was quiet when we arrived, apart from two men who were mending a net on the quay. One of them looked up,
nodded, and went back to his knots. We asked whether a boat still crossed to the island on Sundays. "Not since spring," he said,
"but my cousin goes over for the sheep, and he will take you if you help him with the gate." So we waited for the cousin, ate
what was left of the bread, and watched the tide creep over the stones until the whole beach had gone."""
GERMAN = """Im Herbst wird das Dach neu gedeckt, weil beim letzten Sturm einige Ziegel heruntergefallen sind. Der Handwerker meint,
dass die Balken noch gut seien, nur die Dachlatten müssten an der Nordseite ausgetauscht werden. Bis dahin liegt eine Plane
über der offenen Stelle. Wer auf den Speicher geht, soll bitte die Luke wieder schließen, damit die Straßenkatze nicht
hereinkommt und sich auf der frisch gewaschenen Wäsche niederlässt."""
FRENCH = """Le marché ouvre à six heures, mais les habitués arrivent plus tôt pour choisir les meilleurs fromages. Une vieille
dame vend des œufs et du miel sous l'horloge ; elle connaît le prénom de tous ses clients et leur demande des nouvelles de la
famille. Quand il pleut, elle déplie un grand parapluie vert, et personne ne songe à rentrer avant midi."""
CHINESE = """昨天下午我和妹妹去河边散步，天气很好，水也很清。我们看到几个孩子在放风筝，其中一个风筝飞得特别高，像一只小鸟。妹妹问我为什么
风筝不会掉下来，我告诉她因为有风，也因为有人拉着线。她想了一会儿说，那么人也需要有人拉着才不会飞走吧。我笑了，没有回答。"""
JAPANESE = """駅前の小さな本屋は、来月で閉まるそうです。店主のおじいさんは八十歳を過ぎていて、もう重い箱を運べないと言っていました。
私は子供のころからそこで Python の入門書や漫画を買ってきたので、とても寂しいです。最後の日には友達と一緒に行くつもりです。"""
RUSSIAN = """Поезд пришёл с опозданием на два часа, и на платформе уже почти никого не осталось. Дежурный сказал, что последний
автобус ушёл в десять, но за вокзалом иногда стоят такси. Мы взяли чемоданы и пошли через мост, с которого была видна вся река.
На том берегу горел один фонарь, и под ним спала большая белая собака."""
PYTHON = '''def read_rows(path: Path, limit: int = 100) -> list[dict[str, float]]:
    """Rows of a CSV file as floats; blank lines are left out."""
    found: list[dict[str, float]] = []
    with path.open(encoding="utf-8") as stream:
        header = next(stream).strip().split(",")
        for number, line in enumerate(stream, start=2):
            if not line.strip():
                continue
            cells = line.strip().split(",")
            if len(cells) != len(header):
                raise ValueError(f"line {number}: {len(cells)} cells, {len(header)} wanted")  # a short row is an error
            found.append({key: float(cell) for key, cell in zip(header, cells, strict=True)})
            if len(found) >= limit:
                break
    return found
'''
C_CODE = """#include <stdio.h>

static int clamp(int value, int low, int high) {
    if (value < low) { return low; }   /* below (the floor) */
    return value > high ? high : value;
}

int main(void) {
    for (int i = -3; i < 12; i += 5) {
        printf("%d -> %d\\n", i, clamp(i, 0, 9));
    }
    return 0;
}
"""
TOOL_CALL = (
    '{"name": "create_event", "arguments": {"title": "Dentist", "start": "2026-03-04T09:30:00", "minutes": 45, "guests": []}}'
)
RECORDS = """[{"id": 1, "name": "oak", "height_m": 21.5, "evergreen": false}, {"id": 2, "name": "pine", "height_m": 30.2, "evergreen": true},
 {"id": 3, "name": "birch", "height_m": 18.0, "evergreen": false}, {"id": 4, "name": "yew", "height_m": 9.4, "evergreen": true},
 {"id": 5, "name": "ash", "height_m": 25.1, "evergreen": false}, {"id": 6, "name": "holly", "height_m": 7.7, "evergreen": true}"""
TABLE = """Here are the results by engine:

| engine | launches | median tok/s | spread % | note |
|---|---|---|---|---|
| eager | 3 | 812.4 | 0.62 | warm |
| sdpa | 3 | 1004.1 | 0.48 | warm |
| flash | 2 | 1130.9 | 1.20 | one launch failed |

The third row rests on two launches only, so its interval is wide."""
MATHS = """To find the roots of $x^2 - 5x + 6 = 0$, factor the left side: $(x - 2)(x - 3) = 0$. Hence $x = 2$ or $x = 3$.
Check: $2^2 - 5 \\cdot 2 + 6 = 4 - 10 + 6 = 0$, and likewise for $3$. On the interval $[0, 1)$ the polynomial is positive, and its
derivative $2x - 5$ vanishes at $x = \\frac{5}{2}$, where $f(5/2) = -\\frac{1}{4}$. Writing $\\alpha$ and $\\beta$ for the roots, α + β = 5."""
STEPS = """1. Boil two litres of water with a spoon of salt.
2. Add the pasta and stir once, so that nothing sticks.
3. Meanwhile, warm the oil (not too hot) and fry the garlic for a minute.
4. Keep a cup of the water: a) for the sauce, b) for later.
5. Drain, mix, and serve at once :)"""
THOUGHT = """<think>
The user wants 17 * 24. 17 * 20 is 340, and 17 * 4 is 68, so the sum is 408.
</think>
17 x 24 = **408**"""

ALL: dict[str, str] = {
    "English": ENGLISH, "German": GERMAN, "French": FRENCH, "Chinese": CHINESE, "Japanese": JAPANESE, "Russian": RUSSIAN,
    "Python": PYTHON, "C": C_CODE, "tool call": TOOL_CALL, "records, cut off": RECORDS, "table": TABLE, "maths": MATHS,
    "steps": STEPS, "thought": THOUGHT,
}  # fmt: skip
ANSWERS: tuple[str, ...] = (
    "Paris is the capital of France, and the Seine runs through it.",
    "The sky looks blue because air scatters short waves of light more than long ones.",
    "Dear neighbour, thank you for watering the plants while we were away; the tomatoes have never looked better.",
    "You can use a paper clip to reset a phone, to hold a zip together, or to hang a small picture.",
    "Buenos días, amigo mío.",
    "A prime number has exactly two divisors, one and itself, so 91 is not prime: it is 7 times 13.",
    "def double(values): return [2 * value for value in values]",
    '{"name": "get_weather", "arguments": {"city": "Oslo", "day": "friday"}}',
    "The train leaves at 14:05 and takes 2 hours and 40 minutes, so it arrives at 16:45.",
    "Water the basil every second day, keep it out of the wind, and pick the leaves from the top.",
    "A binary search halves the interval in each step, which takes about log2(n) comparisons for n items.",
    "The minutes list three decisions: the budget was approved, the move was postponed, and Ada will write to the landlord.",
)
"""A dozen answers to plain prompts."""

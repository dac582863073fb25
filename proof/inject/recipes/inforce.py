"""Settings that were declared and not in force, that launches of a leg do not share, and that only our server.json tells in full."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from proof.inject import edits
from proof.inject.bases import ALL, FOREIGN, LAUNCHES
from proof.inject.confounds import FIRST, SECOND, as_one, gain, put
from proof.inject.draft import Draft, Launch
from proof.inject.recipe import Edit, Recipe
from proof.making import Json

LEGS = ("aa", "ref", "cand")


def _not_in_force(draft: Draft, size: float, rng: random.Random) -> None:
    """So many candidate launches (of a flat leg: repeats) ran without the declared change."""
    old = FIRST[draft.dialect][0]
    launches = draft.leg("cand")
    if len(launches) == 1:
        for row in launches[0].rows[: int(size)]:
            row.update(old if draft.dialect == "vllm" else {"server_info": row["server_info"] | old})
        return
    for launch in launches[: int(size)]:
        as_one(draft, launch, old)


def _in_force(draft: Draft, size: float, rng: random.Random) -> None:
    """Every candidate launch ran with it, and a second declared setting was in force as well."""
    old, new = SECOND[draft.dialect]
    for leg in ("aa", "ref"):
        put(draft, leg, old)
    put(draft, "cand", new)
    edits.declare(draft, new)


def _env(draft: Draft, size: float, value: str) -> None:
    """The declared change is a variable; so many candidate servers had it with this value."""
    put(draft, "cand", FIRST[draft.dialect][0])
    for number, launch in enumerate(draft.leg("cand")):
        as_one(draft, launch, {"env.COUNTERSIGN_FAST": value if number < size else "1"})
        launch.server["requested"] = {"flags": {}, "env": {"COUNTERSIGN_FAST": "1"}}
    draft.request["change"] = {"lever": "fast path", "flags": {}, "env": {"COUNTERSIGN_FAST": "1"}, "overlay": []}


def _env_lost(draft: Draft, size: float, rng: random.Random) -> None:
    _env(draft, size, "0")


def _env_kept(draft: Draft, size: float, rng: random.Random) -> None:
    _env(draft, size, "1")


def _unrecorded(draft: Draft, legs: tuple[str, ...]) -> None:
    for launch in (launch for leg in legs for launch in draft.leg(leg)):
        launch.log = []
        for row in launch.rows:
            if draft.dialect == "sglang":
                row["server_info"] = None
            else:
                row.pop("attention_backend", None)
    draft.request["change"] = None


def _blind(draft: Draft, size: float, rng: random.Random) -> None:
    """No settings are on record in the reference (1), the candidate (2) or both (3), and nothing is declared."""
    _unrecorded(draft, {1: ("ref",), 2: ("cand",), 3: ("ref", "cand")}[int(size)])


def _seeing(draft: Draft, size: float, rng: random.Random) -> None:
    """Nothing is declared either, and all settings are on record."""
    draft.request["change"] = None


def _one_otherwise(draft: Draft, size: float, rng: random.Random) -> None:
    """One reference launch ran with so much more memory than its sisters."""
    _one_launch(draft, draft.leg("ref")[rng.randrange(3)], size)


def _one_launch(draft: Draft, launch: Launch, size: float) -> None:
    values: dict[str, Json] = {
        "ours": {"cb_num_blocks": round(64 * (1 + 10 * size))},
        "sglang": {"mem_fraction_static": round(0.85 + size, 3)},
        "vllm": {"gpu_memory_utilization": round(0.9 + size, 3)},
    }
    as_one(draft, launch, values[draft.dialect])


def _all_otherwise(draft: Draft, size: float, rng: random.Random) -> None:
    """Every launch of every leg ran with as much."""
    for launch in draft.launches:
        _one_launch(draft, launch, size)


ARGV = [
    "/usr/bin/python3", "-m", "transformers.cli.transformers", "serve", "/models/tiny", "--device", "cpu", "--host", "127.0.0.1",
    "--port", "8000", "--dtype", "float32",
]  # fmt: skip
ENV = {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "TOKENIZERS_PARALLELISM": "false"}
VERSIONS = {"kernel": "6.1.0", "python": "3.11.7", "tokenizers": "0.22.1", "torch": "2.12.1+cpu", "transformers": "5.23.0"}


def _told(draft: Draft, leg: str, key: str, value: object) -> None:
    """What server.json says of the servers of a leg beside their settings: ``argv``, ``env`` or ``versions``, some of it replaced."""
    for number, launch in enumerate(draft.leg(leg)):
        port = str(30000 + 7 * number + len(leg))
        argv = [port if item == "8000" else item for item in ARGV]
        launch.server |= {"argv": argv, "env": dict(ENV), "versions": dict(VERSIONS), "threads": {"omp": "1", "peak": 4}}
        old = launch.server[key]
        launch.server[key] = [*old, *value] if isinstance(value, list) else old | value


def _server(choices: Mapping[str, Sequence[object]], legs: tuple[str, ...]) -> Edit:
    """The servers of these legs differ in one thing that stands in server.json alone; it brings so many percent."""

    def edit(draft: Draft, size: float, rng: random.Random) -> None:
        key, values = rng.choice(sorted(choices.items()))
        value = rng.choice(values)
        for leg in LEGS:
            _told(draft, leg, key, value if leg in legs else type(value)())
        gain(draft, size)

    return edit


PACKAGES = {"versions": ({"torch": "2.13.0+cpu"}, {"tokenizers": "0.23.0"}, {"kernel": "6.12.3"})}
ARGUMENTS = {"argv": (["--input-validation"], ["--enable-cors"], ["--log-level", "debug"])}
VARIABLES = {"env": ({"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"}, {"MKL_NUM_THREADS": "2"}, {"ATEN_CPU_CAPABILITY": "avx512"})}


def _threads(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's servers compute with so many threads, the reference's with one."""
    _count_threads(draft, {"aa": 1, "ref": 1, "cand": int(size)})


def _as_many_threads(draft: Draft, size: float, rng: random.Random) -> None:
    """All of them compute with as many."""
    _count_threads(draft, dict.fromkeys(LEGS, int(size)))


def _count_threads(draft: Draft, counts: dict[str, int]) -> None:
    for leg, count in counts.items():
        _told(draft, leg, "env", {"OMP_NUM_THREADS": str(count)})
        put(draft, leg, {"threads_omp": str(count)})
        for launch in draft.leg(leg):
            launch.server["threads"] = {"omp": str(count), "peak": count + 3}
            launch.server["requested"]["flags"].pop("threads_omp")


PERCENT, SOME, OURS = (3.0, 8.0, 25.0), (1.0, 2.0, 3.0), ("ours",)
RECIPES = (
    Recipe("flag-not-in-force", ("E06", "C10"), "settings of the candidate", ALL, SOME,
           "So many candidate launches, or repeats, ran without the declared setting.", _not_in_force, _in_force, critical=True),
    Recipe("variable-not-in-force", ("E06",), "stopwatch: server.json effective env.*", ("ours",), SOME,
           "So many candidate servers ran without the declared variable.", _env_lost, _env_kept, critical=True),
    Recipe("settings-not-recorded", ("C12", "A11"), "rows without server_info, logs and metadata", FOREIGN, SOME,
           "The settings of a leg are on record nowhere, and nothing is declared.", _blind, _seeing, critical=True),
    Recipe("one-launch-otherwise", ("M03", "C01"), "settings of one launch: memory fraction, cb_num_blocks", LAUNCHES, (0.01, 0.04, 0.09),
           "One reference launch ran with so much more of the memory than its sisters.", _one_otherwise, _all_otherwise, critical=True),
    Recipe("more-threads", ("C03", "C15"), "stopwatch: server.json effective threads_omp, threads, env", OURS, (2.0, 4.0, 16.0),
           "The candidate's servers compute with so many threads, the reference's with one.", _threads, _as_many_threads, critical=True),
    Recipe("other-packages", ("C09", "C16"), "stopwatch: server.json versions", OURS, PERCENT,
           "The candidate's servers run on another release of a package, or of the kernel; it brings so many percent.",
           _server(PACKAGES, ("cand",)), _server(PACKAGES, LEGS), critical=True),
    Recipe("argument-of-the-reference", ("C15", "C20"), "stopwatch: server.json argv", OURS, PERCENT,
           "The reference's servers were started with one argument more; it costs so many percent.",
           _server(ARGUMENTS, ("aa", "ref")), _server(ARGUMENTS, LEGS), critical=True),
    Recipe("variable-of-the-candidate", ("C15", "C19", "C03"), "stopwatch: server.json env", OURS, PERCENT,
           "The environment of the candidate's servers has a variable that the reference's lacks; it brings so many percent.",
           _server(VARIABLES, ("cand",)), _server(VARIABLES, LEGS), critical=True),
)  # fmt: skip

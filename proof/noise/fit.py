"""Estimates the scatter of recorded series: ``python -m proof.noise.fit SERIES... [--field FOLDER]`` writes fitted.json.

SERIES is a run directory with A/A sets of our stopwatch (``baseline/set_N/launch_NNN``), or a file with a line a launch as
``python -m proof.record lines`` keeps them. FOLDER holds published results of others, a folder
a repository; configurations that were repeated are found in it. Sources go into the file by their public names.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from proof.noise import field
from proof.noise.scatter import rounded, scatter

OUT = Path(__file__).parent / "fitted.json"
QUIET_CORES = 0.05
"""Launches beside which strangers used more are left out of the scatter, as the gate on contention would refuse them."""
SCHEMA = "countersign.fitted/1"  # 1: first form


class Launch(NamedTuple):
    """One recorded launch: start, Unix seconds; per repeat tok/s and foreign cores during it."""

    at_unix: float
    tok_s: list[float]
    foreign: list[float]


@dataclass(frozen=True)
class Set:
    """Launches of one thing, in the order of time."""

    source: str
    launches: tuple[Launch, ...]

    @property
    def logs(self) -> list[list[float]]:
        """log tok/s of each launch's repeats."""
        return [[math.log(value) for value in launch.tok_s] for launch in self.launches]


def read(series: Sequence[Path]) -> tuple[list[Set], list[Launch]]:
    """A/A sets by run and folder, and apart from them the launches that were set aside because strangers used the machine."""
    found: dict[str, list[Launch]] = defaultdict(list)
    aside = []
    for path in sorted(series):
        for source, was_set_aside, launch in _lines(path) if path.is_file() else _folders(path):
            if was_set_aside or max(launch.foreign) > QUIET_CORES:
                aside.append(launch)
            else:
                found[source].append(launch)
    by_time = {source: tuple(sorted(launches, key=lambda item: item.at_unix)) for source, launches in sorted(found.items())}
    return [Set(source, launches) for source, launches in by_time.items() if len(launches) >= 2], aside


def _folders(run_dir: Path) -> Iterator[tuple[str, bool, Launch]]:
    for path in sorted(run_dir.glob("**/baseline/set_*/launch_*/bench_runs.jsonl")):
        parts = path.relative_to(run_dir).parts
        yield f"{run_dir.name}/{parts[-3]}", parts[0] == "set_aside", _launch(path.parent)


def _lines(path: Path) -> Iterator[tuple[str, bool, Launch]]:
    for item in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        parts = item["launch"].split("/")
        if parts[0] != "baseline":
            continue
        repeats = item["repeats"]
        launch = Launch(
            item["started_unix"] + repeats[0]["start_s"],
            [float(row["tok_s"]) for row in repeats],
            [row["foreign_cores"] or 0.0 for row in repeats],
        )
        yield f"{item['series']}/{parts[1]}", bool(item["set_aside"]), launch


def _launch(folder: Path) -> Launch:
    rows = [json.loads(line) for line in (folder / "bench_runs.jsonl").read_text().splitlines() if line]
    samples = json.loads((folder / "host.json").read_text())["samples"]
    foreign = []
    for row in rows:
        start, end = row["countersign"]["start_unix"], row["countersign"]["end_unix"]
        seen = [item["foreign_cores"] for item in samples if start < item["t_unix"] < end + 1]
        foreign.append(statistics.fmean(seen) if seen else 0.0)
    return Launch(rows[0]["countersign"]["start_unix"], [float(row["output_throughput"]) for row in rows], foreign)


def memory(groups: Iterable[Sequence[Sequence[float]]]) -> float:
    """Lag-1 correlation of repeats about their launch's mean, plus 1/n for the mean that was taken out (Moran 1948)."""
    products = squares = bias = 0.0
    for values in itertools.chain.from_iterable(groups):
        mean = statistics.fmean(values)
        own = math.fsum((value - mean) ** 2 for value in values)
        products += math.fsum((one - mean) * (two - mean) for one, two in itertools.pairwise(values))
        squares += own
        bias += own / len(values)
    return (products + bias) / squares if squares else 0.0


def tails(groups: Iterable[Sequence[Sequence[float]]]) -> tuple[float, float]:
    """Excess kurtosis of launch means about their set's, and the largest of them in SDs; 0 for a normal world's expectation."""
    scaled = []
    for launches in groups:
        means = [statistics.fmean(values) for values in launches]
        sd = statistics.stdev(means)
        scaled += [(value - statistics.fmean(means)) / sd for value in means if sd > 0]
    if not scaled:
        return (0.0, 0.0)
    square = statistics.fmean(value**2 for value in scaled)
    return (statistics.fmean(value**4 for value in scaled) / square**2 - 3, max(abs(value) for value in scaled))


def drift_pct(sets: Sequence[Set]) -> tuple[float, float]:
    """Slope of launch means over time in percent an hour, sets about their own means, and its standard error."""
    points = []
    for item in sets:
        hours = [launch.at_unix / 3600 for launch in item.launches]
        means = [statistics.fmean(values) for values in item.logs]
        points += [(x - statistics.fmean(hours), y - statistics.fmean(means)) for x, y in zip(hours, means, strict=True)]
    return _slope(points, len(sets))


def foreign_effect_pct(sets: Sequence[Set], strangers: Sequence[Launch]) -> tuple[float, float]:
    """Change in speed for each foreign core, percent, over all repeats, launches about their own means; and its error."""
    points = []
    launches = [launch for item in sets for launch in item.launches] + list(strangers)
    for launch in launches:
        logs = [math.log(value) for value in launch.tok_s]
        points += [
            (core - statistics.fmean(launch.foreign), value - statistics.fmean(logs))
            for core, value in zip(launch.foreign, logs, strict=True)
        ]
    return _slope(points, len(launches))


def _slope(points: Sequence[tuple[float, float]], means: int) -> tuple[float, float]:
    """Least squares through centred points, in percent; ``means`` is how many means were taken out."""
    weight = math.fsum(x * x for x, _ in points)
    df = len(points) - means - 1
    if weight == 0 or df < 1:
        return (0.0, float("inf"))
    slope = math.fsum(x * y for x, y in points) / weight
    rest = math.fsum((y - slope * x) ** 2 for x, y in points)
    return (100 * slope, 100 * math.sqrt(rest / df / weight))


def embedded(series: Sequence[Path]) -> dict[str, Any]:
    """What the recorded A/A series of the embedded server say. Raises ValueError where no set has two launches."""
    sets, strangers = read(series)
    if not sets:
        raise ValueError("no A/A set with two launches in these series")
    groups = [item.logs for item in sets]
    whole, (slope, slope_error), (effect, effect_error) = scatter(groups), drift_pct(sets), foreign_effect_pct(sets, strangers)
    kurtosis, furthest = tails(groups)
    count = sum(len(item.launches) for item in sets)
    speeds = [value for item in sets for launch in item.launches for value in launch.tok_s]
    firsts = [values[0] - statistics.fmean(values[1:]) for logs in groups for values in logs if len(values) > 1]
    return {
        "words": f"{count} launches in {len(sets)} A/A sets of {len({item.source.split('/')[0] for item in sets})} recorded runs",
        "tok_s": rounded(statistics.median(speeds), 3),
        "launch_sd_pct": rounded(100 * whole.launch_sd),
        "within_sd_pct": rounded(100 * whole.within_sd),
        "launch_df": whole.launch_df,
        "within_df": whole.within_df,
        "memory": rounded(memory(groups)),
        "kurtosis": rounded(kurtosis),
        "furthest_sd": rounded(furthest),
        "first_repeat_pct": rounded(100 * statistics.fmean(firsts)),
        "first_repeat_error_pct": rounded(100 * statistics.stdev(firsts) / math.sqrt(len(firsts))),
        "drift_pct_per_hour": rounded(slope),
        "drift_error_pct": rounded(slope_error),
        "foreign_pct_per_core": rounded(effect),
        "foreign_error_pct": rounded(effect_error),
        "sets": [_set_plain(item) for item in sets],
    }


def _set_plain(item: Set) -> dict[str, Any]:
    found = scatter([item.logs])
    return {
        "source": item.source,
        "launches": len(item.launches),
        "repeats": sum(len(launch.tok_s) for launch in item.launches),
        "launch_sd_pct": rounded(100 * found.launch_sd),
        "within_sd_pct": rounded(100 * found.within_sd),
        "foreign_cores": rounded(max(max(launch.foreign) for launch in item.launches)),
    }


def main() -> None:
    """Write fitted.json; a part that was not asked for is kept as it was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", nargs="*", type=Path)
    parser.add_argument("--field", type=Path)
    given = parser.parse_args()
    kept: dict[str, Any] = json.loads(OUT.read_text()) if OUT.is_file() else {}
    kept["schema"] = SCHEMA
    if given.series:
        kept["embedded"] = embedded(given.series)
    if given.field:
        kept["field"] = field.estimate(given.field)
    OUT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()

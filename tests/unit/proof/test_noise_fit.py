"""Estimates of scatter: what went into a series comes out of it."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from pathlib import Path

import pytest

from proof.noise import field, fit, scatter
from proof.noise.draw import Plan, draw, seed_of
from proof.noise.worlds import QUIET, fitted
from proof.noise.writing import campaign

REAL = Path(__file__).resolve().parents[4] / "shared/real_runs"


def series(launch_sd: float, within_sd: float, launches: int = 400, repeats: int = 4) -> list[list[float]]:
    """Log speeds of launches with known components."""
    rng = random.Random(3)
    found = []
    for _ in range(launches):
        luck = rng.gauss(6.0, launch_sd)
        found.append([luck + rng.gauss(0, within_sd) for _ in range(repeats)])
    return found


@pytest.mark.parametrize(("launch_sd", "within_sd"), [(0.02, 0.01), (0.005, 0.02), (0.03, 0.0)])
def test_components_of_scatter_are_recovered(launch_sd: float, within_sd: float) -> None:
    """Launch and within-launch SD, and their degrees of freedom."""
    found = scatter.scatter([series(launch_sd, within_sd)])
    assert found.launch_sd == pytest.approx(launch_sd, rel=0.1) and found.within_sd == pytest.approx(within_sd, rel=0.1, abs=1e-9)
    assert (found.launch_df, found.within_df) == (399, 1200)


def test_no_launch_scatter_is_none_and_sets_have_means_of_their_own() -> None:
    """Repeats alone leave nothing for launches; a shift between sets is no scatter."""
    flat = series(0.0, 0.01, launches=50)
    moved = [[value + 0.5 for value in values] for values in flat]
    assert scatter.scatter([flat, moved]).launch_sd < 0.003


def test_memory_of_repeats_is_recovered() -> None:
    """Long launches with a known lag-1 correlation; none in independent ones."""
    rng = random.Random(4)
    launches = []
    for _ in range(200):
        values = [rng.gauss(0, 1)]
        for _ in range(29):
            values.append(0.6 * values[-1] + 0.8 * rng.gauss(0, 1))
        launches.append(values)
    assert fit.memory([launches]) == pytest.approx(0.6, abs=0.08)
    assert fit.memory([series(0.01, 0.01, repeats=8)]) == pytest.approx(0.0, abs=0.05)


def test_a_written_series_is_read_back_from_run_and_lines(tmp_path: Path) -> None:
    """A/A sets of a run directory and of kept lines hold the same launches; those that were set aside stay apart."""
    run = campaign(tmp_path / "aa-1", draw(QUIET, Plan(1), seed_of(QUIET, 3, "fit", 0)), 0, 0)
    ((found,), aside) = fit.read([run])
    assert (found.source, len(found.launches), aside) == ("aa-1/set_1", 6, [])
    lines = tmp_path / "recorded.jsonl"

    def repeat(value: float) -> dict[str, float]:
        return {"start_s": 3.5, "tok_s": value, "foreign_cores": 0.0}

    records = [
        {
            "series": "aa-1", "launch": f"baseline/set_1/launch_{at:03d}", "set_aside": at == 5,
            "started_unix": launch.at_unix - 3.5, "repeats": [repeat(value) for value in launch.tok_s],
        }
        for at, launch in enumerate(found.launches)
    ]  # fmt: skip
    lines.write_text("".join(json.dumps(item) + "\n" for item in records))
    ((again,), (stranger,)) = fit.read([lines])
    assert again.launches == found.launches[:5] and stranger == found.launches[5]
    told = fit.embedded([run])
    assert told["words"] == "6 launches in 1 A/A sets of 1 recorded runs" and 0.0 <= told["launch_sd_pct"] < 2.0


def test_drift_and_foreign_load_are_slopes() -> None:
    """Two percent an hour; three percent slower for each foreign core."""
    launches = tuple(
        fit.Launch(600.0 * at, [1000 * math.exp(0.02 * at / 6 - 0.03 * core) for core in (0.0, 1.0)], [0.0, 1.0])
        for at in range(12)
    )
    sets = [fit.Set("a/set_1", launches)]
    assert fit.drift_pct(sets)[0] == pytest.approx(2.0, rel=1e-3)
    assert fit.foreign_effect_pct(sets, [])[0] == pytest.approx(-3.0, rel=1e-6)


def test_published_repeats_are_found_by_their_labels(tmp_path: Path) -> None:
    """Tables whose labels end in _rN, lines of one prompt; too few runs of one load leave the launch scatter assumed."""
    (tmp_path / "some__where").mkdir()
    rows = [f"cf_{at}\t64\t{seconds}" for at, seconds in (("r1", 100.0), ("r2", 101.0), ("r3", 99.0))]
    (tmp_path / "some__where" / "runs.tsv").write_text("\n".join(["label\tconc\twall_s", *rows, "sweep\t1\t7"]) + "\n")
    lines = [{"run_id": "a", "prompt_id": 1, "tok_s": value} for value in (20.0, 20.4, 19.6)]
    (tmp_path / "else__where").mkdir()
    (tmp_path / "else__where" / "bench_runs.jsonl").write_text("".join(json.dumps(item) + "\n" for item in lines))
    found = field.estimate(tmp_path)
    assert [(item["source"], item["values"]) for item in found["sets"]] == [("else/where", 3), ("some/where", 3)]
    assert found["launch_sd_pct"] == field.NO_LAUNCHES_PCT and "assumed" in found["words"]
    assert 1.0 < found["within_sd_pct"] < 2.1


@pytest.mark.skipif(not REAL.is_dir(), reason="the sample of published results is not here")
def test_the_shipped_estimate_of_the_field_is_what_the_sample_says() -> None:
    """fitted.json comes from the code beside it."""
    assert json.loads(json.dumps(field.estimate(REAL))) == fitted()["field"]


def test_the_shipped_estimates_name_no_place() -> None:
    """Numbers, counts and public names; no path of any machine."""
    text = json.dumps(dict(fitted()))
    assert "/work" not in text and "/tmp" not in text and fitted()["schema"] == fit.SCHEMA
    assert fitted()["embedded"]["launch_df"] >= 30


def test_the_command_says_how_it_is_used() -> None:
    """``python -m proof.noise.fit --help``."""
    done = subprocess.run([sys.executable, "-m", "proof.noise.fit", "--help"], capture_output=True, text=True, check=True)
    assert "SERIES" in done.stdout

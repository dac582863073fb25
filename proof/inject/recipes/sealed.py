"""Sealed evidence that was touched: edited, exchanged, taken away, recorded twice, or timed where it cannot have been."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

from proof import making
from proof.inject import edits, shape
from proof.inject.draft import Draft
from proof.inject.recipe import Recipe

OURS = ("ours",)


def _lowered(root: Path, where: str, size: float) -> None:
    """Every row and request of a sealed launch takes longer by the size; rows and requests still agree."""
    rows = root / where / "bench_runs.jsonl"
    found = [json.loads(line) for line in rows.read_text().splitlines()]
    requests = root / where / "requests.jsonl"
    asked = [json.loads(line) for line in requests.read_text().splitlines()]
    factor = 1 + size / 100
    for item in asked:
        item |= {key: item[key] * factor for key in ("scheduled_s", "sent_s", "first_token_s", "end_s")}
    files = making.Files(where, {}, found, asked, {})
    making.recompute(files)
    rows.write_bytes(b"".join(making.canonical(row) + b"\n" for row in files.rows))
    requests.write_bytes(b"".join(making.canonical(item) + b"\n" for item in asked))


def _edited(draft: Draft, size: float, rng: random.Random) -> None:
    """No gain; the reference launches were made slower on disk, after they were sealed."""
    shape.no_gain(draft)
    where = [launch.where for launch in draft.leg("ref")]
    draft.after += [lambda root, name=name: _lowered(root, name, size) for name in where]  # type: ignore[misc]


def _resealed(draft: Draft, size: float, rng: random.Random) -> None:
    """The same, and the edited launches were sealed anew; the ledger remembers the old seals."""
    _edited(draft, size, rng)

    def seal(root: Path) -> None:
        for launch in draft.leg("ref"):
            making.seal(root / launch.where, launch.where)

    draft.after.append(seal)


def _relinked(draft: Draft, size: float, rng: random.Random) -> None:
    """The same, and the ledger's lines of those launches were written anew, without the chain after them."""
    _resealed(draft, size, rng)

    def rewrite(root: Path) -> None:
        lines = [json.loads(line) for line in (root / "ledger.jsonl").read_text().splitlines()]
        for line in lines:
            where = line["body"].get("launch_id", "")
            if line["kind"] == "sealed" and "/ref/" in where:
                line["body"]["seal_sha256"] = making.sha((root / where / "seal.json").read_bytes())
                line["digest"] = making.sha(making.canonical({key: value for key, value in line.items() if key != "digest"}))
        (root / "ledger.jsonl").write_bytes(b"".join(making.canonical(line) + b"\n" for line in lines))

    draft.after.append(rewrite)


def _slower_all_along(draft: Draft, size: float, rng: random.Random) -> None:
    """Everything took longer by the size when it was measured, and was sealed so."""
    edits.speed(draft, draft.launches, 1 / (1 + size / 100))


def _exchanged(draft: Draft, size: float, rng: random.Random) -> None:
    """Launches of a slow A/A set stand in for so many of the reference, files and seal and all."""
    shape.no_gain(draft)
    edits.speed(draft, draft.leg("aa"), 1 / 1.06)

    def swap(root: Path) -> None:
        for mine, other in zip(draft.leg("ref")[: int(size)], draft.leg("aa"), strict=False):
            shutil.rmtree(root / mine.where)
            shutil.copytree(root / other.where, root / mine.where)

    draft.after.append(swap)


def _taken_away(draft: Draft, size: float, rng: random.Random) -> None:
    """So many fast launches of the reference were deleted."""
    fastest = sorted(draft.leg("ref"), key=lambda launch: -shape.speed_of(launch.rows[0]))[: int(size)]

    def delete(root: Path) -> None:
        for launch in fastest:
            shutil.rmtree(root / launch.where)

    draft.after.append(delete)


def _fewer_planned(draft: Draft, size: float, rng: random.Random) -> None:
    """Fewer launches were planned, measured and sealed."""
    shape.first_launches(draft, 2 if size < 3 else 1)


def _slow_repeat_gone(draft: Draft, size: float, rng: random.Random) -> None:
    """So many candidate launches lost their slower repeat, with its requests, before they were sealed."""
    for launch in draft.leg("cand")[: int(size)]:
        slower = min(range(2), key=lambda place: shape.speed_of(launch.rows[place]))
        shape.drop(launch, [slower])


def _one_repeat_planned(draft: Draft, size: float, rng: random.Random) -> None:
    """One repeat a launch was planned, and every launch has it."""
    for launch in draft.launches:
        shape.drop(launch, [1])
        launch.server["plan"]["repeats"] = 1


def _twice(draft: Draft, size: float, rng: random.Random) -> None:
    """So many candidate launches record their first repeat twice, as after a resumed run."""
    for launch in draft.leg("cand")[: int(size)]:
        first = launch.rows[0]
        launch.rows.append({**first, "countersign": dict(first["countersign"])})


def _once(draft: Draft, size: float, rng: random.Random) -> None:
    """Three repeats a launch were planned and measured, each by itself."""
    for launch in draft.launches:
        again = [dict(item) for item in launch.requests if item["repeat"] == 0]
        stretch = 1 + rng.uniform(-0.002, 0.002)
        for item in again:
            item |= {"repeat": 2, "prompt": f"{item['prompt']} Please."}
            item["prompt_sha256"] = making.sha(item["prompt"].encode())
            item |= {key: item[key] * stretch for key in ("scheduled_s", "sent_s", "first_token_s", "end_s")}
        launch.requests += again
        launch.rows.append({**launch.rows[0], "countersign": {**launch.rows[0]["countersign"], "repeat": 2}})
        launch.server["plan"]["repeats"] = 3
        edits.recompute(launch)


def _overlapping(draft: Draft, size: float, rng: random.Random) -> None:
    """The second repeat of every candidate launch began while this share of the first was still to come."""

    def earlier(written: Draft) -> None:
        for launch in written.leg("cand"):
            first, second = (row["countersign"] for row in launch.rows)
            shift = second["start_unix"] - (first["end_unix"] - size * launch.rows[0]["duration"])
            second |= {"start_unix": second["start_unix"] - shift, "end_unix": second["end_unix"] - shift}

    draft.late.append(earlier)


def _at_once(draft: Draft, size: float, rng: random.Random) -> None:
    """The second repeat began as soon as the first was over."""

    def earlier(written: Draft) -> None:
        for launch in written.leg("cand"):
            first, second = (row["countersign"] for row in launch.rows)
            shift = second["start_unix"] - first["end_unix"] - 0.01
            second |= {"start_unix": second["start_unix"] - shift, "end_unix": second["end_unix"] - shift}

    draft.late.append(earlier)


def _other_minutes(draft: Draft, size: float, rng: random.Random) -> None:
    """The candidate's rows were made elsewhere: their clock says so many seconds before their server was started."""

    def earlier(written: Draft) -> None:
        for launch in written.leg("cand"):
            for row in launch.rows:
                shift = row["countersign"]["start_unix"] - launch.server["started_unix"] + size
                row["countersign"] |= {key: row["countersign"][key] - shift for key in ("start_unix", "end_unix")}
                size_of_one = row["duration"] + 0.5
                row["countersign"] |= {
                    key: row["countersign"][key] - size_of_one * row["countersign"]["repeat"]
                    for key in ("start_unix", "end_unix")
                }

    draft.late.append(earlier)


def _slow_start(draft: Draft, size: float, rng: random.Random) -> None:
    """Every candidate server took a second longer until it was ready."""

    def later(written: Draft) -> None:
        for launch in written.leg("cand"):
            launch.server["started_unix"] -= 1.0

    draft.late.append(later)


def _reordered(root: Path, after: int) -> None:
    """The plan of the A/B stands in the ledger after so many of its sealed launches; the chain is whole."""
    lines = [json.loads(line) for line in (root / "ledger.jsonl").read_text().splitlines()]
    (plan,) = (line for line in lines if line["kind"] == "plan" and line["key"].startswith("plan/config/"))
    lines.remove(plan)
    sealed = [place for place, line in enumerate(lines) if line["kind"] == "sealed" and "/config/" in f"/{line['key']}"]
    place = sealed[after - 1] + 1 if after else 0
    lines.insert(place, {**plan, "at_unix": lines[max(0, place - 1)]["at_unix"]})
    ledger = making.Ledger()
    for line in lines:
        ledger.append(line["kind"], line["key"], line["body"], line["at_unix"])
    (root / "ledger.jsonl").write_bytes(ledger.data())


def _planned_afterwards(draft: Draft, size: float, rng: random.Random) -> None:
    draft.after.append(lambda root: _reordered(root, int(size)))


def _planned_at_once(draft: Draft, size: float, rng: random.Random) -> None:
    """The plan of the A/B was written before anything was measured."""
    draft.after.append(lambda root: _reordered(root, 0))


RECIPES = (
    Recipe("edited-after-the-seal", ("O12",), "stopwatch: seal.json", OURS, (1.0, 5.0, 20.0),
           "No gain; reference launches were made so many percent slower on disk, rows and requests alike.", _edited, _slower_all_along, critical=True),
    Recipe("edited-and-sealed-anew", ("O12",), "stopwatch: ledger.jsonl seal_sha256", OURS, (1.0, 5.0, 20.0),
           "The same, by so many percent, with new seals over the edited files.", _resealed, _slower_all_along, critical=True),
    Recipe("edited-and-ledgered-anew", ("O12",), "stopwatch: ledger.jsonl prev, digest", OURS, (1.0, 5.0, 20.0),
           "The same, by so many percent, with new seals and new ledger lines for them.", _relinked, _slower_all_along, critical=True),
    Recipe("launches-of-another-set", ("R18", "O12"), "stopwatch: server.json launch_id, ledger", OURS, (1.0, 2.0, 3.0),
           "No gain; so many reference launches are copies of a slow A/A set's.", _exchanged, _fewer_planned, critical=True),
    Recipe("launches-taken-away", ("M10",), "stopwatch: ledger.jsonl sealed", OURS, (1.0, 2.0, 3.0),
           "So many sealed reference launches, the fastest, were deleted.", _taken_away, _fewer_planned, critical=True),
    Recipe("slower-repeat-left-out", ("M10", "R14"), "stopwatch: bench_runs.jsonl countersign.repeat, server.json plan", OURS, (1.0, 2.0, 3.0),
           "So many candidate launches lost their slower repeat before they were sealed.", _slow_repeat_gone, _one_repeat_planned, critical=True),
    Recipe("recorded-twice", ("O03", "R19"), "stopwatch: bench_runs.jsonl countersign.repeat", OURS, (1.0, 2.0, 3.0),
           "So many candidate launches record one repeat twice.", _twice, _once, critical=True),
    Recipe("repeats-at-once", ("R19",), "stopwatch: bench_runs.jsonl countersign.start_unix, end_unix", OURS, (0.1, 0.4, 0.9),
           "The candidate's repeats overlap in time by this share.", _overlapping, _at_once, critical=True),
    Recipe("repeats-before-the-server", ("R19",), "stopwatch: countersign.start_unix, server.json started_unix", OURS, (2.0, 60.0, 3600.0),
           "The candidate's repeats were timed so many seconds before their server was started.", _other_minutes, _slow_start, critical=True),
    Recipe("planned-afterwards", ("M32", "M08"), "stopwatch: ledger.jsonl, order of plan and sealed", OURS, (1.0, 3.0, 6.0),
           "The plan was written when so many of its launches had been sealed.", _planned_afterwards, _planned_at_once),
)  # fmt: skip

"""What holds in every campaign directory, whatever its auditor, its producers and its machine did; each as one function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow.campaign import LEDGER
from workflow.config import CampaignConfig
from workflow.history import contradicted, parse_name, read_verdicts
from workflow.ledger import Entry, Ledger
from workflow.log import FILE as LOG


def holds(run_dir: Path, config: CampaignConfig) -> None:
    """Every rule below. Opening the ledger checks its chain and that no key stands twice."""
    ledger = Ledger(run_dir / LEDGER, lambda: 0.0, read_only=True)
    entries = ledger.entries
    banks_are_signed(entries, audited=config.use_auditor)
    unsigned_is_said(entries, config)
    nothing_is_banked_twice(entries)
    refuted_stays_refuted(entries)
    verdicts_rest_on_rows_of_their_own(entries)
    decisions_are_single(entries)
    looks_are_bounded(entries, config)
    wrong = contradicted(read_verdicts(run_dir), ledger)
    assert wrong is None, f"VERDICTS: {wrong}"


def named(entries: tuple[Entry, ...], kind: str) -> Iterator[tuple[str, Entry]]:
    """Short name and line of every line of a kind."""
    return ((str(entry.body["short_name"]), entry) for entry in entries if entry.kind == kind)


def banks_are_signed(entries: tuple[Entry, ...], *, audited: bool) -> None:
    """A bank rests on rows of both legs and on a verdict above it that passed or flagged what is proven, or says UNAUDITED."""
    verdicts = dict(named(entries, "verdict"))
    assert audited or not verdicts, "BANK: a verdict without an auditor"
    for name, bank in named(entries, "bank"):
        word = verdicts.get(name)
        for leg in ("ref", "cand"):
            rows = [entry for entry in _launches(entries, name, leg) if entry.body["status"] == "complete"]
            assert rows and max(entry.seq for entry in rows) < bank.seq, f"BANK: {name} without rows of {leg}"
        assert bank.body["audited"] is audited, f"BANK: {name} says audited {bank.body['audited']!r}"
        if not audited:
            assert bank.body["verdict_sha256"] is None, f"BANK: {name} has a signature of nobody"
            continue
        assert word is not None and word.seq < bank.seq, f"BANK: {name} without a verdict above it"
        assert word.body["verdict"] in ("PASS", "FLAG"), f"BANK: {name} on {word.body['verdict']!r}"
        assert word.body["outcome"] == "proven", f"BANK: {name} on {word.body['outcome']!r}"
        signed = word.body["verdict_sha256"]
        assert signed is not None and bank.body["verdict_sha256"] == signed, f"BANK: {name} is not what was signed"


def unsigned_is_said(entries: tuple[Entry, ...], config: CampaignConfig) -> None:
    """A bank whose second reader could not be asked says so, and is not made where the campaign is closed to it."""
    verdicts = dict(named(entries, "verdict"))
    for name, bank in named(entries, "bank"):
        without = config.use_auditor and not verdicts[name].body["signed_off"]
        assert not without or config.models.on_degraded == "open", f"UNSIGNED: {name} was banked without a signature"
        assert bank.body.get("unsigned", False) is without, f"UNSIGNED: {name} says {bank.body.get('unsigned')!r}"


def nothing_is_banked_twice(entries: tuple[Entry, ...]) -> None:
    """Neither a name, nor a lever, nor the digest of a change."""
    proposals = dict(named(entries, "proposal"))
    banked = [name for name, _ in named(entries, "bank")]
    for what in ("short_name", "lever", "digest"):
        found = [str(proposals[name].body[what]) for name in banked]
        assert len(found) == len(set(found)), f"TWICE: {what} banked twice: {found}"


def refuted_stays_refuted(entries: tuple[Entry, ...]) -> None:
    """No plan is drawn for a change after its digest was refuted, under whatever name."""
    proposals, refuted = dict(named(entries, "proposal")), set[str]()
    for entry in entries:
        if entry.kind == "drop" and entry.body["refuted"]:
            refuted.add(str(entry.body["digest"]))
        if entry.kind == "plan" and str(entry.body["dir"]).startswith("config/"):
            name = str(entry.body["dir"]).removeprefix("config/")
            assert proposals[name].body["digest"] not in refuted, f"REFUTED: {name} is measured again"


def verdicts_rest_on_rows_of_their_own(entries: tuple[Entry, ...]) -> None:
    """Requested before it was given; on sealed launches that all stand above it, and below the last verdict on that change."""
    requests, proposals = dict(named(entries, "request")), dict(named(entries, "proposal"))
    newest: dict[str, int] = {}
    for name, word in named(entries, "verdict"):
        asked = requests.get(name)
        assert asked is not None and asked.seq < word.seq, f"VERDICT: {name} was not asked for"
        assert word.body["request_sha256"] == asked.body["request_sha256"], f"VERDICT: {name} answers another request"
        if name not in proposals:
            continue
        mark, rows = str(proposals[name].body["digest"]), [entry.seq for entry in _launches(entries, name)]
        assert rows and max(rows) < word.seq, f"VERDICT: {name} does not rest on its own sealed rows"
        assert min(rows) > newest.get(mark, -1), f"VERDICT: {name} rests on rows that were judged before"
        newest[mark] = word.seq


def _launches(entries: tuple[Entry, ...], name: str, leg: str = "") -> list[Entry]:
    """Sealed launches of a proposal, all or of one leg."""
    folder = f"config/{name}/" + (f"{leg}/" if leg else "")
    return [entry for entry in entries if entry.kind == "sealed" and str(entry.body["launch_id"]).startswith(folder)]


def decisions_are_single(entries: tuple[Entry, ...]) -> None:
    """A proposal is banked or dropped, once; nothing comes after the end, and then everything is decided or superseded."""
    proposals = dict(named(entries, "proposal"))
    banked, dropped = [name for name, _ in named(entries, "bank")], [name for name, _ in named(entries, "drop")]
    assert not set(banked) & set(dropped), f"DECIDED: banked and dropped: {set(banked) & set(dropped)}"
    end = next((entry for entry in entries if entry.kind == "finished"), None)
    if end is None:
        return
    assert end.seq == len(entries) - 1, "END: lines after the end"
    assert end.body["banked"] == banked and end.body["dropped"] == dropped, "END: it says something else"
    open_ = set(proposals) - set(banked) - set(dropped)
    followed = {parse_name(name) for name in proposals}
    for name in open_:
        direction, attempt = parse_name(name)
        assert (direction, attempt + 1) in followed, f"END: {name} was never decided"


def looks_are_bounded(entries: tuple[Entry, ...], config: CampaignConfig) -> None:
    """No more proposals are measured than the error budget was divided by."""
    looks = [entry for entry in entries if entry.kind == "plan" and str(entry.body["dir"]).startswith("config/")]
    assert len(looks) <= config.looks_planned, f"LOOKS: {len(looks)} of {config.looks_planned}"


def nodes_begun(run_dir: Path) -> int:
    """Node executions of all sessions, finished or not."""
    return sum(event["event"] == "node_begins" for event in _log(run_dir))


def _log(run_dir: Path) -> Iterator[dict[str, Any]]:
    for line in (run_dir / LOG).read_bytes().splitlines():
        yield json.loads(line)

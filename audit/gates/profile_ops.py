"""Profile scope: time by operation, from the traces, else from a table; what the other profile gates compare with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from audit.contract import Figure, Finding
from audit.evidence import Evidence
from audit.gates.harness import Fault, finding
from audit.intake.profiles import Profile
from audit.intake.symbols import Namer, Origin
from audit.intake.topn import Table


class Share(NamedTuple):
    """One operation's share of all device time (of the CPU's own time without a device), percent."""

    op: str
    family: str
    origin: Origin
    pct: float
    names: tuple[str, ...]
    """Raw names behind it, the one with the most time first."""


class Shares(NamedTuple):
    """Every operation, largest first, and the files that say so."""

    ops: tuple[Share, ...]
    files: tuple[str, ...]

    def get(self, op: str) -> float:
        """Percent of one operation; 0 where it does not occur."""
        return next((item.pct for item in self.ops if item.op == op), 0.0)

    def family(self, name: str) -> float:
        """Percent of a whole family."""
        return sum(item.pct for item in self.ops if item.family == name)


def profiles(ev: Evidence) -> Iterator[tuple[Profile, Namer]]:
    """Each profile, with the names of this policy."""
    namer = Namer(ev.policy.profile.symbols)
    for item in ev.profiles.items:
        yield item, namer


def traced(profile: Profile, namer: Namer, *, copies: bool = True) -> Shares:
    """Shares over all traces of a profile together; without ``copies``, of kernels alone."""
    times: dict[str, int] = {}
    for trace in profile.traces:
        for kernel in trace.kernels:
            if copies or kernel.kind != "copy":
                times[kernel.name] = times.get(kernel.name, 0) + kernel.ns
    total = sum(times.values())
    weights = ((name, 100 * ns / total) for name, ns in times.items()) if total else ()
    return Shares(_grouped(weights, namer), tuple(trace.file for trace in profile.traces))


def told(table: Table, namer: Namer, traced_names: Iterable[str] = (), cut_chars: int = 0) -> Shares:
    """Shares as a table's rows add up to; a name that was cut off counts as the traced one it begins."""
    known = sorted(traced_names)
    weights = [(whole(entry.name, known, cut_chars), table.pct(entry) or 0.0) for entry in table.entries]
    return Shares(_grouped(weights, namer), (table.source.file,))


def whole(name: str, known: list[str], cut_chars: int) -> str:
    """The traced name that a table's name stands for, where the table cut it off."""
    stem = name.removesuffix("...").removesuffix("…")
    if name in known or (len(stem) < cut_chars and stem == name) or not stem:
        return name
    return next((item for item in known if item.startswith(stem)), name)


def _grouped(weights: Iterable[tuple[str, float]], namer: Namer) -> tuple[Share, ...]:
    found: dict[str, list[tuple[float, str]]] = {}
    for name, pct in weights:
        found.setdefault(namer(name).op, []).append((pct, name))
    ops = []
    for op, items in found.items():
        items.sort(key=lambda item: (-item[0], item[1]))
        first = namer(items[0][1])
        ops.append(Share(op, first.family, first.origin, sum(pct for pct, _ in items), tuple(name for _, name in items)))
    return tuple(sorted(ops, key=lambda item: (-item.pct, item.op)))


def corrected(profile: Profile, namer: Namer) -> Shares:
    """The shares to judge by: the traces', else those of the first table (a table alone vouches for itself)."""
    if any(trace.total_ns for trace in profile.traces):
        return traced(profile, namer)
    return told(profile.tables[0], namer) if profile.tables else Shares((), ())


def figures(shares: Shares, count: int) -> tuple[tuple[str, float, str], ...]:
    """The largest operations as figures."""
    return tuple((f"share of {quoted(item.op)}", round(item.pct, 3), "%") for item in shares.ops[:count])


def quoted(name: str) -> str:
    """A kernel's name, cut for a sentence."""
    return name if len(name) <= 100 else f"{name[:97]}..."


def findings(gate: str, faults: Iterable[Fault], fine: Finding) -> list[Finding]:
    """The faults, or the words for none; advisory gaps stand beside those words."""
    found = [finding(gate, fault) for fault in faults]
    return found if any(item.status != "unknown" or item.required for item in found) else [fine, *found]


def ok(ev: Evidence, gate: str, ids: list[str], words: str, shown: tuple[tuple[str, float, str], ...] = ()) -> Finding:
    """Nothing wrong, with what was looked at."""
    places = [ev.source(name) for name, _ in ev.profiles.files]
    told_ = {name: Figure(value, unit) for name, value, unit in shown}
    return Finding(gate=gate, status="ok", ids=ids, reason=words, figures=told_, evidence=places)

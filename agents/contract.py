"""What a producer sees and what it may answer. Producers import nothing else of Countersign."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_CODE = 64 * 1024
"""Letters of one source file."""
Scalar = str | int | float | bool | None


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LeverView(_Frozen):
    """One change the engine declares: the only changes a producer can ask for."""

    name: str
    flags: dict[str, Scalar]
    """Effective-config key -> value while the lever is on."""
    env: dict[str, str] = Field(default_factory=dict)
    summary: str
    """One sentence: what it does and what it may cost."""


class OpView(_Frozen):
    """One operation that the profile routed to the kernel track."""

    op: str
    share_pct: float
    """Share of the profiled time, percent, corrected by the auditor where there is one."""
    ceiling_pct: float
    """What the whole can gain at most, percent, if the operation took no time at all (Amdahl)."""
    reason: str


class OverlayView(_Frozen):
    """One overlay of the catalogue: code that takes the place of one function of the served model."""

    name: str
    op: str
    """The operation that it replaces."""
    summary: str


class Feedback(_Frozen):
    """What became of an earlier proposal, in the words of whoever decided."""

    short_name: str
    lever: str
    decided: Literal["banked", "dropped", "to_fix"]
    verdict: Literal["PASS", "FLAG", "FAIL", "UNAUDITED"]
    action: str
    outcome: str
    delta_pct: float | None
    reasons: list[str]
    next_steps: list[str]


class CampaignView(_Frozen):
    """All a producer may know: levers, routed operations, what is banked, what was decided. No seeds, prompts or paths."""

    levers: list[LeverView]
    ops: list[OpView] = Field(default_factory=list)
    """Routed operations in the profiler's order."""
    overlays: list[OverlayView] = Field(default_factory=list)
    """The catalogue, in the order in which it is to be tried."""
    banked: list[str]
    """Names of levers and overlays in force, oldest first."""
    history: list[Feedback]
    attempt: int = 1
    """1 for a fresh direction; above 1 the last history entry is the one to fix."""


class Authored(_Frozen):
    """An overlay that its producer wrote; its files are made of these texts, under names that it does not choose."""

    op: str
    """The routed operation that it replaces."""
    target: str
    """``module:attr`` of the served model."""
    entry: str
    """Name in the code that takes the target's place."""
    code: Annotated[str, Field(min_length=1, max_length=MOST_CODE)]
    """Python: the whole of overlay.py."""
    kernel: Annotated[str, Field(min_length=1, max_length=MOST_CODE)] | None = None
    """C++: the whole of kernel.cpp, which torch's extension builder compiles into kernel.so beside overlay.py."""


class Proposal(_Frozen):
    """One change to try. Nothing in it is read for a number."""

    lever: str
    flags: dict[str, Scalar]
    env: dict[str, str] = Field(default_factory=dict)
    overlay: str | None = None
    """Name of an overlay of the catalogue, or of the one in ``authored``. ``lever`` is the same then, flags and env are empty."""
    authored: Authored | None = None
    """An overlay of one's own; only the kernel integrator has one."""
    what: str
    """The claim, one line."""
    why: str
    """Why this one now, from the ledger."""
    expected_gain_pct: float | None = None


class BaselineView(_Frozen):
    """What the baseline producer may know after its newest set was judged."""

    sets: int
    """A/A sets measured so far, this one included."""
    verdict: Literal["PASS", "FLAG", "FAIL"]
    action: str
    outcome: str
    reasons: list[str]
    remeasures_left: int


BaselineAnswer = Literal["measure_again", "go_on"]

"""What a campaign lays on a role's desk: things to look at, and a word on what may not be proposed; and who sits at the desks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from agents.contract import BaselineAnswer, BaselineView, CampaignView, OpView, Proposal

Tool = Callable[[str], str]
"""Argument -> what there is to read. Raises LookupError for an argument that names nothing."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Read-only tools by name, and the check that a proposal has to pass."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    refuse: Callable[[Proposal], str | None] = lambda _: None
    """Why a proposal may not be made, in words that its author can act on; None when it may."""


class Producers(Protocol):
    """The four roles of a campaign. An answer of None: nothing is left to propose."""

    def baseline(self, view: BaselineView, desk: Desk) -> BaselineAnswer:
        """What to do about a baseline that was judged."""
        ...

    def profiler(self, ops: list[OpView], desk: Desk) -> list[str]:
        """Routed operations by name, in the order in which they are worth a try."""
        ...

    def config_tuner(self, view: CampaignView, desk: Desk) -> Proposal | None:
        """The next change of configuration."""
        ...

    def kernel_integrator(self, view: CampaignView, desk: Desk) -> Proposal | None:
        """The next overlay."""
        ...

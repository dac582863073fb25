"""The roles without a model: plain functions, the same view, the same answer."""

from __future__ import annotations

from agents.contract import BaselineAnswer, BaselineView, CampaignView, OpView, Proposal
from agents.desk import Desk
from agents.roles.baseline import baseline
from agents.roles.config_tuner import config_tuner
from agents.roles.kernel_integrator import kernel_integrator


class Builtin:
    """See ``Producers``."""

    def baseline(self, view: BaselineView, desk: Desk) -> BaselineAnswer:
        """Measure again while the auditor asks for it and a set is left."""
        del desk
        return baseline(view)

    def profiler(self, ops: list[OpView], desk: Desk) -> list[str]:
        """As they were routed: the largest share first."""
        del desk
        return [item.op for item in ops]

    def config_tuner(self, view: CampaignView, desk: Desk) -> Proposal | None:
        """The next declared lever."""
        del desk
        return config_tuner(view)

    def kernel_integrator(self, view: CampaignView, desk: Desk) -> Proposal | None:
        """The first overlay on offer for the largest routed operation."""
        del desk
        return kernel_integrator(view)

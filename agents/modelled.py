"""The roles with a model behind them: the same views and the same answers as the built-in ones, decided by asking."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel

from agents import skillbook
from agents.builtin import Builtin
from agents.contract import BaselineAnswer, BaselineView, CampaignView, OpView, Proposal
from agents.desk import Desk
from agents.llm import Model
from agents.loop import Persona, Task, decide
from agents.steps import BaselineStep, ChangeStep, ReadingStep, RouteStep

ROLES: Mapping[str, tuple[str, type[BaseModel]]] = {
    "baseline": ("baseline", BaselineStep),
    "profiler": ("profile", RouteStep),
    "config_tuner": ("config-tuner", ChangeStep),
    "kernel_integrator": ("kernel-integrator", ChangeStep),
    "auditor": ("patch-auditor", ReadingStep),
}
"""Role -> its skill, and the schema of its steps."""


def prompt(role: str) -> skillbook.Rendered:
    """The system prompt of a role. Raises SkillError, KeyError for a role that there is not."""
    return skillbook.render(skillbook.read(skillbook.HOME / ROLES[role][0]), {"answer_schema": answer_schema(role)})


def answer_schema(role: str) -> str:
    """The JSON schema that a role's answers are held to."""
    return json.dumps(ROLES[role][1].model_json_schema(), indent=1, sort_keys=True)


class Modelled:
    """See ``Producers``; a role that has no model is the built-in one. Raises ModelError where a model cannot be asked."""

    def __init__(self, models: Mapping[str, Model], builtin: Builtin) -> None:
        self._models, self._builtin = models, builtin

    def _persona(self, role: str) -> Persona | None:
        model = self._models.get(role)
        return None if model is None else Persona(role, prompt(role), model)

    def baseline(self, view: BaselineView, desk: Desk) -> BaselineAnswer:
        """The model's answer; to go on, where it finds none."""
        who = self._persona("baseline")
        if who is None:
            return self._builtin.baseline(view, desk)
        found = decide(who, Task(BaselineStep, view.model_dump_json(), desk.tools, lambda _: None))
        return found.answer if found is not None and found.answer is not None else "go_on"

    def profiler(self, ops: list[OpView], desk: Desk) -> list[str]:
        """The model's order, of operations that were routed; as they were routed, where it finds none."""
        who, known = self._persona("profiler"), [item.op for item in ops]
        if who is None or not known:
            return self._builtin.profiler(ops, desk)

        def refuse(step: RouteStep) -> str | None:
            strange = [name for name in step.ops or [] if name not in known]
            twice = len(set(step.ops or [])) != len(step.ops or [])
            if strange or twice:
                return f"ops: name each at most once, of {', '.join(known)}"
            return None

        view = json.dumps([item.model_dump() for item in ops])
        found = decide(who, Task(RouteStep, view, desk.tools, refuse))
        return known if found is None or found.ops is None else found.ops

    def config_tuner(self, view: CampaignView, desk: Desk) -> Proposal | None:
        """The model's proposal, if it is one that may be made."""
        who = self._persona("config_tuner")
        return self._builtin.config_tuner(view, desk) if who is None else _change(who, view, desk)

    def kernel_integrator(self, view: CampaignView, desk: Desk) -> Proposal | None:
        """The model's choice, if it is one that may be made."""
        who = self._persona("kernel_integrator")
        return self._builtin.kernel_integrator(view, desk) if who is None else _change(who, view, desk)


def _change(who: Persona, view: CampaignView, desk: Desk) -> Proposal | None:
    def refuse(step: ChangeStep) -> str | None:
        return None if step.propose is None else desk.refuse(step.propose)

    found = decide(who, Task(ChangeStep, view.model_dump_json(), desk.tools, refuse))
    return None if found is None else found.propose

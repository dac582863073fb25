"""What a role that asks a model may answer in one step: look at something, or end with its decision."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.contract import Proposal

Line = Annotated[str, Field(max_length=4000)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Look(_Strict):
    """Ask for one thing to read."""

    tool: str
    """Name of a tool that was offered."""
    argument: str = ""


class Step(_Strict):
    """What all roles may answer."""

    thought: Line = ""
    """What is weighed; kept, and read by nobody who decides."""
    look: Look | None = None


class ChangeStep(Step):
    """Of a config tuner or kernel integrator."""

    propose: Proposal | None = None
    nothing: Line | None = None
    """Why there is nothing left to propose."""

    @model_validator(mode="after")
    def _one(self) -> ChangeStep:
        if sum(item is not None for item in (self.look, self.propose, self.nothing)) != 1:
            raise ValueError("exactly one of look, propose and nothing")
        return self


class BaselineStep(Step):
    """Of the baseline's role."""

    answer: Literal["measure_again", "go_on"] | None = None

    @model_validator(mode="after")
    def _one(self) -> BaselineStep:
        if (self.look is None) == (self.answer is None):
            raise ValueError("exactly one of look and answer")
        return self


class RouteStep(Step):
    """Of the profiler: operations in the order in which they are worth a try."""

    ops: list[str] | None = None

    @model_validator(mode="after")
    def _one(self) -> RouteStep:
        if (self.look is None) == (self.ops is None):
            raise ValueError("exactly one of look and ops")
        return self


class Cited(_Strict):
    """A place in the evidence and what stands there, letter for letter."""

    file: str
    line: int
    quote: str


class Objection(_Strict):
    """A reason to lower a verdict."""

    situation: Literal["flagged", "downgrade", "not_comparable", "correctness_lost"]
    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    citation: Cited


class ReadingStep(_Strict):
    """Of the auditor's second reader: an objection, or none."""

    objection: Objection | None

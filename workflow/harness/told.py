"""What the process of one leg of an isolated benchmark says: foreign text, read strictly, with limits."""

from __future__ import annotations

from typing import Annotated

import msgspec

from workflow.errors import WorkerFailedError

Millis = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
Text = Annotated[str, msgspec.Meta(max_length=4096)]
NUMBER_BYTES = 8


class Called(msgspec.Struct, frozen=True):
    """The function that was timed, and the file that it comes from."""

    file: Text
    sha256: Text
    qualname: Text
    module: Text


class Timer(msgspec.Struct, frozen=True):
    """The clock, and what its name stood for before and after the leg ran."""

    name: Text
    identity_before: Text
    identity_after: Text


class Case(msgspec.Struct, frozen=True):
    """Calls of one shape; times in ms, one an iteration; numbers as float64, little endian."""

    mark: Text
    """Shapes and types of all its tensors: what two legs' cases have in common."""
    dims: list[Count]
    """Of the first tensor."""
    dtype: Text
    calls: Annotated[int, msgspec.Meta(ge=1, le=1 << 50)]
    device_ms: list[Millis]
    """CPU time of the calling thread: there is no device here."""
    wall_ms: list[Millis]
    output_sha256: list[Text]
    inputs_before: list[Text]
    inputs_after: list[Text]
    poisoned_bytes_left: Count
    output: bytes
    reference: bytes | None
    """The same call in double precision; None where the code cannot run in it."""


class Leg(msgspec.Struct, frozen=True):
    """Everything that one leg says."""

    callable: Called
    timer: Timer
    cases: list[Case]


def leg(text: bytes, iterations: int) -> Leg:
    """The answer of a leg that was asked for so many iterations. Raises WorkerFailedError on anything else."""
    try:
        found = msgspec.json.decode(text, type=Leg)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WorkerFailedError(f"what the isolated benchmark says cannot be read: {str(error)[:200]}") from error
    if not found.cases:
        raise WorkerFailedError("its target was never called under this load")
    for case in found.cases:
        each = (case.device_ms, case.wall_ms, case.output_sha256, case.inputs_before, case.inputs_after)
        if {len(item) for item in each} != {iterations}:
            raise WorkerFailedError(f"the isolated benchmark does not say {iterations} iterations of {case.dims}")
        if any(len(numbers) % NUMBER_BYTES for numbers in (case.output, case.reference or b"")):
            raise WorkerFailedError(f"the isolated benchmark's output of {case.dims} is cut off")
    return found

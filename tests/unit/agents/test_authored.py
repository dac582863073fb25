"""Overlays that a producer wrote: when two are the same, and what is asked of one."""

from __future__ import annotations

import pytest

from agents import Authored
from workflow.authored import code_digest
from workflow.errors import ConfigError

CODE = "import torch\n\n\ndef forward(self, x):\n    return torch.nn.functional.silu(x)\n"
KERNEL = '#include <torch/extension.h>\n\nint two(int a) { return a + 2; /* more */ } // "end"\nconst char* name = "a  b";\n'


def authored(code: str = CODE, kernel: str | None = KERNEL, entry: str = "forward") -> Authored:
    return Authored(op="Mlp", target="a.b:C.forward", entry=entry, code=code, kernel=kernel)


@pytest.mark.parametrize(
    ("code", "kernel"),
    [
        (CODE.replace("\n\n\n", "\n# faster\n\n"), KERNEL),
        (f'"""All new."""\n{CODE}', KERNEL),
        (CODE.replace("    return", '    """Doc."""\n    return'), KERNEL),
        (CODE.replace("(self, x)", "( self,\n        x )"), KERNEL),
        (CODE, KERNEL.replace("{ ", "{\n\n\t").replace("/* more */", "// less\n")),
        (CODE, KERNEL.replace("a + 2", "a+2")),
    ],
)
def test_white_space_comments_and_docstrings_make_no_new_code(code: str, kernel: str) -> None:
    """What it does is the same."""
    assert code_digest(authored(code, kernel)) == code_digest(authored())


def test_code_of_any_depth_is_a_digest_or_a_clear_refusal() -> None:
    """However many operands a line has, and wherever the interpreter gives up."""
    found = {"refused": 0, "read": 0}
    for depth in (100, *range(880, 1000, 5), 20_000):
        try:
            code_digest(authored("x = " + "+".join("1" * depth) + f"\n{CODE}"))
            found["read"] += 1
        except ConfigError as error:
            assert error.next_step
            found["refused"] += 1
    assert found["refused"] and found["read"]


@pytest.mark.parametrize(
    ("code", "kernel"),
    [
        (CODE.replace("silu", "gelu"), KERNEL),
        (CODE, KERNEL.replace("a + 2", "a + 3")),
        (CODE, KERNEL.replace('"a  b"', '"a b"')),
        (CODE, None),
        (CODE.replace("return torch", "x = x\n    return torch"), KERNEL),
    ],
)
def test_what_does_something_else_is_another_code(code: str, kernel: str | None) -> None:
    """Also where it is a single token, and inside of a text."""
    assert code_digest(authored(code, kernel)) != code_digest(authored())
    assert code_digest(authored(entry="other")) != code_digest(authored())

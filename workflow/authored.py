"""Overlays that a producer wrote: what may be asked for, when two of them are the same, and how sources become a folder."""

from __future__ import annotations

import ast
import keyword
import re
from pathlib import Path
from typing import TYPE_CHECKING

from workflow.canonical import digest, pretty, write_atomic
from workflow.errors import ConfigError
from workflow.harness import SOURCE, compiler
from workflow.serving import overlay

if TYPE_CHECKING:
    from collections.abc import Collection

    from agents import Authored, Proposal
    from workflow.context import Context
    from workflow.sandbox import Sandbox
    from workflow.serving import Engine

_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\w+|\S""",
    re.DOTALL,
)


def wanted(ctx: Context) -> bool:
    """True where a model stands for the kernel integrator, and what it writes can be run."""
    return "kernel_integrator" in ctx.config.models.by_role() and ctx.bench.sandbox.kind == "bubblewrap"


def check(proposal: Proposal, engine: Engine, sandbox: Sandbox, ops: Collection[str], taken: Collection[str]) -> None:
    """Raise ConfigError, in words its author can act on, for an overlay that may not be tried here.

    ``ops``: operations that were routed. ``taken``: names of levers and overlays that there are.
    """
    told, name = proposal.authored, proposal.overlay or ""
    assert told is not None  # noqa: S101 - the caller asked
    if sandbox.kind != "bubblewrap":
        raise ConfigError("code that a producer wrote runs only in the sandbox, and there is none here", "Install bubblewrap.")
    if not overlay.NAME.fullmatch(name) or name in taken:
        raise ConfigError(f"overlay {name!r}: not a free plain name", "Use small letters, digits, '_' and '-', and another name.")
    if told.op not in ops:
        raise ConfigError(f"operation {told.op!r} was not routed to the kernel track", f"Routed: {', '.join(ops) or 'none'}.")
    if not overlay.TARGET.fullmatch(told.target) or not told.target.startswith(engine.overlay_roots):
        roots = ", ".join(engine.overlay_roots) or "nothing of this engine"
        raise ConfigError(f"target {told.target!r}: not a function of the served model", f"Name module:attr below {roots}")
    if not told.entry.isidentifier() or keyword.iskeyword(told.entry):
        raise ConfigError(f"entry {told.entry!r}: not a name", "Name the function of the code that takes the target's place.")
    if told.kernel is not None and compiler() is None:
        raise ConfigError("kernel: there is no C++ compiler here", "Write the overlay in Python alone.")
    _check_code(told)


def _check_code(told: Authored) -> None:
    tree = _parsed(told.code)
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    if told.entry not in defined | {target.id for target in targets if isinstance(target, ast.Name)}:
        raise ConfigError(f"the code defines no {told.entry!r} at its top", "Define the entry as a function of the module.")


def _parsed(code: str) -> ast.Module:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"the code is no Python: {str(error)[:200]}", "Mend it; the whole file is wanted.") from error


def code_digest(told: Authored) -> str:
    """What an overlay does, as a digest: blind to white space, comments, docstrings, and to its name and summary."""
    tree = _parsed(told.code)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    source = [item for item in _TOKEN.findall(told.kernel or "") if not item.startswith(("//", "/*"))]
    try:
        code = ast.dump(tree)
    except RecursionError as error:
        raise ConfigError("the code is nested too deeply to be compared with other code", "Write it flatter.") from error
    return digest({"target": told.target, "entry": told.entry, "code": code, "kernel": source})


def write(folder: Path, proposal: Proposal) -> None:
    """The sources of a checked proposal as the files of an overlay."""
    told = proposal.authored
    assert told is not None  # noqa: S101 - the caller asked
    manifest = {
        "schema": overlay.SCHEMA, "name": proposal.overlay, "op": told.op, "target": told.target, "entry": told.entry,
        "summary": proposal.what,
    }  # fmt: skip
    folder.mkdir(parents=True)
    write_atomic(folder / overlay.MANIFEST, pretty(manifest))
    write_atomic(folder / overlay.CODE, told.code.encode())
    if told.kernel is not None:
        write_atomic(folder / SOURCE, told.kernel.encode())

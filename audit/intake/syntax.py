"""What the syntax tree of a Python file shows. The file is parsed, never imported and never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from audit.policy import Sources

FactKind = Literal[
    "authored_kernel", "rebind", "tuning_table", "backend_select", "serving_setting", "graph_replay", "fallback", "dynamic_code",
    "hidden_code", "stack_look", "validator_replaced", "timer_replaced", "inherited_reference", "reference_alias",
    "library_wrapper",
]  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Fact(NamedTuple):
    """One thing that a source does. ``detail`` is a name or a quotation from the file: data, cut short."""

    kind: FactKind
    line: int
    detail: str


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed file: every node in reading order, its parent, and what each imported name stands for."""

    nodes: tuple[ast.AST, ...]
    parents: Mapping[ast.AST, ast.AST]
    names: Mapping[str, str]
    policy: Sources

    def dotted(self, node: ast.AST | None) -> str:
        """``F.linear`` as ``torch.nn.functional.linear``; empty when the expression is no plain name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.names.get(node.id, node.id), *reversed(parts)])

    def imported(self, node: ast.AST) -> bool:
        """True when the expression starts at an imported name."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.names

    def function(self, node: ast.AST) -> Function | None:
        """The innermost function around a node."""
        at = self.parents.get(node)
        while at is not None and not isinstance(at, Function):
            at = self.parents.get(at)
        return at


def parse(text: str, policy: Sources) -> Tree | str:
    """The tree, or why there is none: a syntax error, nesting too deep, too many nodes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ast.parse(text)
        nodes: list[ast.AST] = []
        parents: dict[ast.AST, ast.AST] = {}
        todo: list[ast.AST] = [module]
        while todo:
            node = todo.pop()
            nodes.append(node)
            if len(nodes) > policy.max_nodes:
                return f"more than {policy.max_nodes} syntax nodes"
            below = list(ast.iter_child_nodes(node))
            parents.update(dict.fromkeys(below, node))
            todo += reversed(below)
    except SyntaxError as error:
        return f"does not parse: {error.msg} (line {error.lineno or '?'})"
    except (RecursionError, MemoryError):
        return "nested too deep to parse"
    except ValueError as error:
        return f"does not parse: {error}"
    return Tree(tuple(nodes), parents, _imports(nodes), policy)


def _imports(nodes: list[ast.AST]) -> dict[str, str]:
    """Local name -> what it stands for; modules fetched by name count as imported."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for item in node.names:
                found[item.asname or item.name.partition(".")[0]] = item.name if item.asname else item.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            for item in node.names:
                found[item.asname or item.name] = f"{node.module}.{item.name}" if node.module else item.name
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            module = fetched(node.value)
            if module:
                found[node.targets[0].id] = module
    return found


def fetched(value: ast.expr) -> str:
    """``importlib.import_module("x.y")`` and ``sys.modules["x.y"]`` name a module."""
    if isinstance(value, ast.Call) and value.args and isinstance(value.func, ast.Name | ast.Attribute):
        name = value.func.id if isinstance(value.func, ast.Name) else value.func.attr
        return text_of(value.args[0]) if name in ("import_module", "__import__") else ""
    if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Attribute) and value.value.attr == "modules":
        return text_of(value.slice)
    return ""


def text_of(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def matches(name: str, patterns: list[str]) -> bool:
    """True when a name fits one of the shell patterns."""
    return bool(name) and any(fnmatchcase(name, pattern) for pattern in patterns)


def is_empty(tree: Tree) -> bool:
    """True for a file that does nothing: no statement but texts, ``pass`` and ``...``."""
    body = tree.nodes[0].body if isinstance(tree.nodes[0], ast.Module) else []
    return all(
        isinstance(item, ast.Pass) or (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)) for item in body
    )

"""What the syntax tree of a Python file shows. The file is parsed, never imported and never run."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
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
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
BUILTINS = ("exec", "eval", "compile", "setattr", "delattr", "getattr", "vars", "globals", "type", "__import__")
"""Functions of the language that code reaches by another name only to hide that it does."""
FETCHERS = ("import_module", "__import__")
MAX_ALIASES = 12
"""Names that stand for names: further than this nobody follows."""


class Fact(NamedTuple):
    """One thing that a source does. ``detail`` is a name or a quotation from the file: data, cut short."""

    kind: FactKind
    line: int
    detail: str


class Named(NamedTuple):
    """What an expression stands for: a dotted name, empty when it is none, and whether it starts at an imported name."""

    name: str
    owned: bool


NOTHING = Named("", owned=False)


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed file: every node in reading order, its parent, what imported names stand for, and what names bound once are."""

    nodes: tuple[ast.AST, ...]
    parents: Mapping[ast.AST, ast.AST]
    names: Mapping[str, str]
    once: Mapping[str, tuple[ast.expr, ...]]
    definitions: Mapping[str, Definition]
    """The first function or class of each name."""
    policy: Sources

    def named(self, node: ast.AST | None, depth: int = 0) -> Named:
        """``F.linear`` as ``torch.nn.functional.linear``, reached by an alias, ``getattr`` or a module's dict too."""
        parts: list[str] = []
        while node is not None:
            step = self._inner(node)
            if step is None:
                break
            parts.append(step[1])
            node = step[0]
        start = self._start(node, depth)
        return Named(".".join([start.name, *reversed(parts)]), start.owned) if start.name else NOTHING

    def _inner(self, node: ast.AST) -> tuple[ast.AST, str] | None:
        """``x.y`` and what is written for it, as ``x`` and ``y``."""
        if isinstance(node, ast.Attribute):
            return node.value, node.attr
        if isinstance(node, ast.Call) and _plain(node.func) == "getattr" and len(node.args) > 1:
            name = self.text(node.args[1])
            return (node.args[0], name) if name else None
        if isinstance(node, ast.Subscript):
            owner, name = namespace(node.value), self.text(node.slice)
            return (owner, name) if owner is not None and name else None
        return None

    def _start(self, node: ast.AST | None, depth: int) -> Named:
        if node is None or depth > MAX_ALIASES:
            return NOTHING
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.value, ast.Call)
            and _plain(node.value.func) in ("globals", "locals")
        ):
            node = ast.Name(self.text(node.slice))
        if not isinstance(node, ast.Name):
            module = self._fetched(node)
            return Named(module, owned=True) if module else NOTHING
        if node.id in self.names:
            return Named(self.names[node.id], owned=True)
        values = self.once.get(node.id, ())
        meant = self.named(values[0], depth + 1) if len(values) == 1 else NOTHING
        return meant if meant.owned or meant.name in BUILTINS else Named(node.id, owned=False)

    def _fetched(self, node: ast.AST) -> str:
        """A module fetched by its name, also where the name is put together."""
        if isinstance(node, ast.Call) and node.args and _plain(node.func).rpartition(".")[2] in FETCHERS:
            return self.text(node.args[0])
        if isinstance(node, ast.Subscript) and _plain(node.value).rpartition(".")[2] == "modules":
            return self.text(node.slice)
        return ""

    def dotted(self, node: ast.AST | None) -> str:
        """The dotted name alone; empty when the expression is none."""
        return self.named(node).name

    def imported(self, node: ast.AST) -> bool:
        """True when the expression starts at an imported name or a module fetched by name."""
        return self.named(node).owned

    def meanings(self, node: ast.expr) -> tuple[ast.expr, ...]:
        """What a name bound once was bound to: one expression, or the items of the loop; else the expression itself."""
        return (self.once.get(node.id) or (node,)) if isinstance(node, ast.Name) else (node,)

    def text(self, node: ast.AST | None, depth: int = 0) -> str:
        """A constant text, also one put together from constants or bound to a name once; empty when it is none."""
        if depth > MAX_ALIASES:
            return ""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            first, second = self.text(node.left, depth + 1), self.text(node.right, depth + 1)
            return first + second if first and second else ""
        if isinstance(node, ast.JoinedStr) and all(isinstance(item, ast.Constant) for item in node.values):
            return "".join(text_of(item) for item in node.values)
        if isinstance(node, ast.Name):
            values = self.once.get(node.id, ())
            return self.text(values[0], depth + 1) if len(values) == 1 else ""
        return text_of(node)

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
    defined = {node.name: node for node in reversed(nodes) if isinstance(node, Definition)}
    return Tree(tuple(nodes), parents, _imports(nodes), _once(nodes), defined, policy)


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


def _once(nodes: list[ast.AST]) -> dict[str, tuple[ast.expr, ...]]:
    """Names that one place of the file binds -> what they are bound to there; a loop over a literal binds each item in turn."""
    bound: Counter[str] = Counter()
    values: dict[str, tuple[ast.expr, ...]] = {}
    for node in nodes:
        bound.update(_binds(node))
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            values |= _pairs(node.targets[0], (node.value,))
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            values |= _pairs(node.target, (node.value,))
        elif isinstance(node, ast.For | ast.comprehension) and isinstance(node.iter, ast.Tuple | ast.List | ast.Set):
            values |= _pairs(node.target, tuple(node.iter.elts))
    return {name: value for name, value in values.items() if bound[name] == 1}


def _binds(node: ast.AST) -> list[str]:
    """The names that a node binds."""
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.alias):
        return [node.asname or node.name.partition(".")[0]]
    return [node.name] if isinstance(node, ast.ExceptHandler) and node.name else []


def _pairs(target: ast.expr, values: tuple[ast.expr, ...]) -> dict[str, tuple[ast.expr, ...]]:
    """``a = x`` and ``a, b = x, y``, name by name."""
    if isinstance(target, ast.Name):
        return {target.id: values}
    if not isinstance(target, ast.Tuple | ast.List):
        return {}
    rows = [value.elts for value in values if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)]
    if not rows or len(rows) != len(values):
        return {}
    names = [(n, item.id) for n, item in enumerate(target.elts) if isinstance(item, ast.Name)]
    return {name: tuple(row[n] for row in rows) for n, name in names}


def namespace(node: ast.AST) -> ast.expr | None:
    """The object whose names a dict holds: ``vars(x)`` and ``x.__dict__`` are those of ``x``."""
    if isinstance(node, ast.Attribute) and node.attr == "__dict__":
        return node.value
    if isinstance(node, ast.Call) and _plain(node.func) == "vars" and len(node.args) == 1:
        return node.args[0]
    return None


def _plain(node: ast.AST) -> str:
    """A dotted name as it is written."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]).removeprefix("builtins.") if isinstance(node, ast.Name) else ""


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

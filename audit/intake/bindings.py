"""What a source assigns beyond its own names: attributes of modules and classes, however the assignment is written."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from audit.intake.syntax import Tree, namespace, text_of

MEMORY = ("__code__", "__call__", "__wrapped__", "__defaults__", "__func__")
"""Parts of a function: who assigns one has replaced the function."""
PATCHERS = ("mock.patch", "unittest.mock.patch", "mocker.patch")
SETTERS = ("setattr", "__setattr__", "wrap_function_wrapper")


class Target(NamedTuple):
    """An attribute that is assigned: who owns it, and its whole name."""

    name: str
    owned: bool
    """It belongs to something imported."""
    value: ast.AST | None


def targets(tree: Tree, node: ast.AST) -> Iterator[Target]:
    """Every attribute that a statement or a call assigns."""
    if isinstance(node, ast.Call):
        yield from _called(tree, node)
        return
    todo: list[ast.expr] = []
    value: ast.AST | None = None
    if isinstance(node, ast.Assign):
        todo, value = list(node.targets), node.value
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        todo, value = [node.target], node.value
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        todo = [node.target]
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        todo = [node.optional_vars]
    while todo:
        item = todo.pop(0)
        if isinstance(item, ast.Tuple | ast.List):
            todo += item.elts
        elif isinstance(item, ast.Starred):
            todo.append(item.value)
        elif isinstance(item, ast.Attribute):
            yield from _members(tree, item.value, [item.attr], value)
        elif isinstance(item, ast.Subscript):
            yield from _key(tree, item.value, item.slice, value)


def _members(tree: Tree, owner: ast.expr, names: list[str], value: ast.AST | None) -> Iterator[Target]:
    """``owner.name`` assigned; a loop over owners assigns each of them."""
    for meant, name in product(tree.meanings(owner), names):
        at = tree.named(meant if len(tree.meanings(owner)) > 1 else owner)
        whole = at.name if name in MEMORY and "." in at.name else f"{at.name or '?'}.{name}"
        yield Target(whole, at.owned, value)


def _texts(tree: Tree, node: ast.AST) -> list[str]:
    """The names that an expression can be: one, or those of the loop it comes from."""
    found = tree.text(node)
    if found or not isinstance(node, ast.Name):
        return [found or "?"]
    return [tree.text(item) or "?" for item in tree.meanings(node)] if len(tree.meanings(node)) > 1 else ["?"]


def _key(tree: Tree, holder: ast.expr, key: ast.AST, value: ast.AST | None) -> Iterator[Target]:
    """``holder[key]`` assigned, where the holder is a module's names, the table of modules or the environment."""
    for meant in tree.meanings(holder):
        owner, name = namespace(meant), tree.dotted(meant)
        if owner is not None and tree.imported(owner):
            yield from _members(tree, owner, _texts(tree, key), value)
        elif name == "sys.modules":
            yield from (Target(item, True, value) for item in _texts(tree, key))
        elif name == "os.environ":
            yield Target(f"os.environ.{tree.text(key)}", True, value)
        elif text_of(key):
            yield Target(f"?.{text_of(key)}", False, value)


def _called(tree: Tree, node: ast.Call) -> Iterator[Target]:
    name = tree.dotted(node.func)
    last = node.func.attr if isinstance(node.func, ast.Attribute) else name.rpartition(".")[2]
    args = node.args
    if name in ("os.environ.setdefault", "os.putenv") and len(args) > 1:
        yield Target(f"os.environ.{tree.text(args[0])}", True, args[1])
    elif last in SETTERS or (last == "object" and name.removesuffix(".object") in PATCHERS):
        yield from _set(tree, node)
    elif name in PATCHERS and args:
        yield Target(tree.text(args[0]) or "?", bool(tree.text(args[0])), args[1] if len(args) > 1 else None)
    elif isinstance(node.func, ast.Attribute) and last in ("update", "__setitem__", "__ior__"):
        yield from _filled(tree, node.func.value, node)


def _set(tree: Tree, node: ast.Call) -> Iterator[Target]:
    """``setattr(owner, name, value)``, ``monkeypatch.setattr("owner.name", value)``, ``owner.__setattr__(name, value)``."""
    args = node.args
    if len(args) > 2 or (len(args) == 2 and tree.dotted(node.func).endswith(".object")):
        yield from _members(tree, args[0], _texts(tree, args[1]), args[2] if len(args) > 2 else None)
    elif len(args) == 2 and "." in tree.text(args[0]):
        yield Target(tree.text(args[0]), True, args[1])
    elif len(args) == 2 and isinstance(node.func, ast.Attribute):
        yield from _members(tree, node.func.value, _texts(tree, args[0]), args[1])


def _filled(tree: Tree, holder: ast.expr, node: ast.Call) -> Iterator[Target]:
    """``vars(module).update(name=value)`` and the like."""
    if isinstance(node.func, ast.Attribute) and node.func.attr == "__setitem__" and len(node.args) == 2:
        yield from _key(tree, holder, node.args[0], node.args[1])
        return
    if namespace(holder) is None and tree.dotted(holder) != "sys.modules":
        return
    for item in node.keywords:
        if item.arg:
            yield from _key(tree, holder, ast.Constant(item.arg), item.value)
    for given in node.args:
        if isinstance(given, ast.Dict):
            for key, value in zip(given.keys, given.values, strict=True):
                if key is not None:
                    yield from _key(tree, holder, key, value)

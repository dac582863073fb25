"""What a Python source does, one reader a trait: kernels, rebinding, settings, tables, graphs, fallbacks, hidden code."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import NamedTuple

from audit.intake.syntax import Fact, Function, Tree, fetched, matches, text_of

BUILTIN_CODE = ("exec", "eval", "compile")


def facts(tree: Tree) -> list[Fact]:
    """Everything that the readers below find, in the order of lines."""
    found = {fact for node in tree.nodes for reader in READERS for fact in reader(tree, node)}
    if not any(fact.kind == "authored_kernel" for fact in found):
        found |= {fact for node in tree.nodes for fact in _library_wrapper(tree, node)}
    return sorted(found, key=lambda fact: (fact.line, fact.kind, fact.detail))


def _kernel(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    if isinstance(node, Function | ast.ClassDef):
        for item in node.decorator_list:
            if matches(tree.dotted(item.func if isinstance(item, ast.Call) else item), tree.policy.kernel_decorators):
                yield Fact("authored_kernel", node.lineno, node.name)
    elif isinstance(node, ast.Call) and matches(name := tree.dotted(node.func), tree.policy.kernel_calls):
        yield Fact("authored_kernel", node.lineno, name)


class Target(NamedTuple):
    """An attribute that is assigned: who owns it, and its whole name."""

    node: ast.AST
    name: str
    owned: bool
    """It belongs to something imported."""
    value: ast.AST | None


def _targets(tree: Tree, node: ast.AST) -> Iterator[Target]:
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        todo: list[ast.expr] = list(node.targets) if isinstance(node, ast.Assign) else [node.target]
        while todo:
            item = todo.pop(0)
            if isinstance(item, ast.Tuple | ast.List):
                todo += item.elts
            elif isinstance(item, ast.Attribute):
                yield Target(item, tree.dotted(item) or f"?.{item.attr}", tree.imported(item), node.value)
            elif isinstance(item, ast.Subscript) and tree.dotted(item.value) == "sys.modules":
                yield Target(item, text_of(item.slice) or "?", True, node.value)
            elif isinstance(item, ast.Subscript) and tree.dotted(item.value) == "os.environ":
                yield Target(item, f"os.environ.{text_of(item.slice)}", True, node.value)
            elif isinstance(item, ast.Subscript) and text_of(item.slice):
                yield Target(item, f"?.{text_of(item.slice)}", False, node.value)
    elif isinstance(node, ast.Call):
        name = tree.dotted(node.func)
        if name in ("setattr", "builtins.setattr") and len(node.args) == 3:
            owner = tree.dotted(node.args[0]) or fetched(node.args[0])
            owned = tree.imported(node.args[0]) or bool(fetched(node.args[0]))
            yield Target(node, f"{owner or '?'}.{text_of(node.args[1]) or '?'}", owned, node.args[2])
        elif name in ("os.environ.setdefault", "os.putenv", "os.environ.__setitem__") and len(node.args) > 1:
            yield Target(node, f"os.environ.{text_of(node.args[0])}", True, node.args[1])


def _rebind(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    policy = tree.policy
    for target in _targets(tree, node):
        line = node.lineno if isinstance(node, ast.stmt | ast.expr) else 1
        if target.owned and matches(target.name, policy.validators):
            yield Fact("validator_replaced", line, target.name)
        elif target.owned and matches(target.name, policy.timers):
            yield Fact("timer_replaced", line, target.name)
        elif target.owned and not matches(target.name, policy.not_rebound) and not isinstance(target.value, ast.Constant):
            yield Fact("rebind", line, target.name)
    if isinstance(node, ast.Call) and _registers(tree, node):
        yield Fact("rebind", node.lineno, tree.dotted(node.func) or "impl")
    if isinstance(node, Function):
        for item in node.decorator_list:
            call = item.func if isinstance(item, ast.Call) else item
            if matches(tree.dotted(call), policy.register_calls):
                yield Fact("rebind", node.lineno, f"{tree.dotted(call)} {node.name}")


def _registers(tree: Tree, node: ast.Call) -> bool:
    """``library.impl("op", fn)``, ``torch.library.register_kernel(...)``: an operator gets another body."""
    named = (
        isinstance(node.func, ast.Attribute) and node.func.attr == "impl" and len(node.args) >= 2 and bool(text_of(node.args[0]))
    )
    return named or (matches(tree.dotted(node.func), tree.policy.register_calls) and not _decorates(tree, node))


def _decorates(tree: Tree, node: ast.AST) -> bool:
    above = tree.parents.get(node)
    return isinstance(above, Function | ast.ClassDef) and node in above.decorator_list


def _settings(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    """Settings of the server that code touches: attributes and environment set, constant keywords, command-line flags."""
    touched = [(target.name.rpartition(".")[2], target.value) for target in _targets(tree, node)]
    if isinstance(node, ast.keyword) and node.arg and isinstance(node.value, ast.Constant):
        touched.append((node.arg, node.value))
    if text_of(node).startswith("--") and _listed(tree, node):
        touched.append((text_of(node)[2:].partition("=")[0].replace("-", "_"), node))
    for name, value in touched:
        handed_on = isinstance(value, ast.Name | ast.Attribute) and tree.dotted(value).rpartition(".")[2] == name
        line = getattr(node, "lineno", 1)
        if matches(name, tree.policy.serving_names) and not handed_on:
            yield Fact("serving_setting", line, name)
        elif matches(name, tree.policy.backend_names) and not handed_on:
            yield Fact("backend_select", line, name)


def _listed(tree: Tree, node: ast.AST) -> bool:
    """True for an item of a list, or what is appended to one: there a flag is given, elsewhere it is only mentioned."""
    above = tree.parents.get(node)
    added = isinstance(above, ast.Call) and isinstance(above.func, ast.Attribute) and above.func.attr in ("append", "insert")
    return added or isinstance(above, ast.List | ast.Tuple)


def _table(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    if isinstance(node, ast.Dict):
        keys = [text_of(key) for key in node.keys if text_of(key)]
    elif isinstance(node, ast.Call):
        keys = [item.arg for item in node.keywords if item.arg and tree.dotted(node.func) in ("dict", "builtins.dict")]
    else:
        return
    named = [key for key in keys if matches(key, tree.policy.table_keys)]
    if len(named) >= tree.policy.table_min_keys:
        yield Fact("tuning_table", node.lineno, ", ".join(named[:4]))


def _graph(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    if not isinstance(node, ast.Call):
        return
    name = tree.dotted(node.func)
    on_graph = isinstance(node.func, ast.Attribute) and node.func.attr == "replay"
    keywords = {item.arg: item.value for item in node.keywords if item.arg}
    reduced = name == "torch.compile" and text_of(keywords.get("mode")) in tree.policy.graph_modes
    if matches(name, tree.policy.graph_calls) or on_graph or reduced:
        yield Fact("graph_replay", node.lineno, name or "replay")


def _fallback(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    """A handler that swallows what went wrong and has something else do the work."""
    if not isinstance(node, ast.ExceptHandler) or any(isinstance(item, ast.Raise) for item in node.body):
        return
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    inside = tree.function(node) is not None
    for item in node.body:
        value = item.value if isinstance(item, ast.Return | ast.Assign) else None
        if inside and isinstance(value, ast.Call) and (isinstance(item, ast.Return) or _broad(kinds)):
            yield Fact("fallback", item.lineno, tree.dotted(value.func) or "a call")
        elif not inside and isinstance(item, ast.Import | ast.ImportFrom):
            yield Fact("fallback", item.lineno, f"import {item.names[0].name}")


def _broad(kinds: list[ast.expr] | list[ast.expr | None]) -> bool:
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")) for kind in kinds)


def _dynamic(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    if not isinstance(node, ast.Call):
        return
    name = tree.dotted(node.func).removeprefix("builtins.")
    if name in BUILTIN_CODE and node.args:
        made = any(_made(tree, item) for item in node.args)
        yield Fact("hidden_code" if made else "dynamic_code", node.lineno, name)
    elif name in ("getattr", "__import__", "importlib.import_module") and node.args:
        at = node.args[1] if name == "getattr" and len(node.args) > 1 else node.args[0]
        if _assembled(tree, at):
            yield Fact("hidden_code", node.lineno, f"{name} of an assembled name")


def _made(tree: Tree, node: ast.expr) -> bool:
    """True when the text to run is decoded on the spot."""
    inner = [item for item in ast.walk(node) if isinstance(item, ast.Call)]
    return any(
        matches(tree.dotted(item.func), tree.policy.decoders)
        or (isinstance(item.func, ast.Attribute) and item.func.attr in tree.policy.decode_methods)
        for item in inner
    )


def _assembled(tree: Tree, node: ast.expr) -> bool:
    """A name put together from constant pieces, or decoded: nobody writes that to be read."""
    if isinstance(node, ast.BinOp):
        return all(isinstance(item, ast.Constant) for item in ast.walk(node) if isinstance(item, ast.Constant | ast.Name))
    return isinstance(node, ast.Call) and _made(tree, node) and not any(isinstance(item, ast.Name) for item in node.args)


def _stack(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    if isinstance(node, ast.Call) and matches(name := tree.dotted(node.func), tree.policy.stack_calls):
        yield Fact("stack_look", node.lineno, name)


def _inherited(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    """A class that adds nothing to a reference it inherits from, or a plain second name for an imported reference."""
    if isinstance(node, ast.ClassDef):
        adds = [item for item in node.body if not isinstance(item, ast.Pass | ast.Expr)]
        for base in node.bases:
            if not adds and matches(tree.dotted(base), tree.policy.reference_names):
                yield Fact("inherited_reference", node.lineno, f"class {node.name}({tree.dotted(base)})")
    elif isinstance(node, ast.Assign) and tree.parents.get(node) is tree.nodes[0] and isinstance(node.targets[0], ast.Name):
        name = tree.dotted(node.value)
        if name and tree.imported(node.value) and matches(name, tree.policy.reference_names):
            yield Fact("reference_alias", node.lineno, f"{node.targets[0].id} = {name}")


def _library_wrapper(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    """A function called a kernel that returns what a library call gives; asked of files that author no kernel."""
    if not isinstance(node, Function) or not matches(node.name.lower(), tree.policy.kernel_like):
        return
    if matches(node.name.lower(), tree.policy.reference_names):
        return
    for item in node.body:
        if isinstance(item, ast.Return) and isinstance(item.value, ast.Call):
            name = tree.dotted(item.value.func)
            if matches(name, tree.policy.library_calls):
                yield Fact("library_wrapper", node.lineno, f"{node.name} returns {name}")


READERS: tuple[Callable[[Tree, ast.AST], Iterator[Fact]], ...] = (
    _kernel, _rebind, _settings, _table, _graph, _fallback, _dynamic, _stack, _inherited,
)  # fmt: skip

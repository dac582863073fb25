"""What a Python source does, one reader a trait: kernels, rebinding, settings, tables, graphs, fallbacks, hidden code."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from audit.intake.bindings import targets
from audit.intake.delegation import fallback, inherited, library_wrapper
from audit.intake.syntax import MAX_ALIASES, Fact, Function, Tree, matches, text_of

BUILTIN_CODE = ("exec", "eval", "compile")


def facts(tree: Tree) -> list[Fact]:
    """Everything that the readers below find, in the order of lines."""
    found = {fact for node in tree.nodes for reader in READERS for fact in reader(tree, node)}
    if not any(fact.kind == "authored_kernel" for fact in found):
        known: dict[str, str] = {}
        found |= {fact for node in tree.nodes for fact in library_wrapper(tree, node, known)}
    if any(fact.kind == "inherited_reference" for fact in found):
        given = [target for node in tree.nodes for target in targets(tree, node) if not isinstance(target.value, ast.Constant)]
        filled = {target.name.partition(".")[0] for target in given if not target.owned}
        found = {fact for fact in found if fact.kind != "inherited_reference" or _class_of(fact) not in filled}
    return sorted(found, key=lambda fact: (fact.line, fact.kind, fact.detail))


def _class_of(fact: Fact) -> str:
    """The class that a fact is about: one that gets a method later is no second name of its base."""
    return fact.detail.removeprefix("class ").partition("(")[0]


def _kernel(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    if isinstance(node, Function | ast.ClassDef):
        for item in node.decorator_list:
            if matches(tree.dotted(item.func if isinstance(item, ast.Call) else item), tree.policy.kernel_decorators):
                yield Fact("authored_kernel", node.lineno, node.name)
    elif isinstance(node, ast.Call) and matches(name := tree.dotted(node.func), tree.policy.kernel_calls):
        yield Fact("authored_kernel", node.lineno, name)


def _rebind(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    policy = tree.policy
    for target in targets(tree, node):
        line = node.lineno if isinstance(node, ast.stmt | ast.expr) else getattr(tree.parents.get(node), "lineno", 1)
        if target.owned and _replaces(target.name, policy.validators):
            yield Fact("validator_replaced", line, target.name)
        elif target.owned and _replaces(target.name, policy.timers):
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


def _replaces(name: str, patterns: list[str]) -> bool:
    """True for a name on the list, and for a module that holds one."""
    return matches(name, patterns) or any(pattern.startswith(f"{name}.") for pattern in patterns)


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
    touched = [(target.name.rpartition(".")[2], target.value) for target in targets(tree, node)]
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


def _dynamic(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    if not isinstance(node, ast.Call):
        return
    name = tree.dotted(node.func).removeprefix("builtins.")
    if name in BUILTIN_CODE and node.args:
        made = any(_made(tree, item) or _unpacked(tree, item) for item in node.args)
        yield Fact("hidden_code" if made else "dynamic_code", node.lineno, name)
    elif matches(name, tree.policy.code_makers):
        yield Fact("hidden_code", node.lineno, name)
    elif matches(name, tree.policy.code_carriers) and any(_unpacked(tree, item) for item in _given(node)):
        yield Fact("hidden_code", node.lineno, f"{name} of what is decoded")
    elif name in ("getattr", "__import__", "importlib.import_module") and node.args:
        at = node.args[1] if name == "getattr" and len(node.args) > 1 else node.args[0]
        if _assembled(tree, at):
            yield Fact("hidden_code", node.lineno, f"{name} of an assembled name")


def _given(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(item.value for item in node.keywords)]


def _unpacked(tree: Tree, node: ast.AST) -> bool:
    """True when an expression, or what its names were bound to, is unpacked from bytes: no template does that."""
    todo, seen = [node], set[str]()
    while todo:
        for item in ast.walk(todo.pop()):
            if isinstance(item, ast.Call) and matches(tree.dotted(item.func), tree.policy.unpackers):
                return True
            if isinstance(item, ast.Name) and item.id not in seen and len(seen) < MAX_ALIASES:
                seen.add(item.id)
                todo += tree.once.get(item.id, ())
    return False


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


READERS: tuple[Callable[[Tree, ast.AST], Iterator[Fact]], ...] = (
    _kernel, _rebind, _settings, _table, _graph, fallback, _dynamic, _stack, inherited,
)  # fmt: skip

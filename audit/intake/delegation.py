"""Code that has other code do its work: fallbacks in silence, references under another name, library calls named kernels."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from audit.intake.syntax import Fact, Function, Tree, matches, namespace

COSMETIC = (
    "to", "type", "view", "view_as", "reshape", "contiguous", "squeeze", "unsqueeze", "t", "transpose", "permute", "clone",
    "detach", "float", "half", "bfloat16", "type_as", "flatten",
)  # fmt: skip
"""Methods that hand on what they got in another form."""
NEUTRAL = ("object", "torch.nn.Module", "abc.ABC")
LOOKUPS = (
    "OSError", "IOError", "FileNotFoundError", "PermissionError", "KeyError", "IndexError", "LookupError", "StopIteration",
    "AttributeError", "json.JSONDecodeError", "UnicodeDecodeError",
)  # fmt: skip
"""Errors of looking something up: passing over them is how a missing file or key is met."""
DEEP, BEHIND = 8, 30
"""Bases above a class and helpers below a function, and statements behind a try, that are looked into."""


def fallback(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    """A handler that swallows what went wrong and has something else do the work, in its body or after it."""
    if isinstance(node, ast.ExceptHandler):
        yield from _handled(tree, node)
    elif isinstance(node, ast.Try):
        for handler in node.handlers:
            if _swallows(tree, handler):
                yield from _afterwards(tree, node, node.body, _assigned(handler.body))
                break
    elif isinstance(node, ast.With) and any(_suppresses(tree, item.context_expr) for item in node.items):
        yield from _afterwards(tree, node, node.body, set())


def _handled(tree: Tree, node: ast.ExceptHandler) -> Iterator[Fact]:
    if any(isinstance(item, ast.Raise) for item in node.body):
        return
    inside = tree.function(node) is not None
    above = tree.parents.get(node)
    tried = above.body if isinstance(above, ast.Try) else []
    for item in node.body:
        value = item.value if isinstance(item, ast.Return | ast.Assign) else None
        if inside and value is not None and _works(value):
            same = not _lookup(tree, node.type) and not _prepares(item) and _instead(tried, value)
            plain = isinstance(value, ast.Call) and (isinstance(item, ast.Return) or _broad(node.type))
            if plain or same:
                yield Fact("fallback", item.lineno, _called(tree, value))
        elif not inside and isinstance(item, ast.Import | ast.ImportFrom):
            yield Fact("fallback", item.lineno, f"import {item.names[0].name}")


def _prepares(item: ast.stmt) -> bool:
    """``x = ready(x)``: an input is put into another form, and the work comes later."""
    return isinstance(item, ast.Assign) and bool(_assigned(item.targets) & _given([item.value]))


def _broad(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(item is None or (isinstance(item, ast.Name) and item.id in ("Exception", "BaseException")) for item in kinds)


def _lookup(tree: Tree, kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return all(tree.dotted(item) in LOOKUPS for item in kinds)


def _swallows(tree: Tree, node: ast.ExceptHandler) -> bool:
    """Nothing in the handler leaves the function: the code after it runs as if nothing had happened."""
    left = any(isinstance(item, ast.Raise | ast.Return) for part in node.body for item in ast.walk(part))
    return not left and not _lookup(tree, node.type)


def _suppresses(tree: Tree, node: ast.expr) -> bool:
    known = isinstance(node, ast.Call) and tree.dotted(node.func) == "contextlib.suppress"
    return known and isinstance(node, ast.Call) and not all(tree.dotted(item) in LOOKUPS for item in node.args)


def _afterwards(tree: Tree, node: ast.stmt, tried: Sequence[ast.AST], marks: set[str]) -> Iterator[Fact]:
    """Other code that gets the same inputs after an error was passed over, where the tried code had returned or left nothing."""
    returned = any(isinstance(item, ast.Return) and item.value is not None and _works(item.value) for item in tried)
    asked = marks | _assigned(tried)
    for item in _following(tree, node)[:BEHIND]:
        for value in _substitutes(item, asked, returned=returned):
            if _works(value) and _instead(tried, value):
                yield Fact("fallback", value.lineno, _called(tree, value))
                return


def _instead(tried: Sequence[ast.AST], value: ast.expr) -> bool:
    """Code that gets an input of the tried code and is not the tried call once more."""
    again = any(ast.dump(item) == ast.dump(value) for part in tried for item in ast.walk(part) if isinstance(item, ast.Call))
    return bool(_given(tried) & _given([value])) and not again


def _following(tree: Tree, node: ast.AST) -> list[ast.stmt]:
    """The statements behind a statement in its block."""
    above = tree.parents.get(node)
    for name in ("body", "orelse", "finalbody"):
        block = getattr(above, name, None)
        if isinstance(block, list) and node in block:
            return block[block.index(node) + 1 :]
    return []


def _substitutes(item: ast.stmt, asked: set[str], *, returned: bool) -> Iterator[ast.expr]:
    """What a statement has done where the tried code did not succeed."""
    if isinstance(item, ast.If) and (returned or _names([item.test]) & asked):
        for part in (*item.body, *item.orelse):
            if isinstance(part, ast.Return | ast.Assign) and part.value is not None and not _prepares(part):
                yield part.value
    elif isinstance(item, ast.Return | ast.Assign) and item.value is not None:
        value = item.value
        if isinstance(value, ast.IfExp) and _names([value.test]) & asked:
            yield from (value.body, value.orelse)
        elif isinstance(value, ast.BoolOp) and _names(value.values[:1]) & asked:
            yield from value.values[1:]
        elif returned and isinstance(item, ast.Return):
            yield value


def _works(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult))


def _called(tree: Tree, node: ast.expr) -> str:
    return (tree.dotted(node.func) or "a call") if isinstance(node, ast.Call) else "an operator"


def _names(parts: Sequence[ast.AST]) -> set[str]:
    return {item.id for part in parts for item in ast.walk(part) if isinstance(item, ast.Name)}


def _assigned(parts: Sequence[ast.AST]) -> set[str]:
    return {
        item.id for part in parts for item in ast.walk(part) if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store)
    }


def _given(parts: Sequence[ast.AST]) -> set[str]:
    """Names that calls and matrix products in these parts take as inputs."""
    found: set[str] = set()
    for part in parts:
        for item in ast.walk(part):
            if isinstance(item, ast.Call):
                found |= {arg.id for arg in item.args if isinstance(arg, ast.Name)}
                found |= {key.value.id for key in item.keywords if isinstance(key.value, ast.Name)}
                found |= {arg.value.id for arg in item.args if isinstance(arg, ast.Starred) and isinstance(arg.value, ast.Name)}
                if isinstance(item.func, ast.Attribute) and isinstance(item.func.value, ast.Name):
                    found.add(item.func.value.id)
            elif isinstance(item, ast.BinOp) and isinstance(item.op, ast.MatMult):
                found |= {side.id for side in (item.left, item.right) if isinstance(side, ast.Name)}
    return found - {"torch", "self"}


def inherited(tree: Tree, node: ast.AST) -> Iterator[Fact]:
    """A class that adds nothing to a reference it inherits from, or a plain second name for an imported reference."""
    if isinstance(node, ast.ClassDef) and all(_adds_nothing(item, node) for item in node.body):
        yield from _second_name(tree, node, node.name, node.bases)
    elif isinstance(node, ast.Call) and len(node.args) == 3 and tree.dotted(node.func).removeprefix("builtins.") == "type":
        bases = node.args[1].elts if isinstance(node.args[1], ast.Tuple) else []
        if _empty_names(tree, node.args[2]):
            yield from _second_name(tree, node, tree.text(node.args[0]) or "?", bases)
    elif isinstance(node, ast.Assign) and tree.parents.get(node) is tree.nodes[0] and isinstance(node.targets[0], ast.Name):
        name = tree.dotted(node.value)
        if name and tree.imported(node.value) and matches(name, tree.policy.reference_names):
            yield Fact("reference_alias", node.lineno, f"{node.targets[0].id} = {name}")


def _second_name(tree: Tree, node: ast.ClassDef | ast.Call, name: str, bases: Sequence[ast.expr]) -> Iterator[Fact]:
    """One fact for a class without anything of its own; a mixin is something of its own."""
    reference = next((base for base in bases if matches(tree.dotted(base), tree.policy.reference_names)), None)
    others = [base for base in bases if base is not reference]
    if reference is None or not all(_neutral(tree, base) for base in others):
        return
    yield Fact("inherited_reference", node.lineno, f"class {name}({tree.dotted(reference)})")


def _neutral(tree: Tree, base: ast.expr, depth: int = 0) -> bool:
    """A base that brings no method: a general one, another reference, or an empty class of the same file."""
    name = tree.dotted(base)
    if name in NEUTRAL or matches(name, tree.policy.reference_names):
        return True
    own = tree.definitions.get(name)
    if not isinstance(own, ast.ClassDef) or depth >= DEEP or len(own.bases) > DEEP:
        return False
    return all(_adds_nothing(part, own) for part in own.body) and all(_neutral(tree, other, depth + 1) for other in own.bases)


def _empty_names(tree: Tree, node: ast.expr) -> bool:
    """A class body given as a dict that holds nothing but texts about the class, or a copy of another class's names."""
    if isinstance(node, ast.Call) and tree.dotted(node.func) == "dict":
        return not node.keywords and all(namespace(item) is not None for item in node.args)
    if not isinstance(node, ast.Dict):
        return namespace(node) is not None
    return all(key is not None and tree.text(key).startswith("__") and isinstance(value, ast.Constant)
               for key, value in zip(node.keys, node.values, strict=True))  # fmt: skip


def _adds_nothing(item: ast.stmt, cls: ast.ClassDef) -> bool:
    if isinstance(item, ast.Assign):
        names = [target.id for target in item.targets if isinstance(target, ast.Name)]
        return bool(names) and all(name.startswith("__") for name in names)
    if isinstance(item, Function):
        return not item.decorator_list and _only_super(item, cls)
    return isinstance(item, ast.Pass | ast.Expr)


def _only_super(method: Function, cls: ast.ClassDef) -> bool:
    """A method that does nothing but call the method it overrides, and hands on what that gives."""
    held: set[str] = set()
    called = False
    for item in method.body:
        value = item.value if isinstance(item, ast.Expr | ast.Return | ast.Assign) else None
        if isinstance(item, ast.Pass) or isinstance(value, ast.Constant):
            continue
        if isinstance(item, ast.Return) and (value is None or (isinstance(value, ast.Name) and value.id in held)):
            continue
        if value is None or not _overridden(value, method, cls):
            return False
        called = True
        held |= _assigned([item])
        if isinstance(item, ast.Assign) and not all(isinstance(target, ast.Name) for target in item.targets):
            return False
    return called


def _bare(value: ast.expr) -> ast.expr:
    """An expression without the methods that only hand on its value in another form."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in COSMETIC:
        value = value.func.value
    return value


def _overridden(value: ast.expr, method: Function, cls: ast.ClassDef) -> bool:
    """``super().m(...)`` or ``Base.m(self, ...)`` in method ``m``, with the arguments as they came."""
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == method.name):
        return False
    above = value.func.value
    asks = isinstance(above, ast.Call) and isinstance(above.func, ast.Name) and above.func.id == "super"
    given = [
        *(arg.value if isinstance(arg, ast.Starred) else arg for arg in value.args),
        *(item.value for item in value.keywords),
    ]
    plain = all(isinstance(_bare(arg), ast.Name | ast.Constant) for arg in given)
    return plain and (asks or any(ast.dump(base) == ast.dump(above) for base in cls.bases))


def library_wrapper(tree: Tree, node: ast.AST, known: dict[str, str]) -> Iterator[Fact]:
    """A function called a kernel that returns what a library call gives; asked of files that author no kernel.

    ``known``: what helpers of the file were found to return, kept from function to function.
    """
    if not isinstance(node, Function):
        return
    above = tree.parents.get(node)
    name = above.name if isinstance(above, ast.ClassDef) and node.name in ("forward", "__call__") else node.name
    if not matches(name.lower(), tree.policy.kernel_like) or matches(name.lower(), tree.policy.reference_names):
        return
    found = _returned(tree, node, known, 0)
    if found:
        yield Fact("library_wrapper", node.lineno, f"{name} returns {found}")


def _flat(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, those under ``with`` as if they stood alone."""
    for item in body:
        within = item
        while isinstance(within, ast.With) and len(within.body) == 1:
            within = within.body[0]
        yield from within.body if isinstance(within, ast.With) else [within]


def _returned(tree: Tree, function: Function, known: dict[str, str], depth: int) -> str:
    """The library call that a function returns, by itself, through a variable or through a helper; empty when it is none."""
    held: dict[str, str] = {}
    for item in _flat(function.body):
        if isinstance(item, ast.Return) and item.value is not None:
            return _library(tree, item.value, held, known, depth)
        if isinstance(item, ast.Assign | ast.AnnAssign) and item.value is not None:
            made = _library(tree, item.value, held, known, depth)
            for target in item.targets if isinstance(item, ast.Assign) else [item.target]:
                if isinstance(target, ast.Name):
                    held[target.id] = made
        elif isinstance(item, ast.Expr) and isinstance(item.value, ast.Call):
            _written(tree, item.value, held)
        else:
            for name in _assigned([item]) & set(held):
                held[name] = ""
    return ""


def _written(tree: Tree, call: ast.Call, held: dict[str, str]) -> None:
    """A call for its effect: what a library writes is the library's, what other code gets in hand may be its own."""
    name = tree.dotted(call.func)
    library = name if matches(name, tree.policy.library_calls) else ""
    out = next((item.value for item in call.keywords if item.arg == "out"), None)
    if library and isinstance(out, ast.Name):
        held[out.id] = library
    elif (
        isinstance(call.func, ast.Attribute) and call.func.attr == "copy_" and isinstance(call.func.value, ast.Name) and call.args
    ):
        held[call.func.value.id] = _library(tree, call.args[0], held, {}, DEEP)
    else:
        for given in _names([*call.args, *call.keywords]):
            held.pop(given, None)


def _library(tree: Tree, value: ast.expr, held: dict[str, str], known: dict[str, str], depth: int) -> str:
    """The library's name for what does the work in an expression."""
    value = _bare(value)
    if isinstance(value, ast.Name):
        return held.get(value.id, "")
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.MatMult):
        return "operator @"
    if not isinstance(value, ast.Call):
        return ""
    name = tree.dotted(value.func)
    if matches(name, tree.policy.library_calls):
        return name
    if isinstance(value.func, ast.Attribute) and not tree.imported(value.func) and _method(tree, value.func.attr):
        return f".{value.func.attr}"
    helper = tree.definitions.get(name)
    if isinstance(helper, Function) and name not in known and depth < DEEP:
        known[name] = ""
        known[name] = _returned(tree, helper, known, depth + 1)
    return known.get(name, "")


def _method(tree: Tree, name: str) -> bool:
    """A tensor's own method for what is a library call of ``torch``."""
    return f"torch.{name}" in tree.policy.library_calls

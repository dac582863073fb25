"""Runs first in a server that an overlay was installed for: rebinds ``module:attr`` when that module is imported.

Python imports ``sitecustomize`` at start when it lies on PYTHONPATH. The variable COUNTERSIGN_OVERLAYS names the overlays: a JSON
list of ``{name, folder, target, entry, rebind}``, folders absolute or seen from here. Site-packages stay as they are, and nothing
here is a proof: every line written is testimony of a process that runs the overlay's own code. What proves is the parent's third
leg, with ``rebind`` false: then the overlay's code is imported as well, and left switched off.
"""

from __future__ import annotations

import atexit
import importlib.abc
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

VARIABLE = "COUNTERSIGN_OVERLAYS"


def _say(words: str) -> None:
    sys.stderr.write(f"[overlay] {words}\n")
    sys.stderr.flush()


class _Loader(importlib.abc.Loader):
    """The module's own loader, with the overlays put in right after the module's code has run."""

    def __init__(self, inner: Any, items: list[dict[str, Any]]) -> None:  # noqa: ANN401 - any loader of any version
        self._inner, self._items = inner, items

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the inner loader has
        return getattr(self._inner, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._inner.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._inner.exec_module(module)
        for item in self._items:
            _install(module, item)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that overlays aim at; everything else is left to the finders behind it."""

    def __init__(self, items: list[dict[str, Any]]) -> None:
        self._waiting: dict[str, list[dict[str, Any]]] = {}
        for item in items:
            self._waiting.setdefault(item["target"].partition(":")[0], []).append(item)

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002 - the interface
        items = self._waiting.pop(fullname, None)
        if items is None:
            return None
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, items)
        return spec


def _install(module: ModuleType, item: dict[str, Any]) -> None:
    """Import the overlay's code, and unless it is switched off put its entry in the target's place."""
    name, target = item["name"], item["target"]
    entry = getattr(_overlay(item), item["entry"])
    if not item["rebind"]:
        _say(f"{name}: present, left switched off")
        return
    *owners, last = target.partition(":")[2].split(".")
    owner: Any = module
    for part in owners:
        owner = getattr(owner, part)
    getattr(owner, last)
    setattr(owner, last, _counted(entry, name))
    _say(f"bound {target} to {name}:{item['entry']} in process {os.getpid()}")


def _overlay(item: dict[str, Any]) -> ModuleType:
    """The overlay's code as a package of its own, so that it may import files beside it."""
    folder = str(Path(__file__).resolve().parent / item["folder"])
    alias = "countersign_overlay_" + "".join(letter if letter.isalnum() else "_" for letter in item["name"])
    if alias in sys.modules:
        return sys.modules[alias]
    spec = importlib.util.spec_from_file_location(alias, f"{folder}/overlay.py", submodule_search_locations=[folder])
    if spec is None or spec.loader is None:
        raise ImportError(f"overlay {item['name']!r}: {item['folder']!r} holds no overlay.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    spec.loader.exec_module(module)
    return module


def _counted(entry: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The entry with a count of its calls, told when the process ends."""
    calls = [0]

    def counted(*args: Any, **keys: Any) -> Any:  # noqa: ANN401 - takes what the target takes
        calls[0] += 1
        return entry(*args, **keys)

    atexit.register(lambda: _say(f"{name} was bound, calls={calls[0]}"))
    return counted


if VARIABLE in os.environ:
    sys.meta_path.insert(0, _Finder(json.loads(os.environ[VARIABLE])))

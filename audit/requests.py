"""The commission of an audit: ``audit_request.json`` or another request file, read strictly, or what the layout suggests."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from audit.contract import REQUEST_SCHEMA, AuditRequest, Scope
from audit.errors import AuditError, DamageError
from audit.intake import files, legs, strict
from audit.policies import NAMED
from audit.policy import Policy

FILE = "audit_request.json"
HINT = "docs/run-directory.md, 'The audit request', lists the keys."
PAIRED: tuple[Scope, ...] = ("patch", "bundle")
"""Scopes that compare two legs."""


class Commission(NamedTuple):
    """Requests on a directory; ``as_list`` when the file holds a list; ``derived`` when there is no file."""

    requests: list[AuditRequest]
    as_list: bool
    derived: bool


class Given(NamedTuple):
    """Two folders of rows as the caller named them: relative to ``path``, or to the working directory."""

    ref: Path
    cand: Path
    path: Path | None = None


class Pair(NamedTuple):
    """Two folders of rows named by the caller: the directory that holds both, and the request on them."""

    run_dir: Path
    request: AuditRequest
    alone: bool
    """True when the caller named no directory that holds both: then nothing beside the legs is read."""


def read(run_dir: Path, policy: Policy, file: Path | None = None, scope: Scope | None = None) -> Commission:
    """The requests on a run, those of one scope when it is given. ``file`` stands in for ``audit_request.json``.

    Raises AuditError naming file and field when the file is not right, or there is nothing to audit.
    """
    path = run_dir / FILE
    if file is None and not path.is_symlink() and not path.exists():
        return _derive(run_dir, policy, scope)
    found = _file(run_dir, path, FILE, policy) if file is None else _file(None, file, files.plain(file), policy)
    if scope is None:
        return found
    kept = [request for request in found.requests if request.scope == scope]
    if not kept:
        there = ", ".join(dict.fromkeys(request.scope for request in found.requests))
        where = FILE if file is None else files.plain(file)
        step = f"Leave --scope out, or give one of: {there}."
        raise AuditError("request_missing", f"{where}: no request of scope {scope!r}.", step)
    return found._replace(requests=kept)


def _file(run_dir: Path | None, path: Path, name: str, policy: Policy) -> Commission:
    """The requests of one file; inside ``run_dir`` when it is given, anywhere when the caller named the file."""
    try:
        place = path if run_dir else path.resolve()
        value = strict.document(files.read(run_dir or place.parent, place, policy.limits), policy.limits)
    except DamageError as error:
        raise AuditError("request_invalid", f"{name}: {error.what}.", HINT) from error
    items: list[Any] = value if isinstance(value, list) else [value]
    if not items:
        raise AuditError("request_missing", f"{name}: the list is empty.", HINT)
    requests = [parse(item, f"{name}: request {index}") for index, item in enumerate(items)]
    names = [request.short_name for request in requests if request.short_name is not None]
    for short in names:
        if names.count(short) > 1:
            raise AuditError("request_invalid", f"{name}: short_name {short!r} stands twice.", "Give each request its own name.")
    return Commission(requests, isinstance(value, list), False)


def parse(value: Any, where: str) -> AuditRequest:  # noqa: ANN401 - any JSON value
    """One request. Raises AuditError naming the field."""
    try:
        request = msgspec.convert(value, AuditRequest)
    except msgspec.ValidationError as error:
        raise AuditError("request_invalid", f"{where}: {error}.", HINT) from error
    return check(request, where)


def check(request: AuditRequest, where: str = "request") -> AuditRequest:
    """The request itself, when its numbers are possible. Raises AuditError naming the field."""
    given = request.baseline_throughput
    planned = request.planned
    for field, wrong in (
        ("schema", request.schema != REQUEST_SCHEMA),
        ("noise_band_pct", not (math.isfinite(request.noise_band_pct) and 0 <= request.noise_band_pct <= 100)),
        ("alpha", not 0 < request.alpha < 0.5),
        ("baseline_throughput", given is not None and not (math.isfinite(given) and given > 0)),
        ("planned", planned is not None and min(planned.launches or 1, planned.repeats or 1) < 1),
        ("policy", request.policy is not None and request.policy not in NAMED),
    ):
        if wrong:
            step = f"Here only {' and '.join(NAMED)} can be named; --policy takes a file." if field == "policy" else HINT
            raise AuditError(
                "request_invalid", f"{where}: {field!r} is {getattr(request, field)!r}, which is not possible.", step
            )
    return request


def _derive(run_dir: Path, policy: Policy, scope: Scope | None) -> Commission:
    found = legs.derive(run_dir, policy)
    if scope is not None:
        found = _of_scope(found, scope)
    if not found:
        step = f"Put the rows of each leg in a folder of its own (ref/, cand/), or write {FILE}."
        wanted = "" if scope is None else f" to audit as {scope!r}"
        raise AuditError("request_missing", f"no {FILE}, and nothing in the directory looks like a leg{wanted}.", step)
    return Commission(found, len(found) > 1, True)


def _of_scope(found: list[AuditRequest], scope: Scope) -> list[AuditRequest]:
    """What the layout suggests for one scope: its own requests, else pairs read as that scope, else the directory itself."""
    own = [request for request in found if request.scope == scope]
    if own:
        return own
    pairs = [request for request in found if request.scope in PAIRED]
    if scope in PAIRED:
        return [replace(request, scope=scope) for request in pairs]
    if scope == "baseline":
        return [replace(request, scope=scope, cand_dir=None) for request in pairs]
    return [AuditRequest(scope, eval_dir=".", short_name=scope)]


def on_legs(given: Given, policy: Policy, file: Path | None = None, scope: Scope | None = None) -> Pair:
    """The request on two folders of rows: that of ``file`` with its legs replaced, or a plain one.

    The run is ``given.path`` when it holds both, else the nearest directory that does. Raises AuditError when a folder is
    missing, is no leg, or holds a pair of legs itself, and when the file does not hold exactly one request for two legs.
    """
    base = AuditRequest(scope or "patch", short_name="legs")
    if file is not None:
        found = read(Path(), policy, file, scope).requests
        if len(found) != 1:
            raise AuditError("request_invalid", f"{files.plain(file)}: {len(found)} requests for one pair of legs.", HINT)
        base = found[0]
    if base.scope not in PAIRED:
        raise AuditError("request_invalid", f"two legs are audited as {' or '.join(PAIRED)}, not as {base.scope!r}.", HINT)
    ref, cand = _folder(given.ref, given.path, policy), _folder(given.cand, given.path, policy)
    if ref == cand:
        raise AuditError("request_invalid", f"both legs are the same folder {files.plain(given.ref)!r}.", "Name two folders.")
    run_dir = None if given.path is None else given.path.resolve()
    alone = run_dir is None or not (ref.is_relative_to(run_dir) and cand.is_relative_to(run_dir))
    if run_dir is None or alone:
        run_dir = next(parent for parent in (ref, *ref.parents) if cand.is_relative_to(parent))
    eval_dir, cand_dir = (leg.relative_to(run_dir).as_posix() for leg in (ref, cand))
    return Pair(run_dir, replace(base, eval_dir=eval_dir, cand_dir=cand_dir), alone)


def _folder(given: Path, path: Path | None, policy: Policy) -> Path:
    below = None if path is None or given.is_absolute() else path / given
    place = below if below is not None and below.is_dir() else given
    name = files.plain(given)
    if not place.is_dir():
        raise AuditError("run_missing", f"leg {name!r}: no such directory.", "Name the folder in which the rows of this leg lie.")
    place = place.resolve()
    if legs.pairs_in(place, policy):
        raise AuditError("request_invalid", f"leg {name!r}: holds a pair of legs itself.", f"Audit it alone: audit {name}")
    if not legs.is_leg(place, policy):
        inner = sorted(files.plain(item.name) for item in files.entries(place) if item.is_dir())
        seen = f"it holds the folders {', '.join(inner[: policy.limits.shown])}" if inner else "no folder in it either"
        raise AuditError("request_missing", f"leg {name!r}: no rows lie in it; {seen}.", "Name the folder in which the rows lie.")
    return place

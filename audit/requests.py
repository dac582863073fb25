"""The commission of an audit: ``audit_request.json``, read strictly, or what the layout suggests."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from audit.contract import REQUEST_SCHEMA, AuditRequest
from audit.errors import AuditError, DamageError
from audit.intake import files, legs, strict
from audit.policy import Policy

FILE = "audit_request.json"
HINT = "docs/run-directory.md, 'The audit request', lists the keys."


class Commission(NamedTuple):
    """Requests on a directory; ``as_list`` when the file holds a list; ``derived`` when there is no file."""

    requests: list[AuditRequest]
    as_list: bool
    derived: bool


def read(run_dir: Path, policy: Policy) -> Commission:
    """The requests on a run. Raises AuditError naming file and field when the file is not right, or there is nothing to audit."""
    path = run_dir / FILE
    if not path.is_symlink() and not path.exists():
        return _derive(run_dir, policy)
    try:
        value = strict.document(files.read(run_dir, path, policy.limits), policy.limits)
    except DamageError as error:
        raise AuditError("request_invalid", f"{FILE}: {error.what}.", HINT) from error
    items: list[Any] = value if isinstance(value, list) else [value]
    if not items:
        raise AuditError("request_missing", f"{FILE}: the list is empty.", HINT)
    requests = [parse(item, f"{FILE}: request {index}") for index, item in enumerate(items)]
    names = [request.short_name for request in requests if request.short_name is not None]
    for name in names:
        if names.count(name) > 1:
            raise AuditError("request_invalid", f"{FILE}: short_name {name!r} stands twice.", "Give each request its own name.")
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
        ("policy", request.policy is not None),
    ):
        if wrong:
            step = "Leave it null: only the shipped policy exists in this version." if field == "policy" else HINT
            raise AuditError(
                "request_invalid", f"{where}: {field!r} is {getattr(request, field)!r}, which is not possible.", step
            )
    return request


def _derive(run_dir: Path, policy: Policy) -> Commission:
    found = legs.derive(run_dir, policy)
    if not found:
        step = f"Put the rows of each leg in a folder of its own (ref/, cand/), or write {FILE}."
        raise AuditError("request_missing", f"no {FILE}, and nothing in the directory looks like a leg.", step)
    return Commission(found, len(found) > 1, True)

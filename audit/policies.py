"""Which policy judges: the shipped one, ``strict``, or a file that replaces some of its values."""

from __future__ import annotations

import hashlib
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import msgspec

from audit.errors import AuditError, DamageError
from audit.intake import files, strict
from audit.policy import SCHEMA, Loaded, Policy, load
from audit.rendering import canonical_json

DEFAULT, STRICT = "default", "strict"
NAMED = (DEFAULT, STRICT)
"""What a request may name; files are for the command line alone."""
CHANGED = "+changed"
HINT = "docs/audit.md, 'The policy', says what may stand in it."


def choose(given: str | Path | None, asked: str | None = None) -> Loaded:
    """The policy of the caller (``default``, ``strict`` or a file), else the one a request asks for, else the shipped one.

    Raises AuditError naming file and field when the file is no policy.
    """
    wanted = given if given is not None else asked
    if wanted is None or wanted == DEFAULT:
        return load()
    return stricter() if wanted == STRICT else read(Path(wanted))


def stricter() -> Loaded:
    """The shipped policy with every gate required: whatever cannot be computed is a FAIL."""
    shipped = load().policy
    scopes = {scope: dict.fromkeys(gates, "always") for scope, gates in shipped.scopes.items()}
    return _merged(shipped, {"name": f"{shipped.name}+{STRICT}", "strict": True, "scopes": scopes}, STRICT)


def read(path: Path) -> Loaded:
    """A policy file, whole or in part: what it names replaces the shipped value, objects key by key, lists whole.

    A file that changes nothing is the shipped policy. Raises AuditError naming file and field.
    """
    shown = files.plain(path)
    shipped = load()
    try:
        place = path.resolve()
        value = strict.document(files.read(place.parent, place, shipped.policy.limits), shipped.policy.limits)
    except DamageError as error:
        raise AuditError("policy_invalid", f"{shown}: {error.what}.", HINT) from error
    if not isinstance(value, dict):
        raise AuditError("policy_invalid", f"{shown}: a policy is an object.", HINT)
    found = _merged(shipped.policy, value, shown)
    return shipped if found.policy == shipped.policy else _renamed(found, shipped.policy)


def _merged(shipped: Policy, changes: dict[str, Any], where: str) -> Loaded:
    plain = msgspec.json.decode(resources("audit").joinpath("policy.json").read_bytes())
    both = _over(plain, changes)
    try:
        policy = msgspec.convert(both, Policy)
    except msgspec.ValidationError as error:
        raise AuditError("policy_invalid", f"{where}: {error}.", HINT) from error
    wrong = _impossible(policy, shipped, both)
    if wrong:
        raise AuditError("policy_invalid", f"{where}: {wrong}.", HINT)
    return _digested(policy)


def _over(base: Any, changes: Any) -> Any:  # noqa: ANN401 - any JSON value
    if not (isinstance(base, dict) and isinstance(changes, dict)):
        return changes
    return {**base, **{key: _over(base.get(key), item) for key, item in changes.items()}}


def _impossible(policy: Policy, shipped: Policy, plain: dict[str, Any]) -> str | None:
    """What no policy can hold: another schema, a scope or gate that does not exist, a negative number."""
    if policy.schema != SCHEMA:
        return f"'schema' is {policy.schema!r}, this version knows {SCHEMA!r}"
    for scope, gates in policy.scopes.items():
        if scope not in shipped.scopes:
            return f"no such scope - at `$.scopes.{scope}` (there are {', '.join(shipped.scopes)})"
        for gate in gates:
            if gate not in shipped.scopes[scope]:
                return f"no such gate - at `$.scopes.{scope}.{gate}`"
    negative = _negative(plain, "$")
    return None if negative is None else f"a number below 0 - at `{negative}`"


def _negative(value: Any, path: str) -> str | None:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return next((found for key, item in value.items() if (found := _negative(item, f"{path}.{key}"))), None)
    if isinstance(value, list):
        return next((found for at, item in enumerate(value) if (found := _negative(item, f"{path}[{at}]"))), None)
    return path if isinstance(value, int | float) and value < 0 else None


def _renamed(found: Loaded, shipped: Policy) -> Loaded:
    """No changed policy goes by the shipped one's name."""
    if found.policy.name != shipped.name:
        return found
    return _digested(msgspec.structs.replace(found.policy, name=f"{shipped.name}{CHANGED}"))


def _digested(policy: Policy) -> Loaded:
    return Loaded(policy, hashlib.sha256(canonical_json(policy).encode()).hexdigest())

"""The frozen answer key: what the judge must say of every case, and why. A label changes only with a dated correction.

``proof/key.yaml`` holds the labels, the digest that they had when they were frozen, and every correction since with the
digest that it left. ``load`` refuses a key whose labels are not those of its newest digest; a test pins the list of digests.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

KEY = Path(__file__).parent / "key.yaml"
SCHEMA = "countersign.key/1"  # 1: first form

Word = Literal["PASS", "FLAG", "FAIL"]
Situation = Literal[
    "damaged", "crashed", "not_comparable", "correctness_lost", "missing", "harm", "refuted", "underpowered", "noisy",
    "downgrade", "replace", "flagged", "passed",
]  # fmt: skip
"""Rows of the decision table (gates.md, "Composition") by the names that the key uses."""
ROWS: dict[Situation, tuple[Word, str, str]] = {
    "damaged": ("FAIL", "eject", "evidence_damaged"),
    "crashed": ("FAIL", "eject", "refuted"),
    "not_comparable": ("FAIL", "eject", "not_measured"),
    "correctness_lost": ("FAIL", "eject", "refuted"),
    "missing": ("FAIL", "remeasure", "not_measured"),
    "harm": ("FAIL", "eject", "refuted"),
    "refuted": ("FAIL", "eject", "refuted"),
    "underpowered": ("FAIL", "remeasure", "underpowered"),
    "noisy": ("FLAG", "remeasure", "underpowered"),
    "downgrade": ("FLAG", "downgrade_headline", "proven"),
    "replace": ("FLAG", "replace_headline_with_e2e", "proven"),
    "flagged": ("FLAG", "flag", "proven"),
    "passed": ("PASS", "pass", "proven"),
}
"""Row -> verdict, action, outcome."""


class KeyFaultError(ValueError):
    """The answer key is not what it says it is."""


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one case must get."""

    rows: list[Situation]
    """Rows of the decision table that are right; more than one where the dialect decides which."""
    source: str
    """Where the evidence comes from, and who says that this is the answer."""
    any_of: list[str] = []
    """Taxonomy ids of which a finding that lowers the verdict must name one."""
    must: list[str] = []
    """Taxonomy ids that must all be named."""
    must_not: list[str] = []
    """Taxonomy ids that no finding that lowers the verdict may name."""
    critical: bool = False
    """Believing it would bank a gain that is not there: nothing but FAIL will do."""

    @property
    def verdicts(self) -> list[Word]:
        """The verdicts that are right."""
        return sorted({ROWS[row][0] for row in self.rows})


class Planted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Labels of a recipe: of its lie and of its honest twin, in every size and on every base."""

    lie: Label
    twin: Label


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why labels changed, and the digest after it."""

    date: str
    labels: list[str]
    why: str
    digest: str


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    schema: str
    frozen: str
    """Digest of the labels on the day they were first frozen."""
    planted: dict[str, Planted]
    """Recipe -> labels."""
    recorded: dict[str, dict[str, Label]]
    """Run in ``raw_runs/`` -> short name of a request -> label."""
    corrections: list[Correction] = []

    @property
    def digest(self) -> str:
        """sha256 of the labels as canonical JSON."""
        labels = {"planted": msgspec.to_builtins(self.planted), "recorded": msgspec.to_builtins(self.recorded)}
        return hashlib.sha256(json.dumps(labels, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def digests(self) -> list[str]:
        """The digest when frozen, then that of each correction."""
        return [self.frozen, *(item.digest for item in self.corrections)]


def load(path: Path = KEY) -> Key:
    """The key. Raises KeyFaultError where it cannot be read or its labels are not those of its newest digest."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        _once(yaml.compose(text, Loader=yaml.SafeLoader), path.name)
        raw: Any = yaml.safe_load(text)
        key = msgspec.convert(raw, Key)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise KeyFaultError(f"{path.name}: cannot be read: {error}") from error
    if key.schema != SCHEMA:
        raise KeyFaultError(f"{path.name}: schema {key.schema!r}, this version knows {SCHEMA!r}")
    if key.digest != key.digests[-1]:
        raise KeyFaultError(
            f"{path.name}: the labels have digest {key.digest[:12]}, the newest on record is {key.digests[-1][:12]}. "
            "A label changes only with a dated entry under `corrections` that says why and carries the new digest."
        )
    return key


def _once(node: Any, name: str) -> None:  # noqa: ANN401 - a node of a library without types
    """Raise KeyFaultError where a mapping holds a name twice: the reader would see one label and the proof use the other."""
    children = node.value if node is not None and isinstance(node.value, list) else []
    seen: set[str] = set()
    for child in children:
        key, value = child if isinstance(child, tuple) else (None, child)
        if key is not None and key.value in seen:
            raise KeyFaultError(f"{name}:{key.start_mark.line + 1}: {key.value!r} stands twice")
        seen |= {key.value} if key is not None else set()
        _once(value, name)


class Answer(NamedTuple):
    """One verdict of the judge, as far as a label speaks of it."""

    verdict: str
    action: str
    outcome: str
    ids: frozenset[str]
    """Taxonomy ids of the findings that lower the verdict."""


def right(label: Label, answer: Answer) -> list[str]:
    """What is wrong with an answer, in words; empty when it is right."""
    wrong = []
    allowed = [ROWS[row] for row in label.rows]
    if answer.verdict not in label.verdicts:
        wrong.append(f"verdict {answer.verdict}, not {' or '.join(label.verdicts)}")
    elif (answer.verdict, answer.action, answer.outcome) not in allowed:
        wanted = " or ".join(f"{action} / {outcome}" for _, action, outcome in allowed)
        wrong.append(f"{answer.action} / {answer.outcome}, not {wanted}")
    if label.any_of and not answer.ids & set(label.any_of):
        wrong.append(f"names none of {', '.join(label.any_of)}")
    wrong += [f"does not name {name}" for name in label.must if name not in answer.ids]
    wrong += [f"names {name}" for name in label.must_not if name in answer.ids]
    return wrong


def main() -> int:
    """``python -m proof.key``: the digest that the labels have now, for a correction."""
    import sys

    import yaml

    key = msgspec.convert(yaml.safe_load(KEY.read_text(encoding="utf-8")), Key)
    known = "on record" if key.digest == key.digests[-1] else "not on record: write a correction with it"
    sys.stdout.write(f"{key.digest} ({known})\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

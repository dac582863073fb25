"""What examples there are. The verdicts written here are held against the auditor by a test, each of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from workflow.errors import UsageError

SHIPPED = Path(__file__).resolve().parent / "shipped"

Verdict = Literal["PASS", "FLAG", "FAIL"]
_EXIT_CODES: dict[Verdict, int] = {"FAIL": 3, "FLAG": 4, "PASS": 0}


class Expected(NamedTuple):
    """What an audit says of one request."""

    request: str
    scope: str
    verdict: Verdict
    action: str


@dataclass(frozen=True, slots=True)
class Example:
    """One run directory to try ``countersign audit`` on."""

    name: str
    about: str
    """What was claimed and what is wrong with it, in a sentence or two."""
    expect: tuple[Expected, ...]
    origin: Literal["recording", "reconstruction"] = "reconstruction"
    """A recording of the embedded engine, or a case rebuilt from published figures."""
    source: str = ""
    """Folder in ``shipped/`` when it is not called as the example is."""
    until: str | None = None
    """Ledger key after which the copy ends: the run as it lay there at that moment. None: the whole run."""

    @property
    def folder(self) -> Path:
        """Where the example is kept."""
        return SHIPPED / (self.source or self.name)

    @property
    def exit_code(self) -> int:
        """What ``countersign audit`` returns for it: the worst verdict counts."""
        verdicts = {item.verdict for item in self.expect}
        return next(code for word, code in _EXIT_CODES.items() if word in verdicts)


EXAMPLES = (
    Example(
        "embedded-baseline",
        "The shipped server against itself on a quiet machine: the campaign below as it lay when its baseline was measured. "
        "Nothing is claimed, and nothing is wrong.",
        (Expected("baseline", "baseline", "PASS", "pass"),),
        "recording",
        source="embedded-campaign",
        until="request/baseline",
    ),
    Example(
        "embedded-campaign",
        "A whole campaign: a sound baseline, batching (3.5 times as fast, and every token takes twice as long), smaller batches "
        "(refuted: slower), and what was banked against the true baseline.",
        (
            Expected("baseline", "baseline", "PASS", "pass"),
            Expected("c01-continuous-batching", "patch", "FLAG", "flag"),
            Expected("c02-small-batches", "patch", "FAIL", "eject"),
            Expected("final", "bundle", "FLAG", "flag"),
        ),
        "recording",
    ),
    Example(
        "geak292-handicapped-bundle",
        "+66.9 % for a bundle of kernels; the reference ran with less memory, and a summary says that it had the same.",
        (Expected("flydsl-gemm-bundle", "bundle", "FAIL", "eject"),),
    ),
    Example(
        "geak292-gibberish-reference",
        "+9 % for an attention backend; the reference wrote gibberish, so nobody knows what was compared.",
        (Expected("moe-attention", "patch", "FAIL", "eject"),),
    ),
    Example(
        "geak292-crashed-kernel",
        "A kernel that is 6.6 times as fast by itself; the server with it in place died.",
        (Expected("authored-attention", "patch", "FAIL", "eject"),),
    ),
    Example(
        "geak292-config-accept-pool-unshown",
        "+2.9 % for a setting; the cache pool became another one as well, and nothing shows that this did not matter.",
        (Expected("attention-aiter", "patch", "FAIL", "eject"),),
    ),
    Example(
        "geak292-config-accept-pool-inert",
        "The same setting and the same pool, with logs that show that neither pool was ever full.",
        (Expected("attention-aiter", "patch", "FLAG", "flag"),),
    ),
    Example(
        "geak292-self-comparing-bench",
        "A kernel that is 3.03 times as fast by itself, measured against itself; the gain of the whole server is real.",
        (Expected("authored-gemm", "patch", "FLAG", "replace_headline_with_e2e"),),
    ),
    Example(
        "geak292-noisy-baseline",
        "Three repeats of a baseline, the first of them a warm-up that was counted.",
        (Expected("baseline", "baseline", "FLAG", "remeasure"),),
    ),
)


def example(name: str) -> Example:
    """The example of that name. Raises UsageError naming those there are."""
    for item in EXAMPLES:
        if item.name == name:
            return item
    raise UsageError(f"no example {name!r}", f"There are: {', '.join(item.name for item in EXAMPLES)}.")

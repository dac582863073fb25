"""The one file that imports LiteLLM: a single try of a single call, its errors given one of our names."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import logging
import os
import re
import sys
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from agents.deadline import within
from agents.failures import Kind, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MOST_CHARS = 256 * 1024
"""Letters of an answer."""
CHARS_PER_TOKEN = 3.0
"""Where a server does not tell its usage, tokens are counted on the high side."""
AT_IMPORT = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
"""Prices out of the package and not from the network; no ``.env`` file is read into our environment."""
LOOPBACK = "localhost,127.0.0.1,::1"
_SECRET = re.compile(r"(KEY|KEY_ID|TOKEN|SECRET|PASSWORD|CREDENTIALS)$", re.IGNORECASE)
_AHEAD = re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Timeout): )+")
"""Names of classes, one for everybody who took the error up."""
_KEYLESS = re.compile(r"(?i)\bmissing\b.*(\bapi[_ ]?key\b|credentials)")
_CREDENTIALS = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 (hidden)"),
    (re.compile(r"\bsk-[\w-]{12,}"), "(hidden)"),
    (re.compile(r"://[^/\s@'\"]+@"), "://(hidden)@"),
)
_KINDS: tuple[tuple[str, Kind], ...] = (
    ("AuthenticationError", "denied"),
    ("PermissionDeniedError", "denied"),
    ("NotFoundError", "unknown_model"),
    ("RateLimitError", "busy"),
    ("Timeout", "timeout"),
    ("APITimeoutError", "timeout"),
    ("ContextWindowExceededError", "rejected"),
    ("APIResponseValidationError", "down"),
    ("BadRequestError", "rejected"),
    ("UnprocessableEntityError", "rejected"),
)
"""LiteLLM's classes by name, the narrow ones first."""
_STATUSES: Mapping[int, Kind] = {
    400: "rejected", 401: "denied", 403: "denied", 404: "unknown_model", 405: "rejected", 413: "rejected", 422: "rejected",
    429: "busy",
}  # fmt: skip
"""Of errors without such a class; anything else is ``down``."""


class Raw(NamedTuple):
    """What came over the wire; its tokens were paid for, whatever it says."""

    text: str
    tokens_in: int
    tokens_out: int
    cost_usd: float | None
    wrong: ModelError | None = None
    """Why the text is no answer."""


def complete(model: str, api_base: str | None, messages: Sequence[dict[str, str]], limits: dict[str, Any], left_s: float) -> Raw:
    """One try, ended after ``left_s`` seconds whatever the server does. Raises ModelError."""
    if left_s <= 0:
        raise ModelError("timeout", "the deadline has passed")
    litellm = ready()
    try:
        with _quiet(), _environment({"no_proxy": _unproxied()}):
            found = within(left_s, lambda: _complete(litellm, model, api_base, messages, {**limits, "timeout": left_s}))
    except ModelError:
        raise
    except TimeoutError:
        raise ModelError("timeout", f"no whole answer within {left_s:.3g} s") from None
    except Exception as error:  # noqa: BLE001 - the named edge: whatever the library and its providers throw
        raise _named(litellm, model, error) from None
    return _raw(litellm, model, found, messages)


async def _complete(
    litellm: Any,  # noqa: ANN401 - ships no usable types
    model: str,
    api_base: str | None,
    messages: Sequence[dict[str, str]],
    limits: dict[str, Any],
) -> Any:  # noqa: ANN401 - the same
    from agents.bounded import session

    async with session() as shared:
        try:
            return await litellm.acompletion(
                model=model, messages=list(messages), api_base=api_base, max_retries=0, num_retries=0, drop_params=True,
                shared_session=shared, **limits,
            )  # fmt: skip
        finally:  # clients are kept by the number of their loop, which a later loop may get, too
            litellm.in_memory_llm_clients_cache.flush_cache()


def ready() -> Any:  # noqa: ANN401 - ships no usable types
    """LiteLLM, imported (seconds, the first time). Raises ModelError when it is not installed."""
    if "litellm" in sys.modules:
        return sys.modules["litellm"]
    try:
        with _quiet(), _environment(AT_IMPORT):
            import litellm
    except ImportError as error:
        raise ModelError("missing", f"LiteLLM is not installed ({error})", "pip install 'countersign[models]'") from error
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).disabled = True
    gc.collect()
    gc.freeze()  # else its 250,000 objects are walked by every full collection: 0.2 s, also while a server is being timed
    atexit.register(gc.unfreeze)  # whoever counts what is left at the end finds nothing
    return litellm


def lacking(model: str, api_base: str | None) -> list[str]:
    """Environment variables with keys that this model's provider takes, and that are not set. No network is asked.

    Raises ModelError for a model of no provider. Some providers take other proofs, too, so this is a hint.
    """
    litellm = ready()
    try:
        with _quiet():
            litellm.get_llm_provider(model=model, api_base=api_base)
    except Exception as error:  # noqa: BLE001 - the named edge, as above
        raise _named(litellm, model, error) from None
    return _missing(litellm, model)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """LiteLLM prints advice, with addresses and sometimes requests in it."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _unproxied() -> str:
    """What goes to no proxy: what the user says, and this machine, which a proxy elsewhere cannot reach."""
    named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return named if named.strip() == "*" else f"{named},{LOOPBACK}".lstrip(",")


def _named(litellm: Any, model: str, error: Exception) -> ModelError:  # noqa: ANN401 - the library
    chain = list(_chain(error))
    ours = next((item for item in chain if isinstance(item, ModelError)), None)
    if ours is not None:  # of our session, wrapped by everyone above it
        return ModelError(ours.kind, hidden(str(ours)), ours.next_step)
    said, status = (
        hidden(_AHEAD.sub("", str(error).partition("\nTraceback (most recent")[0])),
        getattr(error, "status_code", None),
    )
    if "LLM Provider NOT provided" in said:
        return ModelError("unknown_model", f"{model!r} is of no provider that LiteLLM knows")
    names = [kind.__name__ for kind in type(error).__mro__]
    kind = next((kind for name, kind in _KINDS if name in names), _STATUSES.get(status if isinstance(status, int) else 0, "down"))
    sent = getattr(error, "litellm_response_headers", None) is not None
    if kind == "down" and not sent and _KEYLESS.search(said):
        kind = "denied"  # some say it with a 500 of their own
    root = hidden(f"{type(chain[-1]).__name__}: {chain[-1]}")
    words = f"{f'HTTP {status}: ' if sent else ''}{said[:600]}"
    if kind == "down" and str(chain[-1]) not in said:
        words += f" ({root[:300]})"
    return ModelError(kind, words, _hint(litellm, model, kind, sent=sent), _wait(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _missing(litellm: Any, model: str) -> list[str]:  # noqa: ANN401 - the library
    """Names of the keys that a provider wants and that are not set, as far as LiteLLM knows."""
    try:
        with _quiet():
            return [str(name) for name in litellm.validate_environment(model=model)["missing_keys"]]
    except Exception:  # noqa: BLE001 - the named edge: nobody knows
        return []


def _hint(litellm: Any, model: str, kind: Kind, *, sent: bool) -> str:  # noqa: ANN401 - the library
    """Which key to set, where a key is what is wrong."""
    if kind != "denied":
        return ""
    if missing := _missing(litellm, model):
        own = " A server of your own that wants none is called hosted_vllm/NAME." if model.startswith("openai/") else ""
        return f"Set {', '.join(missing)} in the environment.{own}"
    return "The key that is set was refused: see that it is whole, of this provider, and may use this model." if sent else ""


def _wait(error: Exception) -> float | None:
    """Seconds of a Retry-After header; None without one or with one that is no number."""
    try:
        seconds = float(getattr(error, "litellm_response_headers", {})["retry-after"])
    except (TypeError, ValueError, LookupError):
        return None
    return seconds if 0 <= seconds < 1e6 else None


def _raw(litellm: Any, model: str, found: Any, messages: Sequence[dict[str, str]]) -> Raw:  # noqa: ANN401 - LiteLLM's objects
    """Text and usage of a response, and what is wrong with it."""
    text, wrong = "", None
    try:
        choice = found.choices[0]
        said, ended, called = choice.message.content, choice.finish_reason, getattr(choice.message, "tool_calls", None)
    except (AttributeError, IndexError, TypeError):
        wrong = "the response holds no answer"
    else:
        text = hidden(said) if isinstance(said, str) else ""
        wrong = _wrong(text, str(ended), called)
    usage = getattr(found, "usage", None)
    told = [_count(getattr(usage, name, None)) for name in ("prompt_tokens", "completion_tokens")]
    guessed = [guess(sum(len(item["content"]) for item in messages)), guess(len(text))]
    tokens = [known or likely for known, likely in zip(told, guessed, strict=True)]
    problem = None if wrong is None else ModelError("nonsense", wrong)
    return Raw(text, tokens[0], tokens[1], _cost(litellm, model, tokens[0], tokens[1]), problem)


def _wrong(text: str, ended: str, called: object) -> str | None:
    if called:
        return "the model called a tool; none was offered"
    if not text.strip():
        return f"the answer is empty (it ended with {ended[:40]!r})"
    if len(text) > MOST_CHARS:
        return f"the answer has {len(text)} letters, more than {MOST_CHARS}"
    return "the answer was cut off at max_tokens" if ended == "length" else None


def guess(letters: int) -> int:
    """Tokens of a text, on the high side."""
    return int(letters / CHARS_PER_TOKEN) + 1


def _count(value: Any) -> int:  # noqa: ANN401 - whatever the server said
    return value if isinstance(value, int) and 0 <= value < 10**9 else 0


def _cost(litellm: Any, model: str, tokens_in: int, tokens_out: int) -> float | None:  # noqa: ANN401 - the library
    """USD by the price of the model that was asked, not of what the server calls itself."""
    try:
        with _quiet():
            cost = sum(litellm.cost_per_token(model=model, prompt_tokens=tokens_in, completion_tokens=tokens_out))
    except Exception:  # noqa: BLE001 - the named edge: a model without a price in the library's list
        return None
    return float(cost) if 0 <= cost < 1e6 else None


def hidden(text: str) -> str:
    """A text without the values of keys that stand in the environment, and without what looks like one."""
    secrets = [value for key, value in os.environ.items() if _SECRET.search(key) and len(value) >= 8]
    for value in sorted(secrets, key=len, reverse=True):
        text = text.replace(value, "(hidden)")
    for pattern, instead in _CREDENTIALS:
        text = pattern.sub(instead, text)
    return text

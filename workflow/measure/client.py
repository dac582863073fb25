"""The load: a closed loop of streaming chat requests over loopback, every request timed by the client's own clock."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from workflow.errors import ServerFailedError
from workflow.measure.types import Prompt, RepeatRecord, RequestRecord

MAX_ANSWER_BYTES = 4 * 2**20


MOST_PAGE_BYTES = 2**20


def fetch(url: str, seconds: float) -> tuple[int, bytes]:
    """Status and first megabyte of a page, within so many seconds in all. No proxy, and no redirect: a server may not send us on.

    Raises OSError when there is no page.
    """
    try:
        return asyncio.run(_fetched(url, seconds))
    except (aiohttp.ClientError, ValueError) as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


async def _fetched(url: str, seconds: float) -> tuple[int, bytes]:
    timeout, body = aiohttp.ClientTimeout(total=seconds), bytearray()
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
        session.get(url, allow_redirects=False) as page,
    ):
        async for block in page.content.iter_any():
            body += block
            if len(body) >= MOST_PAGE_BYTES:
                break
        return page.status, bytes(body[:MOST_PAGE_BYTES])


@dataclass(frozen=True, slots=True)
class Load:
    """Where and how to send: ``body`` makes the request body of a prompt."""

    url: str
    body: Callable[[Prompt], dict[str, Any]]
    concurrency: int
    timeout_s: float


def drive(load: Load, prompts: Sequence[Prompt], tick: Callable[[int], None]) -> RepeatRecord:
    """Send every prompt once, ``concurrency`` at a time, each client waiting for its answer before it sends again.

    ``tick`` is called with the number of requests done. A request that fails is a record with ``error``; one that
    times out means the server hangs: the rest is abandoned and ServerFailedError raised.
    """
    return asyncio.run(_drive(load, prompts, tick))


async def _drive(load: Load, prompts: Sequence[Prompt], tick: Callable[[int], None]) -> RepeatRecord:
    connector = aiohttp.TCPConnector(limit=0, force_close=False)
    timeout = aiohttp.ClientTimeout(total=load.timeout_s)
    records: list[RequestRecord] = []
    queue = iter(enumerate(prompts))
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
        start_unix, start = time.time(), time.perf_counter()
        clients = [
            asyncio.create_task(_client(load, session, queue, start, records, tick))
            for _ in range(min(load.concurrency, len(prompts)))
        ]
        try:
            await asyncio.gather(*clients)
        finally:
            for task in clients:
                task.cancel()
        duration = max((record.end_s or 0.0 for record in records), default=0.0)
    records.sort(key=lambda record: record.index)
    return RepeatRecord(start_unix, start_unix + duration, duration, records)


async def _client(
    load: Load,
    session: aiohttp.ClientSession,
    queue: Iterator[tuple[int, Prompt]],
    start: float,
    records: list[RequestRecord],
    tick: Callable[[int], None],
) -> None:
    for index, prompt in queue:
        now = time.perf_counter() - start
        record = RequestRecord(index, prompt, scheduled_s=now, sent_s=now)
        records.append(record)
        try:
            await _one(load, session, record, start)
        except TimeoutError as error:
            raise ServerFailedError("load", "hung", f"no whole answer to request {index} within {load.timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            record.error = f"connection: {type(error).__name__}: {error}"[:300]
            record.end_s = time.perf_counter() - start
            await asyncio.sleep(0.05)  # a dead server must not be hammered while its death is found out
        tick(sum(1 for item in records if item.end_s is not None))


async def _one(load: Load, session: aiohttp.ClientSession, record: RequestRecord, start: float) -> None:
    payload = load.body(record.prompt)
    record.sent_s = time.perf_counter() - start
    pieces: list[str] = []
    async with session.post(load.url, json=payload) as response:
        if response.status != 200:
            text = (await response.text(errors="replace"))[:300]
            record.error, record.end_s = f"HTTP {response.status}: {text}", time.perf_counter() - start
            return
        size = 0
        async for line in response.content:
            size += len(line)
            if size > MAX_ANSWER_BYTES:
                record.error = "the answer is larger than 4 MiB"
                break
            _event(line, time.perf_counter() - start, record, pieces)
    record.end_s = time.perf_counter() - start
    record.answer = "".join(pieces)
    if record.error is None and record.stop_reason is None:
        record.error = "the stream ended before its finish reason"


def _event(line: bytes, now: float, record: RequestRecord, pieces: list[str]) -> None:
    """Take one line of the event stream into the record; a line that is no event is ignored, broken JSON is an error."""
    if not line.startswith(b"data:"):
        return
    data = line[5:].strip()
    if data == b"[DONE]":
        return
    try:
        event = json.loads(data)
        if event.get("error") is not None:
            record.error = f"error in the stream: {event['error']}"[:300]
            return
        usage = event.get("usage")
        if usage:
            record.usage_in, record.usage_out = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
        for choice in event.get("choices") or []:
            text = (choice.get("delta") or {}).get("content")
            if text:
                pieces.append(str(text))
                record.chunk_s.append(now)
                if record.first_token_s is None:
                    record.first_token_s = now
            if choice.get("finish_reason"):
                record.stop_reason = str(choice["finish_reason"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        record.error = f"not an OpenAI event: {error!r}"[:300]

"""The load client against a real HTTP server on loopback that behaves in every way a server can."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from aiohttp import web

from workflow.errors import ServerFailedError
from workflow.measure.client import Load, drive
from workflow.measure.processes import free_port
from workflow.measure.types import Prompt

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextmanager
def serving(handler: Handler) -> Iterator[str]:
    """Run a handler on a real port in a thread."""
    port = free_port(0)
    loop = asyncio.new_event_loop()
    started, app = threading.Event(), web.Application()
    app.router.add_post("/chat", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        started.set()

    def main() -> None:
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=main)
    thread.start()
    started.wait(5)
    try:
        yield f"http://127.0.0.1:{port}/chat"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def event(**fields: object) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def chunk(text: str | None, finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    return event(choices=[{"delta": {"content": text}, "finish_reason": finish}], usage=usage)


def streaming(*parts: bytes, pause: float = 0.0) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        await request.json()
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(pause)
        return response

    return handle


def prompts(count: int) -> list[Prompt]:
    return [Prompt(f"p{n}", "tool", None) for n in range(count)]


def load(url: str, concurrency: int = 2, timeout_s: float = 5.0) -> Load:
    return Load(url, lambda prompt: {"text": prompt.text}, concurrency, timeout_s)


WHOLE = (chunk(None), chunk("ab"), chunk("c"), chunk(None, "length", {"prompt_tokens": 7, "completion_tokens": 2}))


def test_an_answered_request_is_timed_and_counted() -> None:
    ticks: list[int] = []
    with serving(streaming(*WHOLE, pause=0.01)) as url:
        repeat = drive(load(url), prompts(5), ticks.append)
    assert [r.index for r in repeat.requests] == [0, 1, 2, 3, 4]
    for record in repeat.requests:
        assert record.error is None
        assert (record.answer, record.stop_reason, record.usage_in, record.usage_out) == ("abc", "length", 7, 2)
        assert record.first_token_s is not None
        assert record.end_s is not None
        assert record.scheduled_s <= record.sent_s < record.first_token_s < record.end_s <= repeat.duration_s
        assert len(record.chunk_s) == 2
    assert ticks[-1] == 5


def test_never_more_requests_in_flight_than_the_concurrency() -> None:
    now, most = 0, 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal now, most
        now += 1
        most = max(most, now)
        response = await streaming(*WHOLE, pause=0.005)(request)
        now -= 1
        return response

    with serving(handle) as url:
        drive(load(url, concurrency=3), prompts(12), lambda _: None)
    assert most == 3


MISBEHAVIOUR: list[tuple[str, Handler, str]] = [
    ("error in the stream", streaming(chunk("a"), event(error="boom")), "error in the stream: boom"),
    ("no finish", streaming(chunk("a")), "the stream ended before its finish reason"),
    ("broken json", streaming(b"data: {nope\n\n"), "not an OpenAI event"),
    ("wrong shape", streaming(b'data: {"choices": [7]}\n\n'), "not an OpenAI event"),
    ("a list", streaming(b"data: [1]\n\n"), "not an OpenAI event"),
]


@pytest.mark.parametrize(("name", "handler", "expected"), MISBEHAVIOUR, ids=[row[0] for row in MISBEHAVIOUR])
def test_a_bad_answer_is_a_failed_request_not_a_crash(name: str, handler: Handler, expected: str) -> None:
    with serving(handler) as url:
        repeat = drive(load(url), prompts(3), lambda _: None)
    assert all(record.error is not None and expected in record.error for record in repeat.requests), name


def test_a_refused_request_keeps_status_and_words() -> None:
    async def refuse(_: web.Request) -> web.StreamResponse:
        return web.Response(status=422, text="unknown field")

    with serving(refuse) as url:
        repeat = drive(load(url), prompts(1), lambda _: None)
    assert repeat.requests[0].error == "HTTP 422: unknown field"


def test_a_server_that_is_gone_fails_every_request() -> None:
    repeat = drive(load(f"http://127.0.0.1:{free_port(0)}/chat"), prompts(3), lambda _: None)
    assert all(record.error is not None and record.error.startswith("connection:") for record in repeat.requests)


def test_a_server_that_hangs_ends_the_repeat() -> None:
    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    with serving(hang) as url, pytest.raises(ServerFailedError) as caught:
        drive(load(url, timeout_s=0.3), prompts(4), lambda _: None)
    assert (caught.value.phase, caught.value.reason) == ("load", "hung")

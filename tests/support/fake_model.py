"""A model server on loopback that behaves, and misbehaves in every way that one can: the first part of its path says how."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Answer = Callable[[dict[str, Any]], str]
"""Request body -> the text of the answer."""


def completion(text: str | None, ended: str = "stop", **more: Any) -> dict[str, Any]:
    """A response of the chat interface."""
    message = {"role": "assistant", "content": text, **more}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "fake", "choices":
        [{"index": 0, "message": message, "finish_reason": ended}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }  # fmt: skip


class FakeModel:
    """Listens until it is closed. ``answer`` gives the text where it behaves; ``seen`` keeps path and body of every request."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.mood: str | None = None
        """A way that takes the place of the path's, from now on."""
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        """Of the same requests."""
        self.closing = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                way = fake.mood or urlsplit(self.path).path.split("/")[1]  # whole addresses come to a proxy
                fake.headers.append(dict(self.headers))
                fake.seen.append((way, body))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    fake.behave(self, way, body)

            def log_message(self, *_: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def base(self, way: str) -> str:
        """The API base under which the server behaves in this way."""
        return f"http://127.0.0.1:{self._server.server_port}/{way}/v1"

    def close(self) -> None:
        """Stop listening and let hanging answers go."""
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def times(self, way: str) -> int:
        """Requests so far under this way."""
        return sum(name == way for name, _ in self.seen)

    def behave(self, handler: BaseHTTPRequestHandler, way: str, body: dict[str, Any]) -> None:
        """Answer one request in the way that its path names."""
        first = self.times(way) == 1
        text = self.answer(body)
        good = completion(text)
        statuses = {"401": 401, "403": 403, "404": 404, "400": 400, "429": 429, "500": 500, "503": 503}
        if way in statuses:
            _send(handler, {"error": {"message": f"no: {way}", "type": "x", "code": way}}, statuses[way])
        elif way in ("429-once", "500-once"):
            headers = {"Retry-After": "0.2"} if way.startswith("429") else {}
            failed = {"error": {"message": "later"}}
            _send(handler, failed if first else good, int(way[:3]) if first else 200, headers if first else {})
        elif way == "429-long":
            _send(handler, {"error": {"message": "later"}}, 429, {"Retry-After": "3600"})
        elif not self._raw(handler, way, json.dumps(good).encode()):
            _send(handler, self._odd(way, text) or good)

    def _raw(self, handler: BaseHTTPRequestHandler, way: str, data: bytes) -> bool:
        """Ways below JSON; False for a way that is none of these."""
        key = handler.headers["Authorization"]
        pages = {
            "malformed": b'{"choices": [{"mess', "html": b"<html>Bad gateway</html>",
            "not-utf8": b'{"choices": [{"message": {"content": "\xff\xfe"}}]}', "deep-body": b'{"choices": ' + b"[" * 100_000,
        }  # fmt: skip
        if way in pages:
            _bytes(handler, pages[way])
        elif way == "reset":
            _head(handler, len(data))
            handler.wfile.write(data[:20])
            handler.wfile.flush()
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.close_connection = True
        elif way == "hang":
            self.closing.wait(60)
        elif way == "trickle":
            _head(handler, len(data))
            for number in range(len(data)):
                if self.closing.wait(0.1):
                    break
                handler.wfile.write(data[number : number + 1])
                handler.wfile.flush()
        elif way == "endless":
            _head(handler, 1 << 40)
            while not self.closing.is_set():
                handler.wfile.write(bytes(1 << 16))
        elif way == "bomb":
            _bytes(handler, gzip.compress(bytes(64 << 20), 1), {"Content-Encoding": "gzip"})
        elif way == "redirect":
            _send(handler, {}, 307, {"Location": self.base("well") + "/chat/completions"})
        elif way == "echo-401":
            _send(handler, {"error": {"message": f"no such key: {key}", "code": key, "sent": dict(handler.headers)}}, 401)
        elif way == "echo":
            _send(handler, completion(f"You sent {key}"))
        else:
            return False
        return True

    @staticmethod
    def _odd(way: str, text: str) -> dict[str, Any] | None:
        calls = [{"id": "1", "type": "function", "function": {"name": "propose", "arguments": "{not json"}}]
        odd = {
            "empty": completion(""), "blank": completion("  \n"), "null": completion(None),
            "no-choices": {**completion(text), "choices": []},
            "tool-call": completion(None, "tool_calls", tool_calls=calls), "cut-off": completion(text, "length"),
            "wrong-schema": completion('{"other": 1}'), "not-json": completion("Sure! Here is the answer."),
            "deep": completion("[" * 100_000),
            "fenced": completion(f"```json\n{text}\n```"), "two": completion(text + text), "huge": completion("x" * 3_000_000),
            "no-usage": {key: value for key, value in completion(text).items() if key != "usage"},
            "strange-usage": {**completion(text), "usage": {"prompt_tokens": -5, "completion_tokens": 10**12, "total_tokens": 0}},
        }  # fmt: skip
        return odd.get(way)


def _head(handler: BaseHTTPRequestHandler, length: int, status: int = 200, headers: dict[str, str] | None = None) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(length))
    for key, value in (headers or {}).items():
        handler.send_header(key, value)
    handler.end_headers()


def _bytes(handler: BaseHTTPRequestHandler, data: bytes, headers: dict[str, str] | None = None) -> None:
    _head(handler, len(data), 200, headers)
    handler.wfile.write(data)


def _send(handler: BaseHTTPRequestHandler, page: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
    data = json.dumps(page).encode()
    _head(handler, len(data), status, headers)
    handler.wfile.write(data)


@contextlib.contextmanager
def fake_model(answer: Answer) -> Iterator[FakeModel]:
    """A server for the time of a test."""
    server = FakeModel(answer)
    try:
        yield server
    finally:
        server.close()


def wait_until(what: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether something came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.01)
    return False

"""The HTTP session behind a call: its answers are bounded in size, and a server that sends elsewhere is not followed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import aiohttp

from agents.failures import ModelError

if TYPE_CHECKING:
    from aiohttp.connector import Connection

MOST_BYTES = 4 << 20
"""Of a response as it comes over the wire."""
MOST_PACKED = 128 << 10
"""Of a compressed one: it may unpack to a thousand times that."""


class Bounded(aiohttp.ClientResponse):
    """A response that ends with a ModelError where it is a redirect or goes on for too long."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Read the head, and refuse what is not wanted before any of the body is read."""
        await super().start(connection)
        if 300 <= self.status < 400:
            where = self.headers.get("Location", "elsewhere")
            hint = "Give the address that answers by itself: keys and evidence go nowhere else."
            raise ModelError("rejected", f"HTTP {self.status}: the server sends to {where[:200]!r}", hint)
        packed = self.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity")
        most = MOST_PACKED if packed else MOST_BYTES
        self.content: Any = _Counted(self.content, most)
        return self


class _Counted:
    """A body that raises ModelError when it is longer than it may be."""

    def __init__(self, stream: aiohttp.StreamReader, most: int) -> None:
        self._stream, self._most = stream, most

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """See ``StreamReader.iter_chunked``."""
        seen = 0
        async for chunk in self._stream.iter_chunked(size):
            seen += len(chunk)
            if seen > self._most:
                raise ModelError("nonsense", f"the response has more than {self._most} bytes")
            yield chunk

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


def session() -> aiohttp.ClientSession:
    """One for one call, in the loop that makes it."""
    return aiohttp.ClientSession(response_class=Bounded, cookie_jar=aiohttp.DummyCookieJar())

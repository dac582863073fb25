"""A coroutine with an end: a thread and a loop of its own, and nothing that a process would have to wait for at its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
GRACE_S = 1.0
"""For a loop that does not listen when it is told to stop: a name that does not resolve, a huge text that is being parsed."""


def within(seconds: float, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What the coroutine returns. Raises what it raises, and TimeoutError after ``seconds`` whatever it is doing then.

    A loop that cannot be stopped is left behind: its threads are daemons, so they keep no process alive.
    """
    done: Future[T] = Future()

    def work() -> None:
        with asyncio.Runner() as runner:
            runner.get_loop().set_default_executor(_Daemons())
            try:
                done.set_result(runner.run(_timed(seconds, begin)))
            except BaseException as error:  # noqa: BLE001 - the named edge of a thread: whoever waits for it gets the error
                done.set_exception(error)

    thread = threading.Thread(target=work, name="model", daemon=True)
    thread.start()
    try:
        return done.result(seconds + GRACE_S)
    finally:
        if done.done():
            thread.join(GRACE_S)


async def _timed(seconds: float, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
    async with asyncio.timeout(seconds):
        return await begin()


class _Daemons(ThreadPoolExecutor):
    """A thread for each job. Those of the plain pool are joined when Python ends, however long a lookup of theirs hangs."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:  # noqa: ANN401 - as its parent's
        found: Future[T] = Future()

        def work() -> None:
            if not found.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - as its parent does
                found.set_exception(error)
            else:
                found.set_result(result)

        threading.Thread(target=work, name="model-job", daemon=True).start()
        return found

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Waits for nobody."""

"""One named thread for one synchronous component: calls in order, never two at once, joined at the end."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from metaflow_core.errors import ComponentError

__all__ = ["Worker"]

P = ParamSpec("P")
R = TypeVar("R")
_Job = tuple[asyncio.Future[Any], asyncio.AbstractEventLoop, Callable[[], Any]]


class Worker:
    """Runs calls of one component in a thread of its own, started with the first call.

    :param name: of the thread: ``metaflow-<component id>``. The thread is no daemon, so that nothing is cut off in the
        middle of a write; :meth:`close` ends it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._finished = threading.Event()

    async def run(self, call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call in the thread and return what it returns, or raise what it raises.

        Cancelling the caller does not stop the call; the next one waits for it.
        """
        if self._closed:
            raise ComponentError(f"the worker {self._name} has ended")
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=False)
            self._thread.start()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._jobs.put((future, loop, lambda: call(*args, **kwargs)))
        return await future

    def _work(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                future, loop, call = job
                try:
                    result, error = call(), None
                except BaseException as raised:  # noqa: BLE001 - handed to the caller, whatever it is
                    result, error = None, raised
                try:
                    loop.call_soon_threadsafe(_settle, future, result, error)
                except RuntimeError:
                    # the loop is gone and nobody waits any more
                    return
                del future, call, result, error, job
        finally:
            self._finished.set()

    async def close(self, timeout_s: float) -> bool:
        """Let the calls that wait finish, end the thread and join it. Idempotent.

        :returns: False when a call hangs and the thread could not be joined in time.
        """
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        thread = self._thread
        if thread is None:
            return True
        deadline = asyncio.get_running_loop().time() + timeout_s
        pause = 0.0005
        while not self._finished.is_set():
            if asyncio.get_running_loop().time() >= deadline:
                return False
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.05)
        thread.join()
        self._thread = None
        return True


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration):
        # a future cannot carry StopIteration
        future.set_exception(RuntimeError(f"StopIteration: {error}"))
    else:
        future.set_exception(error)

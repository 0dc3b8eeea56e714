"""From a thread of a collector into the pipeline, which lives in an event loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError

from metaflow_core.api.components import Emit, Emitted

__all__ = ["EmitEnded", "ThreadEmit"]

_LOOK_S = 0.2
"""How often a thread that waits for room looks whether it is to stop."""


class EmitEnded(RuntimeError):
    """The pipeline or its event loop has ended: there is nobody left to hand anything to, and a collector may end too."""


class ThreadEmit:
    """``emit`` for threads: hands one item to the pipeline and waits until it is taken, which is the back-pressure.

    Make it in ``run``, inside the event loop; call it in any thread.

    :param emit: what ``run`` was given.
    :param stopping: set by the component's ``stop``, from any thread.
    :param last_wait_s: how long an item may still wait for room once ``stopping`` is set. A pipeline that takes nothing must
        not keep the end waiting.
    """

    def __init__(self, emit: Emit, stopping: threading.Event, *, last_wait_s: float = 2.0) -> None:
        self._emit = emit
        self._stopping = stopping
        self._last_wait_s = last_wait_s
        self._loop = asyncio.get_running_loop()

    def __call__(self, item: Emitted) -> bool:
        """True when the pipeline took the item; False when it was given up because of the end: count it as dropped.

        :raises EmitEnded: the pipeline or the loop has ended. Errors of the pipeline's own come as they are.
        """
        handing = self._hand(item)
        try:
            handed = asyncio.run_coroutine_threadsafe(handing, self._loop)
        except RuntimeError as error:  # the loop is closed
            handing.close()
            raise EmitEnded("the event loop has ended") from error
        while True:
            try:
                handed.result(self._last_wait_s if self._stopping.is_set() else _LOOK_S)
            except TimeoutError:
                if handed.done():
                    handed.result()  # taken just now, or an error of the pipeline's own that has this name
                    return True
                if self._loop.is_closed():
                    raise EmitEnded("the event loop has ended") from None
                if self._stopping.is_set() and handed.cancel():
                    return False
            except CancelledError:
                # of concurrent.futures: who waits in a thread is told by another error than who waits in the loop
                raise EmitEnded("the pipeline was cancelled") from None
            else:
                return True

    async def _hand(self, item: Emitted) -> None:
        await self._emit(item)

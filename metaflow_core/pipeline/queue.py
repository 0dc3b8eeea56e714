"""A queue between two stages that is bounded by number and by bytes; whoever fills it waits, so memory stays flat."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from metaflow_core.api.threads import EmitEnded
from metaflow_core.errors import ComponentError

__all__ = ["BoundedQueue", "PipelineClosed"]

T = TypeVar("T")


class PipelineClosed(ComponentError, EmitEnded):
    """The pipeline stops and takes nothing more; a collector that meets it ends."""

    code = "pipeline-closed"


class BoundedQueue(Generic[T]):
    """First in, first out, in one event loop.

    :param max_items: how many items may wait. :param max_bytes: how many bytes may wait; a single larger item is let in
        alone, since it could never be smaller.
    """

    def __init__(self, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._closed = False
        self._getters: deque[asyncio.Future[None]] = deque()
        self._putters: deque[asyncio.Future[None]] = deque()
        self.peak_items = 0
        self.peak_bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def nbytes(self) -> int:
        """Bytes that wait now."""
        return self._bytes

    @property
    def is_closed(self) -> bool:
        """Whether nothing more may be put in."""
        return self._closed

    def _has_room(self, size: int) -> bool:
        return not self._items or (len(self._items) < self._max_items and self._bytes + size <= self._max_bytes)

    async def put(self, item: T, size: int) -> None:
        """Add an item; waits while the queue is full.

        :raises PipelineClosed: the queue was closed, before or while waiting.
        """
        while not self._closed and not self._has_room(size):
            await self._wait(self._putters)
        if self._closed:
            raise PipelineClosed("the pipeline is stopping and takes nothing more")
        self._add(item, size)

    def put_dropping(self, item: T, size: int) -> list[T]:
        """Add an item at once; what no longer fits is dropped from the front and returned."""
        dropped: list[T] = []
        if self._closed:
            return [item]
        while not self._has_room(size):
            old, old_size = self._items.popleft()
            self._bytes -= old_size
            dropped.append(old)
        self._add(item, size)
        return dropped

    def _add(self, item: T, size: int) -> None:
        self._items.append((item, size))
        self._bytes += size
        self.peak_items = max(self.peak_items, len(self._items))
        self.peak_bytes = max(self.peak_bytes, self._bytes)
        self._wake(self._getters)
        if self._putters and self._has_room(0):
            self._wake(self._putters)

    async def get(self) -> T | None:
        """The next item; None when the queue is closed and empty."""
        while not self._items:
            if self._closed:
                return None
            await self._wait(self._getters)
        item, size = self._items.popleft()
        self._bytes -= size
        self._wake(self._putters)
        return item

    def close(self) -> None:
        """Take nothing more; what waits can still be got."""
        self._closed = True
        for waiters in (self._getters, self._putters):
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def clear(self) -> list[T]:
        """Take out everything that waits, and return it."""
        items = [item for item, _ in self._items]
        self._items.clear()
        self._bytes = 0
        self._wake(self._putters)
        return items

    async def _wait(self, waiters: deque[asyncio.Future[None]]) -> None:
        waiter = asyncio.get_running_loop().create_future()
        waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            # cancelled after its turn had come: the turn goes to the next
            if waiter.done() and not waiter.cancelled():
                self._wake(waiters)
            raise
        finally:
            waiters.remove(waiter)

    @staticmethod
    def _wake(waiters: deque[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
                return

"""A clock that stands still until the test moves it."""

from __future__ import annotations

import asyncio
import heapq
import itertools

__all__ = ["FakeClock"]


class FakeClock:
    """See :class:`metaflow_core.Clock`. ``sleep`` returns when :meth:`advance` has moved past its end.

    :param start_ns: wall-clock time at the beginning, nanoseconds since the epoch.
    """

    def __init__(self, start_ns: int = 1_700_000_000_000_000_000) -> None:
        self._now_ns = start_ns
        self._start_ns = start_ns
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def time_ns(self) -> int:
        """The time it stands at."""
        return self._now_ns

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return (self._now_ns - self._start_ns) / 1e9

    async def sleep(self, seconds: float) -> None:
        """Wait until the test has advanced the clock that far."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now_ns + round(seconds * 1e9), next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move the clock, waking sleepers in order, and let them run."""
        until = self._now_ns + round(seconds * 1e9)
        while self._sleepers and self._sleepers[0][0] <= until:
            wake_ns, _, future = heapq.heappop(self._sleepers)
            self._now_ns = max(self._now_ns, wake_ns)
            if not future.done():
                future.set_result(None)
            # the woken may sleep again within the same span
            for _ in range(3):
                await asyncio.sleep(0)
        self._now_ns = until
        await asyncio.sleep(0)

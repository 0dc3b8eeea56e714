"""A tagger whose source changes while it runs: it looks now and then, learns what changed, and says how it is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from metaflow_core.api import BuildContext
from metaflow_core.errors import StartError, StorageError
from metaflow_core.tagging.base import AddressTagger
from metaflow_core.tagging.entries import Entry

__all__ = ["FollowingTagger", "World"]


class World(Protocol):
    """What a source has and had."""

    @property
    def changes(self) -> int:
        """Grows with every change."""
        ...

    def entries(self, now_ns: int) -> list[Entry]:
        """Everything that is known; what did not change is the same object as before."""
        ...


class FollowingTagger(AddressTagger):
    """Looks every so many seconds until it is stopped. Inherit it, start with :meth:`open`, then :meth:`follow`, and write :meth:`look`.

    :param every_s: seconds between two looks.
    """

    def __init__(self, context: BuildContext, every_s: float, *, unknown_is_internet: bool = False) -> None:
        super().__init__(context, unknown_is_internet=unknown_is_internet)
        self._every_s = every_s
        self._following: asyncio.Task[None] | None = None
        self._learnt = -1
        self._said = ""

    async def open(self) -> None:
        """Open the book of numbers.

        :raises StartError: it cannot be read.
        """
        try:
            await asyncio.to_thread(self.context.ids.open)
        except StorageError as error:
            raise StartError(str(error)) from error

    def follow(self) -> None:
        """From now on look now and then."""
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Look no more. Idempotent."""
        task, self._following = self._following, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        while True:
            await self.context.clock.sleep(self._every_s)
            await self.turn()

    async def turn(self) -> None:
        """What is done now and then."""
        await self.look()

    async def look(self) -> bool:
        """Learn what changed.

        :returns: whether something did.
        """
        raise NotImplementedError

    async def learn_from(self, world: World) -> bool:
        """Learn what changed in a world since the last time. What cannot be kept is reported, and the last known stays in force.

        :returns: whether something did.
        """
        changes = world.changes
        if changes == self._learnt:
            return False
        now = self.context.clock.time_ns()
        try:
            # To a storage that knows nothing of them they always were like this; one that does keeps what it said of older rows.
            await asyncio.to_thread(lambda: self.learn(world.entries(now), now))
        except (OverflowError, StorageError) as error:
            self.context.report("degraded", f"the last known tags stay in force: {error}")
            return False
        self._learnt = changes
        return True

    def say(self, problem: str, well: str) -> None:
        """Report a problem, or that all is well, where it is not what was said last.

        :param problem: empty when there is none.
        """
        if problem != self._said:
            self._said = problem
            self.context.report("degraded" if problem else "running", problem or well)

"""Writing on a call from several tasks, any of which may be cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["Writer"]


class Writer:
    """One message after the other. gRPC ends a whole call when a write on it is cancelled, so a write that was begun ends by itself."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._one = asyncio.Lock()

    async def write(self, message: Any) -> None:
        """Returns when gRPC has taken it. Raises what its ``write`` raises."""
        task = asyncio.create_task(self._write(message))
        # nobody may be there any more to see how it ended
        task.add_done_callback(_looked_at)
        await asyncio.shield(task)

    async def _write(self, message: Any) -> None:
        async with self._one:
            await self._call.write(message.SerializeToString())


def _looked_at(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()

"""The state of every component, and notifications about it: at most one a second and component."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from metaflow_core.api.clock import Clock
from metaflow_core.api.identity import ComponentId, Kind
from metaflow_core.hooks.status import ComponentState, ComponentStatus

__all__ = ["StatusBoard", "UnitKey"]

UnitKey = tuple[Kind, ComponentId, str]
"""Kind, id, and the pipeline for those of which every pipeline has its own (engines)."""


class StatusBoard:
    """Safe from any thread. Notifications are given in the event loop that is bound to it.

    :param notify: is told of changes (the plugin host). :param every_s: least time between two about one component.
    """

    def __init__(self, clock: Clock, notify: Callable[[ComponentStatus], None], every_s: float = 1.0) -> None:
        self._clock = clock
        self._notify = notify
        self._every_s = every_s
        self._lock = threading.Lock()
        self._states: dict[UnitKey, ComponentStatus] = {}
        self._told: dict[UnitKey, tuple[float, ComponentStatus]] = {}
        self._timers: dict[UnitKey, asyncio.TimerHandle] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Give notifications in this loop from now on; None ends them and tells what was held back."""
        if loop is None:
            for key in list(self._timers):
                self._timers.pop(key).cancel()
                self._tell(key)
        self._loop = loop

    def set(self, key: UnitKey, state: ComponentState, message: str = "", *, restarted: bool = False) -> None:
        """A component came into a state."""
        with self._lock:
            old = self._states.get(key)
            restarts = (old.restarts if old is not None else 0) + restarted
            since = old.since_ns if old is not None and old.state is state else self._clock.time_ns()
            new = ComponentStatus(key[0], key[1], state, message, since, restarts)
            self._states[key] = new
        if old != new:
            self._schedule(key)

    def get(self, key: UnitKey) -> ComponentStatus | None:
        """The state of one component."""
        with self._lock:
            return self._states.get(key)

    def remove(self, key: UnitKey) -> None:
        """A component is gone for good."""
        with self._lock:
            self._states.pop(key, None)

    def snapshot(self) -> list[tuple[UnitKey, ComponentStatus]]:
        """Every component's state, in the order in which they came."""
        with self._lock:
            return list(self._states.items())

    def _schedule(self, key: UnitKey) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            inside = asyncio.get_running_loop() is loop
        except RuntimeError:
            inside = False
        if inside:
            self._due(key)
        else:
            loop.call_soon_threadsafe(self._due, key)

    def _due(self, key: UnitKey) -> None:
        loop = self._loop
        if loop is None or key in self._timers:
            return
        last = self._told.get(key)
        wait = 0.0 if last is None else last[0] + self._every_s - loop.time()
        if wait <= 0:
            self._tell(key)
        else:
            self._timers[key] = loop.call_later(wait, self._tell, key)

    def _tell(self, key: UnitKey) -> None:
        self._timers.pop(key, None)
        status = self.get(key)
        last = self._told.get(key)
        if status is None or (last is not None and last[1] == status):
            return
        self._told[key] = (self._loop.time() if self._loop is not None else 0.0, status)
        self._notify(status)

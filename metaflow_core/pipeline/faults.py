"""How often a component may fail, and how long it rests after each fault."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from metaflow_core.api.clock import Clock

__all__ = ["FaultWindow", "SupervisionPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionPolicy:
    """Numbers of supervision; tests use smaller ones.

    :ivar first_rest_s: rest after the first fault, in seconds; it doubles with each further one.
    :ivar longest_rest_s: the most it grows to.
    :ivar faults: this many faults inside ``window_s`` seconds and the component is quarantined.
    :ivar window_s: see ``faults``.
    :ivar attempts: how often a batch that makes a storage raise something other than StorageError is tried.
    :ivar notify_s: least time between two notifications about one component, in seconds.
    :ivar tick_s: how often an engine of live collectors is told the time, in seconds.
    :ivar late_tags_s: how often it is looked whether rows that are stored get tags that were not known before, in seconds.
    """

    first_rest_s: float = 1.0
    longest_rest_s: float = 30.0
    faults: int = 5
    window_s: float = 60.0
    attempts: int = 3
    notify_s: float = 1.0
    tick_s: float = 1.0
    late_tags_s: float = 30.0

    def rest_s(self, nth: int) -> float:
        """Rest after the nth fault in a row (from 1): 1, 2, 4, 8, ... seconds."""
        return float(min(self.longest_rest_s, self.first_rest_s * 2 ** min(nth - 1, 30)))


class FaultWindow:
    """Counts the faults of one component inside the window."""

    def __init__(self, policy: SupervisionPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._times: deque[float] = deque()

    def add(self) -> int:
        """Count a fault; returns how many there are inside the window now."""
        now = self._clock.monotonic()
        self._times.append(now)
        while self._times and now - self._times[0] > self._policy.window_s:
            self._times.popleft()
        return len(self._times)

    @property
    def is_full(self) -> bool:
        """Whether the component must be quarantined."""
        return len(self._times) >= self._policy.faults

"""Counters by component, stage and reason: the only way that anything is counted, so that everything can be seen."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["CounterSample", "Counters"]


@dataclass(frozen=True, slots=True, order=True)
class CounterSample:
    """The value of one counter at one moment.

    :ivar component: id of the component that counts, ``kind.type[/name]``.
    :ivar stage: where in the way of the data: ``received``, ``decode``, ``parse``, ``sent``, ``dropped``, ...
    :ivar reason: why, for what was dropped or refused; empty for plain throughput.
    :ivar unit: ``records``, ``packets``, ``bytes``, ``errors``, ...
    :ivar value: monotonic since the component was built.
    """

    component: str
    stage: str
    reason: str
    unit: str
    value: int


class Counters:
    """Monotonic counters of one component. Safe from any thread; add once per batch, never per message."""

    __slots__ = ("_component", "_lock", "_values")

    def __init__(self, component: str) -> None:
        self._component = component
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str, str], int] = {}

    @property
    def component(self) -> str:
        """Id of the component that counts."""
        return self._component

    def add(self, stage: str, value: int = 1, *, reason: str = "", unit: str = "records") -> None:
        """Count ``value`` more at ``stage`` for ``reason``."""
        key = (stage, reason, unit)
        with self._lock:
            self._values[key] = self._values.get(key, 0) + value

    def set(self, stage: str, value: int, *, reason: str = "", unit: str = "records") -> None:
        """Take over an absolute value that something else counts (an engine, the kernel). It never goes down."""
        key = (stage, reason, unit)
        with self._lock:
            self._values[key] = max(value, self._values.get(key, 0))

    def samples(self) -> Iterator[CounterSample]:
        """A snapshot, sorted."""
        with self._lock:
            values: Mapping[tuple[str, str, str], int] = dict(self._values)
        for (stage, reason, unit), value in sorted(values.items()):
            yield CounterSample(self._component, stage, reason, unit, value)

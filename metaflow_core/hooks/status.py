"""The state of a running component."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from metaflow_core.api.identity import ComponentId, Kind

__all__ = ["ComponentState", "ComponentStatus"]


class ComponentState(StrEnum):
    """Where a component is in its life."""

    BUILT = "built"
    STARTING = "starting"
    RUNNING = "running"
    DEGRADED = "degraded"
    QUARANTINED = "quarantined"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """A component's state at one moment.

    :ivar kind: its kind, :ivar id: its id, :ivar state: where it is, :ivar message: a sentence, empty when all is well.
    :ivar since_ns: when it came into this state, nanoseconds since the epoch.
    :ivar restarts: how often the supervisor restarted it.
    """

    kind: Kind
    id: ComponentId
    state: ComponentState
    message: str = ""
    since_ns: int = 0
    restarts: int = 0

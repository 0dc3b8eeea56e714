"""What the core gives a component when it is built."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from metaflow_core.api.clock import Clock
from metaflow_core.api.counters import Counters
from metaflow_core.api.identity import ComponentId, Kind
from metaflow_core.api.ids import IdBook

if TYPE_CHECKING:
    from metaflow_core.model.catalog import Catalog

__all__ = ["BuildContext", "Flush", "Resource", "StatusReport"]


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that only one component can have: found at validation, long before a bind fails.

    :ivar kind: ``tcp``, ``udp``, ``file``, ``directory``, ``device``.
    :ivar name: in one spelling only: ``127.0.0.1:9464``, an absolute path, an interface.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


StatusReport = Callable[[str, str], None]
"""``report(state, sentence)``: a component tells that it is ``running``, ``degraded`` or ``failed``, and why."""


Flush: TypeAlias = Callable[[Collection[str] | None], Awaitable[None]]
"""``await flush(tables)``: what waits in memory for these tables (full names; None for all) is written to the storage that asks, and stored when
this returns. It never raises and returns within seconds; what a storage refuses by then waits on. A table that was asked for less than a second
ago is not written again."""


async def _nothing_waits(tables: Collection[str] | None) -> None:
    """Of a component alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """Everything a component may take from the core. Nothing is global: what is not here is not there.

    :ivar kind: the component's kind.
    :ivar id: its id.
    :ivar catalog: the record catalogue of this app, with every plugin's additions.
    :ivar logger: a standard logger named after the component; the core never configures logging.
    :ivar counters: the component's counters.
    :ivar clock: the app's clock.
    :ivar report: tells the supervisor how the component is.
    :ivar data_dir: where the component may keep files, made on demand; None where the app keeps nothing.
    :ivar services: the running app's shared objects offered by name, for services that need to reach storages,
        dialects, or the status of the app (see :class:`metaflow_core.api.components.AppView`).
    :ivar flush: a storage awaits it before it reads, for the tables that it reads (see
        :func:`metaflow_core.query.tables_of`): pipelines may keep rows in memory while nobody asks for them.
    :ivar ids: numbers for the names that taggers put on rows, shared by all components of the app.
    """

    kind: Kind
    id: ComponentId
    catalog: Catalog
    logger: logging.Logger
    counters: Counters
    clock: Clock
    report: StatusReport
    data_dir: Path | None = None
    services: Mapping[str, object] = field(default_factory=dict)
    flush: Flush = _nothing_waits
    ids: IdBook = field(default_factory=lambda: IdBook(None))

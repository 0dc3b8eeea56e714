"""The protocols that components implement. Plain method calls on whole batches; no hook is ever on the way of the data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from metaflow_core.api.blocks import PacketBlock, SegmentBlock, TickBlock
from metaflow_core.api.context import Resource
from metaflow_core.api.counters import CounterSample

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.query.plan import Plan

__all__ = [
    "AppView",
    "Collector",
    "Component",
    "Dialect",
    "Emit",
    "Emitted",
    "Engine",
    "Exporter",
    "LateTagsKeeper",
    "Learning",
    "Names",
    "NamesKeeper",
    "NamesSource",
    "QueryRequest",
    "QueryResult",
    "RecordBatch",
    "Route",
    "Service",
    "Storage",
    "Tagger",
]


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Rows of one table of the catalogue, by columns.

    :ivar table: full name, e.g. ``flow_log.l7_flow_log``.
    :ivar data: the columns; the names and types are the catalogue's.
    :ivar batch_id: stays the same when the batch is sent again, so that nothing is stored twice; empty where the
        sender cannot repeat.
    """

    table: str
    data: pa.RecordBatch
    batch_id: str = ""


Emitted: TypeAlias = PacketBlock | SegmentBlock | TickBlock | RecordBatch
"""What a collector may hand over."""

Emit: TypeAlias = Callable[[Emitted], Awaitable[None]]
"""Hands something to the pipeline; waits while the pipeline is full (back-pressure)."""


@dataclass(frozen=True, slots=True)
class Names:
    """Names of numbers that stand in rows, for tags that are resolved through a dictionary of the catalogue.

    :ivar names: by number; of a tag that is a map its JSON text.
    :ivar valid_from_s: seconds since 1970 from which they are valid; None for names that always were. The first name that a number
        ever gets is valid for all earlier rows too.
    """

    dictionary: str
    names: Mapping[int, str]
    valid_from_s: int | None = None


@runtime_checkable
class Component(Protocol):
    """What all components share. Everything here has a default in the core: implement what you need.

    ``start`` acquires (ports, files, kernel objects) and returns; ``stop`` gives back. ``stop`` is safe without
    ``start`` and when repeated, and returns within the deadline the core sets.
    """

    async def start(self) -> None:
        """Acquire what the component needs.

        :raises StartError: with a sentence; the app then starts nothing at all (or retries, as configured).
        """
        ...

    async def stop(self) -> None:
        """Give everything back. Idempotent."""
        ...


class Collector(Component, Protocol):
    """Obtains packets, kernel segments, or ready records (then it is called a receiver)."""

    async def run(self, emit: Emit) -> None:
        """Collect until there is no more (a file) or until cancelled (live).

        ``await emit(...)`` holds while the pipeline is full. Blocking calls belong into ``asyncio.to_thread``.
        """
        ...

    def resources(self) -> Iterable[Resource]:
        """What only one component can have; called at validation, so it may not touch the machine."""
        ...


class Engine(Component, Protocol):
    """Turns packets and segments into records. Synchronous: the core calls it in a worker thread, one call at a time."""

    def push(self, block: PacketBlock | SegmentBlock) -> None:
        """Take a block. Bad frames are counted, never raised."""
        ...

    def tick(self, now_ns: int) -> None:
        """Time goes on without packets."""
        ...

    def finish(self) -> None:
        """The input has ended: close every flow and settle what waits."""
        ...

    def drain(self) -> Iterator[RecordBatch]:
        """Take the rows that are ready, table by table, in an order that depends on the input alone."""
        ...

    def counters(self) -> Iterable[CounterSample]:
        """What was counted so far, by stage and reason."""
        ...

    def explain(self, flow_id: int) -> Sequence[Mapping[str, Any]]:
        """Which parsers looked at a flow, what each said and at which byte, in order."""
        ...


class Tagger(Component, Protocol):
    """Knows something of addresses, processes or names, and puts it on rows."""

    def tag(self, batch: RecordBatch) -> RecordBatch:
        """Return the batch with more columns filled. Synchronous and vectorised; called in a worker thread, seconds after the rows' own time
        where these wait in memory until somebody asks."""
        ...


@runtime_checkable
class NamesSource(Protocol):
    """What a tagger offers besides when it puts numbers on rows: the names of the numbers."""

    def names(self, after: int) -> tuple[int, Sequence[Names]]:
        """What it named after a position, and the position to ask from next time. From 0 it is everything that rows may need.

        Called from the event loop before rows are written, so it answers at once; safe while :meth:`Tagger.tag` runs. A number that was
        put on a row has its name from then on.
        """
        ...


@runtime_checkable
class NamesKeeper(Protocol):
    """What a storage offers besides when it keeps names: they are shown for the numbers in rows."""

    def learn(
        self, dictionary: str, names: Mapping[int, str], valid_from_s: int | None = None
    ) -> Awaitable[None] | None:
        """Add names; see :class:`Names`. When it returns (or is awaited), they are as safe as rows.

        :raises StorageError: they are not kept; it is asked again before more rows are written.
        """
        ...


@runtime_checkable
class LateTagsKeeper(Protocol):
    """What a storage offers besides when tags that come after their rows can be put on these."""

    async def retag(
        self, table: str, start_s: int, end_s: int, tags: Callable[[RecordBatch], Awaitable[RecordBatch]]
    ) -> int:
        """Ask taggers again of the rows that something is not known of, and keep what they fill.

        :param start_s: and :param end_s: seconds since 1970 of the rows' own time, the end not included.
        :param tags: gives a batch back with more columns filled. It is asked of each different end of rows once (see
            :func:`metaflow_core.query.subjects_of`). What is no 0 in a row stays.
        :returns: how many ends of rows got more; 0 for a table whose rows are about no address.
        :raises StorageError: nothing is promised; it may be asked again.
        """
        ...


@runtime_checkable
class Learning(Protocol):
    """What a tagger offers besides when what it knows grows while it runs.

    :ivar version: another number after every change; rows that were tagged before may get more tags now. A tagger that learns much of which
        no row of before can get anything has a number ``reaching`` besides, another one after every change that stored rows may get tags by;
        they are then looked at again for this one's sake alone.
    """

    version: int


class Storage(Component, Protocol):
    """Keeps records and answers plans."""

    async def write(self, batch: RecordBatch) -> None:
        """Store a batch; when this returns, the batch is safe. A ``batch_id`` seen before is not stored again.

        :raises StorageError: the batch is not stored; the caller keeps it.
        """
        ...

    async def execute(self, plan: Plan) -> pa.Table:
        """Answer a plan, after awaiting :data:`~metaflow_core.api.Flush` for the tables that it reads.

        :raises QueryError: the plan cannot be answered here, with a sentence.
        """
        ...

    async def health(self) -> Mapping[str, Any]:
        """State for people: rows and bytes per table, disk, version; keys are stable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequest:
    """A question in some dialect.

    :ivar text: the question itself.
    :ivar params: dialect-specific: ``start``, ``end``, ``step``, ``time``, ``db``, ...
    :ivar timeout_s: how long it may take, in seconds.
    :ivar max_rows: how many rows it may return.
    """

    text: str
    params: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 60.0
    max_rows: int = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """An answer.

    :ivar table: the rows.
    :ivar units: unit per column, where it has one.
    :ivar kind: ``table``, or a dialect's own shape (``matrix``, ``vector``, ``scalar``, ``string``).
    :ivar warnings: sentences about what was cut or ignored.
    :ivar physical: what was really run, for EXPLAIN.
    """

    table: pa.Table
    units: Mapping[str, str] = field(default_factory=dict)
    kind: str = "table"
    warnings: tuple[str, ...] = ()
    physical: str = ""


class Dialect(Component, Protocol):
    """A query language."""

    async def query(self, request: QueryRequest, storage: Storage) -> QueryResult:
        """Answer a question from a storage.

        :raises QuerySyntaxError: with the column. :raises QueryError: with a sentence.
        """
        ...


class Exporter(Component, Protocol):
    """Sends records elsewhere."""

    async def export(self, batch: RecordBatch) -> None:
        """Send a batch; when this returns it was taken. Raise to have it sent again later."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An ASGI application mounted by a service.

    :ivar path: prefix, e.g. ``/v1``. :ivar app: an ASGI 3 callable. :ivar summary: one line for the list of URLs.
    """

    path: str
    app: Callable[..., Awaitable[None]]
    summary: str = ""


class Service(Component, Protocol):
    """A long-running part of the server with routes of its own (querier, web UI, controller)."""

    def routes(self) -> Iterable[Route]:
        """What it answers over HTTP."""
        ...

    def resources(self) -> Iterable[Resource]:
        """What only one component can have."""
        ...


class AppView(Protocol):
    """What a service may see and do of the running app; in ``BuildContext.services["app"]``."""

    async def query(self, dialect: str, text: str, /, **params: Any) -> QueryResult:
        """Ask in a dialect (its component id), from the storage it is bound to."""
        ...

    def status(self) -> Sequence[Mapping[str, Any]]:
        """State of every component."""
        ...

    def stats(self) -> Sequence[CounterSample]:
        """Every counter."""
        ...

    def tap(
        self,
        pipeline: str,
        max_batches: int = 256,
        *,
        tables: Collection[str] | None = None,
        tagged: bool = True,
        patience_s: float = 0.0,
    ) -> AsyncIterator[RecordBatch]:
        """A bounded copy of a pipeline's records; drops the oldest when the reader is slow, and counts.

        :param tables: full names of those that are wanted; None for all. :param tagged: rows come with their tags.
        :param patience_s: how late they may come; what nobody waits for costs less.
        """
        ...

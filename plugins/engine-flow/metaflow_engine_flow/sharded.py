"""Several engines side by side: each sees every block and keeps the flows whose hash falls on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from metaflow_engine_flow.interface import FlowEngine
from metaflow_engine_flow.merge import merge_rows
from metaflow_engine_flow.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.api import ParserDescription, ParserRuntime
    from metaflow_engine_flow.blocks import Block

T = TypeVar("T")

# Counted by every shard for all packets: of these one shard's number is the truth.
_SHARED = frozenset({"received", "decode", "frame", "link", "ip", "transport", "tunnel", "fragment"})
_SHARED_REASONS = frozenset({("segment", "records")})


class ShardedEngine:
    """Engines in threads of their own. The GIL is released while they work.

    :param make: makes the engine of a shard from the options ``shards`` and ``shard``.
    :param shards: how many.
    """

    def __init__(self, make: Callable[[Mapping[str, int]], FlowEngine], shards: int) -> None:
        self._engines: Sequence[FlowEngine] = [make({"shards": shards, "shard": shard}) for shard in range(shards)]
        self._threads = ThreadPoolExecutor(shards, thread_name_prefix="metaflow-engine")

    @property
    def build(self) -> str:
        """``native`` or ``wasm``."""
        return self._engines[0].build

    def add_parser(
        self,
        description: ParserDescription,
        create: Callable[[], ParserRuntime],
        options: Mapping[str, str] | None = None,
    ) -> int:
        """Add a parser to every shard, each with an instance of its own from ``create``.

        :raises EngineError: the description is wrong.
        """
        return max(engine.add_parser(description, create(), options) for engine in self._engines)

    def push(self, block: Block) -> int:
        """Every shard takes the block at the same time; returns the number of packets (or calls) in it."""
        return max(self._all(lambda engine: engine.push(block)))

    def tick(self, now_ns: int) -> None:
        """Let time go on."""
        self._all(lambda engine: engine.tick(now_ns))

    def finish(self) -> None:
        """The input has ended."""
        self._all(lambda engine: engine.finish())

    def tables(self, at_least: int = 1) -> Iterator[tuple[str, pa.RecordBatch]]:
        """The shards' rows as one, see :func:`~metaflow_engine_flow.merge.merge_rows`."""
        # Whole rounds only: a row of one shard must not overtake an earlier one of another.
        if sum(engine.ready() for engine in self._engines) < at_least:
            return
        taken = [dict(engine.tables()) for engine in self._engines]
        for name in TABLES:
            parts = [rows[name] for rows in taken if name in rows]
            if parts:
                yield name, merge_rows(name, parts)

    def counters(self) -> Mapping[tuple[str, str], int]:
        """The shards' counters added up."""
        total: dict[tuple[str, str], int] = {}
        for number, engine in enumerate(self._engines):
            for key, value in engine.counters().items():
                if number == 0 or (key[0] not in _SHARED and key not in _SHARED_REASONS):
                    total[key] = total.get(key, 0) + value
        return total

    def explain(self, flow_id: int) -> list[str]:
        """The history that the flow's shard has."""
        return [line for engine in self._engines for line in engine.explain(flow_id)]

    def close(self) -> None:
        """Free everything. Idempotent."""
        self._threads.shutdown()
        for engine in self._engines:
            engine.close()

    def _all(self, work: Callable[[FlowEngine], T]) -> list[T]:
        return list(self._threads.map(work, self._engines))

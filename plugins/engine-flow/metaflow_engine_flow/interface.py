"""What every build of the engine can do: native, WebAssembly, or several of them side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from metaflow_core.errors import ComponentError

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.api import ParserDescription, ParserRuntime
    from metaflow_engine_flow.blocks import Block

__all__ = ["EngineError", "FlowEngine"]


class EngineError(ComponentError):
    """The engine refused what it was asked (a wrong option, a wrong block format), or its WebAssembly build trapped."""

    code = "engine"


class FlowEngine(Protocol):
    """One engine. Not safe for use by several threads at once; the GIL is released while it works."""

    @property
    def build(self) -> str:
        """``native`` or ``wasm``."""
        ...

    def add_parser(
        self, description: ParserDescription, runtime: ParserRuntime, options: Mapping[str, str] | None = None
    ) -> int:
        """Add a parser, before the first ``push``; the order is the order of priority.

        A native engine calls a runtime that has a ``vtable`` itself; any other is called by this object in batches.

        :returns: its index.
        :raises EngineError: the description is wrong, or there are too many parsers.
        """
        ...

    def push(self, block: Block) -> int:
        """Take a block of frames or of kernel segments, run what parsers have to do, and return how many were taken.

        :raises EngineError: the block's format is unknown.
        """
        ...

    def tick(self, now_ns: int) -> None:
        """Let time go on without packets (live capture), in nanoseconds since 1970."""
        ...

    def finish(self) -> None:
        """The input has ended: close every flow, time out what waits."""
        ...

    def ready(self) -> int:
        """Rows ready in the fullest table."""
        ...

    def tables(self, at_least: int = 1) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Take the rows that are ready, as ``(table, rows)`` in the order of :data:`~metaflow_engine_flow.tables.TABLES`.

        :param at_least: leave tables alone that have fewer rows.
        """
        ...

    def counters(self) -> Mapping[tuple[str, str], int]:
        """What was counted so far, by ``(stage, reason)``."""
        ...

    def explain(self, flow_id: int) -> list[str]:
        """How the protocol of a flow was inferred, a line a step; empty without the option ``explain=1``."""
        ...

    def close(self) -> None:
        """Free the engine. Idempotent."""
        ...

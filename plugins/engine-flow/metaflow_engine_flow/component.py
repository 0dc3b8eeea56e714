"""The engine as a component of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from metaflow_core import BuildContext, CounterSample, ParserBinding, RecordBatch
from metaflow_core.api import PacketBlock, SegmentBlock
from metaflow_engine_flow.choice import make_engine
from metaflow_engine_flow.config import EngineConfig
from metaflow_engine_flow.interface import EngineError, FlowEngine
from metaflow_engine_flow.sharded import ShardedEngine
from metaflow_engine_flow.tables import catalogue_name
from metaflow_engine_flow.times import with_times

_STEP = ("time_ns", "op", "parser", "verdict", "offset", "reason")


class FlowEngineComponent:
    """See :class:`metaflow_core.api.Engine`: synchronous, called from one thread at a time."""

    def __init__(self, context: BuildContext, config: EngineConfig, parsers: Sequence[ParserBinding]) -> None:
        self._context = context
        self._config = config
        self._wanted = config.wanted()
        self._all_rows = False
        self._engine: FlowEngine | ShardedEngine
        if config.shards == 1:
            single = self._make({})
            self._engine = single
            add: Callable[[ParserBinding], int] = lambda binding: single.add_parser(  # noqa: E731 - two ways to add
                binding.description, binding.create(), binding.options
            )
        else:
            sharded = ShardedEngine(self._make, config.shards)
            self._engine = sharded
            add = lambda binding: sharded.add_parser(binding.description, binding.create, binding.options)  # noqa: E731
        for binding in parsers:
            add(binding)

    def _make(self, shard: Mapping[str, int]) -> FlowEngine:
        return make_engine(self._config.engine, {**self._config.engine_options(), **shard}, self._context.logger)

    async def start(self) -> None:
        """Nothing to acquire: an engine is memory."""

    async def stop(self) -> None:
        """Free the engine. Idempotent."""
        self._engine.close()

    def push(self, block: PacketBlock | SegmentBlock) -> None:
        """Take a block of frames or of kernel segments; what is damaged is counted."""
        try:
            self._engine.push(block)
        except EngineError as error:
            self._context.logger.warning("a block was refused: %s", error)
            self._context.counters.add("dropped", 1, reason="refused_block", unit="blocks")
        self._all_rows = False

    def tick(self, now_ns: int) -> None:
        """Let time go on; what is ready is handed on whatever its size."""
        self._engine.tick(now_ns)
        self._all_rows = True

    def finish(self) -> None:
        """The input has ended."""
        self._engine.finish()
        self._all_rows = True

    def drain(self) -> Iterator[RecordBatch]:
        """Rows that are ready; small batches wait until the next tick, because a batch costs as much as a thousand rows."""
        from metaflow_core.model.catalog.conform import conform

        for name, rows in self._engine.tables(1 if self._all_rows else self._config.batch_rows):
            if name in self._wanted:
                table = self._context.catalog.table(catalogue_name(name))
                yield RecordBatch(table.name, conform(with_times(rows, table), table, fill=False))

    def counters(self) -> Iterable[CounterSample]:
        """What the engine counted."""
        component = self._context.counters.component
        for (stage, reason), value in sorted(self._engine.counters().items()):
            yield CounterSample(component, stage, reason, _unit(reason), value)

    def explain(self, flow_id: int) -> Sequence[Mapping[str, Any]]:
        """How the flow's protocol was inferred, a mapping a step."""
        steps: list[Mapping[str, Any]] = []
        for line in self._engine.explain(flow_id):
            values: dict[str, Any] = dict(zip(_STEP, line.split("\t"), strict=False))
            steps.append({**values, "time_ns": int(values["time_ns"]), "offset": int(values["offset"])})
        return steps


def _unit(reason: str) -> str:
    return next(
        (unit for unit in ("bytes", "packets", "frames", "flows", "blocks", "batches", "segments") if unit in reason),
        "events",
    )

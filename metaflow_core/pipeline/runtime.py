"""Everything that runs: builds and starts all; supervises; stops in order; reloads with roll-back.

Belongs to one event loop. Knows components only by their protocols.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from metaflow_core.api.clock import Clock, SystemClock
from metaflow_core.api.counters import Counters, CounterSample
from metaflow_core.api.identity import ComponentId, Kind
from metaflow_core.config.loaded import LoadedConfig, PipelineConfig
from metaflow_core.config.sections import OnError, StartupError
from metaflow_core.errors import ComponentError, MetaFlowError, StartError
from metaflow_core.hooks.host import PluginHost
from metaflow_core.model.catalog import Catalog
from metaflow_core.pipeline.board import StatusBoard, UnitKey
from metaflow_core.pipeline.builder import Builder, refuse_conflicts, waves
from metaflow_core.pipeline.faults import SupervisionPolicy
from metaflow_core.pipeline.generation import Generation, early, is_live
from metaflow_core.pipeline.line import Line
from metaflow_core.pipeline.source import Source
from metaflow_core.pipeline.tap import Tap
from metaflow_core.pipeline.unit import Unit, sentence

__all__ = ["Runtime"]

_STOP_ORDER = (Kind.SERVICE, Kind.DIALECT, Kind.ENGINE, Kind.TAGGER, Kind.EXPORTER, Kind.STORAGE)


class Runtime:
    """A configuration at work.

    :param services: shared objects for components; see :class:`~metaflow_core.api.BuildContext`.
    """

    def __init__(
        self,
        loaded: LoadedConfig,
        host: PluginHost,
        catalog: Catalog,
        *,
        clock: Clock | None = None,
        policy: SupervisionPolicy | None = None,
        services: Mapping[str, object] | None = None,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.policy = policy or SupervisionPolicy()
        self.board = StatusBoard(self.clock, host.notify_status, self.policy.notify_s)
        self.builder = Builder(
            host, catalog, self.clock, self.board, policy=self.policy, services=services or {}, flush=self.flush
        )
        self.generation = Generation(loaded)
        self.taps: dict[str, list[Tap]] = {}
        self._pipeline_counters: dict[str, Counters] = {}
        self._run_id = uuid.uuid4().hex
        self._failure: BaseException | None = None
        self._changed = asyncio.Event()
        self._background: set[asyncio.Task[Any]] = set()
        self._logger = logging.getLogger("metaflow.pipeline")

    @property
    def loaded(self) -> LoadedConfig:
        """The configuration in force."""
        return self.generation.loaded

    async def start(self) -> None:
        """Build and start every component. What a store and a capture need goes on beside, and a pipeline of them works as soon as they are
        there; what answers questions, and what others send to, is built meanwhile and starts when there is a store.

        :raises ComponentError: one cannot be built or started, and its ``startup_error`` is ``fail``; what was started
            before it was stopped again.
        """
        self.board.bind(asyncio.get_running_loop())
        units = self.generation.units
        try:
            await self._start_all(units)
        except BaseException:
            await self.stop()
            raise
        self._begin(self.loaded.pipelines.values())
        self._changed.set()

    def _begin(self, pipelines: Iterable[PipelineConfig]) -> None:
        """Let pipelines work whose components have started; those that do already are passed over."""
        generation = self.generation
        fresh = [pipeline for pipeline in pipelines if pipeline.name not in generation.lines]
        for pipeline in fresh:
            generation.lines[pipeline.name] = self.make_line(generation, pipeline)
        for pipeline in fresh:
            generation.lines[pipeline.name].start()
        for key, unit in generation.units.items():
            is_new = key[0] is Kind.COLLECTOR and unit.config.id not in generation.sources
            if is_new and any(unit.config.id in pipeline.collectors for pipeline in fresh):
                self.make_source(generation, unit).start()

    async def _start_all(self, units: dict[UnitKey, Unit]) -> None:
        first, then = waves(self.loaded)
        wrong: list[ComponentError] = []
        for key in first:
            self._build(self.loaded, key, units, wrong)
        refuse_conflicts(units.values())
        # they open files and sockets and load programs into the kernel, mostly in threads: building the rest is imports of Python
        starting = asyncio.ensure_future(self._start_first([] if wrong else list(units.values())))
        try:
            for key in then:
                await asyncio.sleep(0)
                self._build(self.loaded, key, units, wrong)
        finally:
            await starting
        if wrong:
            raise _together(wrong)
        refuse_conflicts(units.values())
        await self.start_units(units[key] for key in then if key in units)

    async def _start_first(self, units: Sequence[Unit]) -> None:
        """Start what needs no other, and let rows come while the rest is built."""
        await self._start_together(units)
        self._begin(early(self.loaded, (unit.key for unit in units)))

    async def _start_together(self, units: Sequence[Unit]) -> None:
        """Start units side by side.

        :raises ComponentError: of the first in order that cannot start and must; all others have come to their end by then.
        """
        for outcome in await asyncio.gather(*(self.start_units([unit]) for unit in units), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    def build_units(
        self, loaded: LoadedConfig, keys: Iterable[UnitKey], *, is_shown: bool = True
    ) -> dict[UnitKey, Unit]:
        """Build units; nothing is started.

        :param is_shown: whether their states are on the board at once; those of a reload only when they take over.

        :raises ComponentError: the sentences of all that cannot be built.
        """
        units: dict[UnitKey, Unit] = {}
        wrong: list[ComponentError] = []
        for key in keys:
            self._build(loaded, key, units, wrong, is_shown=is_shown)
        if wrong:
            raise _together(wrong)
        return units

    def _build(
        self,
        loaded: LoadedConfig,
        key: UnitKey,
        units: dict[UnitKey, Unit],
        wrong: list[ComponentError],
        *,
        is_shown: bool = True,
    ) -> None:
        unit = self.builder.unit(loaded, key)
        unit.on_quarantine = self._quarantined
        unit.is_shown = is_shown
        try:
            unit.build()
        except ComponentError as error:
            if unit.config.startup_error is StartupError.FAIL:
                wrong.append(error)
                return
            self._tolerate(unit, error)
        units[key] = unit

    async def start_units(self, units: Iterable[Unit]) -> None:
        """Start units in order.

        :raises ComponentError: one cannot start and must; those before it are still running.
        """
        for unit in units:
            if unit.is_dead or unit.component is None:
                continue
            try:
                await unit.start()
            except ComponentError as error:
                if unit.config.startup_error is StartupError.FAIL:
                    raise
                self._tolerate(unit, error)

    def _tolerate(self, unit: Unit, error: BaseException) -> None:
        """``startup_error`` of retry or ignore."""
        self._logger.warning("%s.", error)
        if unit.config.startup_error is StartupError.IGNORE:
            unit.leave_out(sentence(error))
        else:
            self.spawn(unit.retry_start())

    def spawn(self, work: Any) -> None:
        """Run something beside, until the runtime stops."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def make_line(self, generation: Generation, pipeline: PipelineConfig) -> Line:
        """A pipeline over the units of a generation; not started."""
        sinks = [
            *(generation.unit(Kind.STORAGE, cid) for cid in pipeline.storages),
            *(generation.unit(Kind.EXPORTER, cid) for cid in pipeline.exporters),
        ]
        return Line(
            pipeline,
            generation.unit(Kind.ENGINE, pipeline.engine, pipeline.name) if pipeline.engine is not None else None,
            [generation.unit(Kind.TAGGER, cid) for cid in pipeline.taggers],
            sinks,
            taps=self.taps.setdefault(pipeline.name, []),
            counters=self._pipeline_counters.setdefault(pipeline.name, Counters(f"pipeline.{pipeline.name}")),
            clock=self.clock,
            policy=self.policy,
            is_live=is_live(generation.loaded, pipeline),
            batch_prefix=f"{self._run_id}-{pipeline.name}-{generation.number}",
            on_error=self.fail,
        )

    def make_source(self, generation: Generation, unit: Unit) -> Source:
        """A collector at work over the lines of a generation; not started."""
        cid = unit.config.id
        source = Source(unit, generation.lines_of(cid))
        generation.sources[cid] = source
        return source

    def fail(self, error: BaseException) -> None:
        """The app cannot go on; :meth:`wait` raises it."""
        if self._failure is None:
            self._failure = error
        self._changed.set()

    def wake(self) -> None:
        """The generation changed; :meth:`wait` looks again."""
        self._changed.set()

    def _quarantined(self, unit: Unit, error: BaseException) -> None:
        for pipeline in self.loaded.pipelines.values():
            if pipeline.on_error is OnError.FAIL and unit.config.key in set(pipeline.keys()):
                failure = ComponentError(
                    f"{unit.path}: keeps failing, and pipeline {pipeline.name} has on_error: fail: {sentence(error)}"
                )
                failure.__cause__ = error
                self.fail(failure)
                return

    async def wait(self) -> None:
        """Until every pipeline has ended (files were read to their end); for ever where a service or live collector runs.

        :raises ComponentError: a component kept failing and its pipeline has ``on_error: fail``.
        """
        while True:
            if self._failure is not None:
                raise self._failure
            has_services = any(
                key[0] is Kind.SERVICE and not unit.is_dead for key, unit in self.generation.units.items()
            )
            lines = list(self.generation.lines.values())
            pending = [line for line in lines if not line.finished.is_set()]
            if not pending and not any(line.is_leaving for line in lines) and not has_services:
                return
            self._changed.clear()
            waits = [asyncio.ensure_future(line.finished.wait()) for line in pending]
            waits.append(asyncio.ensure_future(self._changed.wait()))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()

    async def stop(self) -> list[str]:
        """Stop everything: services first, then collectors, then what is inside flows out, then the rest in its order.

        Idempotent; never raises. Returns sentences about what went wrong.
        """
        generation, self.generation = self.generation, Generation(self.loaded, self.generation.number)
        timeout = generation.loaded.service.stop_timeout_s
        wrong: list[str] = []
        for task in list(self._background):
            task.cancel()
        if self._background:
            await asyncio.wait(list(self._background), timeout=1.0)
        await self._stop_kind(generation, Kind.SERVICE, wrong)
        await asyncio.gather(*(source.stop(timeout) for source in generation.sources.values()))
        most = generation.loaded.service.drain_timeout_s
        await asyncio.gather(*(line.drain(timeout, most) for line in generation.lines.values()))
        for taps in self.taps.values():
            for tap in taps:
                tap.end()
        for kind in (Kind.COLLECTOR, *_STOP_ORDER[1:]):
            await self._stop_kind(generation, kind, wrong)
        self.board.bind(None)
        self._changed.set()
        return wrong

    async def _stop_kind(self, generation: Generation, kind: Kind, wrong: list[str]) -> None:
        units = [unit for key, unit in generation.units.items() if key[0] is kind]
        for unit, said in zip(units, await asyncio.gather(*(unit.stop() for unit in units)), strict=True):
            if said:
                wrong.append(f"{unit.path}: {said}")

    async def flush(self, storage: ComponentId, tables: Collection[str] | None) -> None:
        """What waits in pipelines for tables of a storage is stored when this returns; see :data:`metaflow_core.api.Flush`."""
        lines = [line for line in self.generation.lines.values() if storage in line.config.storages]
        await asyncio.gather(*(line.flush(tables) for line in lines))

    def tap(
        self,
        pipeline: str,
        max_batches: int = 256,
        *,
        tables: Collection[str] | None = None,
        tagged: bool = True,
        patience_s: float = 0.0,
    ) -> Tap:
        """A bounded copy of a pipeline's records.

        :raises MetaFlowError: there is no such pipeline.
        """
        if pipeline not in self.loaded.pipelines:
            names = ", ".join(self.loaded.pipelines) or "none"
            raise MetaFlowError(f"there is no pipeline {pipeline!r}; configured are: {names}")
        taps = self.taps.setdefault(pipeline, [])
        counters = self._pipeline_counters.setdefault(f"tap {pipeline}", Counters(f"tap.{pipeline}"))

        def forget(tap: Tap) -> None:
            if tap in taps:
                taps.remove(tap)

        tap = Tap(counters, forget, max_batches, tables=tables, is_tagged=tagged, patience_s=patience_s)
        taps.append(tap)
        line = self.generation.lines.get(pipeline)
        if line is not None and line.finished.is_set() and not line.is_leaving:
            tap.end()
        return tap

    async def explain(self, flow_id: int) -> list[Mapping[str, Any]]:
        """What every pipeline's engine knows of how a flow was recognised."""
        found: list[Mapping[str, Any]] = []
        for line in self.generation.lines.values():
            unit = line.engine
            if unit is not None and unit.is_usable and unit.worker is not None:
                found.extend(await unit.worker.run(unit.component.explain, flow_id))
        return found

    def stats(self) -> list[CounterSample]:
        """Every counter, sorted. Safe from any thread."""
        counters = [*list(self.builder.counters.values()), *list(self._pipeline_counters.values())]
        return sorted(sample for each in counters for sample in each.samples())

    def status(self) -> list[dict[str, Any]]:
        """The state of every component. Safe from any thread."""
        return [
            {
                "kind": status.kind.value,
                "id": str(status.id),
                "pipeline": key[2],
                "state": status.state.value,
                "message": status.message,
                "since_ns": status.since_ns,
                "restarts": status.restarts,
            }
            for key, status in self.board.snapshot()
        ]

    def readable_storage(self, dialect: ComponentId) -> Unit:
        """The storage that a dialect asks.

        :raises MetaFlowError: there is none, or several and the configuration names none.
        """
        component = self.loaded.components[(Kind.DIALECT, dialect)]
        units = {unit.config.id: unit for unit in _readable(self.generation)}
        if component.storage is not None:
            return units[component.storage]
        if len(units) == 1:
            return next(iter(units.values()))
        names: Sequence[str] = [str(cid) for cid in units]
        if not units:
            raise MetaFlowError(
                f"dialects.{dialect}: no storage that can be read is configured; add one under storages"
            )
        raise MetaFlowError(
            f"dialects.{dialect}: there are several storages ({', '.join(names)}); name one: "
            f"dialects: {{{dialect}: {{_storage: {names[0]}}}}}"
        )


def _together(wrong: Sequence[ComponentError]) -> ComponentError:
    """One error for all that is wrong."""
    return wrong[0] if len(wrong) == 1 else StartError("; ".join(str(error) for error in wrong))


def _readable(generation: Generation) -> list[Unit]:
    from metaflow_core.api.factories import StorageFactory

    return [
        unit
        for key, unit in generation.units.items()
        if key[0] is Kind.STORAGE
        and isinstance(unit.config.factory, StorageFactory)
        and "read" in unit.config.factory.roles
    ]

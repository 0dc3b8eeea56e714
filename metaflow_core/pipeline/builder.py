"""From the configuration to components: each gets its context, engines get their parsers. Nothing is started."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from metaflow_core.api.clock import Clock
from metaflow_core.api.context import BuildContext, Resource, StatusReport
from metaflow_core.api.counters import Counters
from metaflow_core.api.factories import CollectorFactory
from metaflow_core.api.identity import ComponentId, Kind
from metaflow_core.api.ids import IdBook
from metaflow_core.api.parsing import ParserBinding
from metaflow_core.config.components import PluginView
from metaflow_core.config.loaded import ComponentConfig, LoadedConfig, PipelineConfig
from metaflow_core.config.sections import StartupError
from metaflow_core.errors import ComponentError, ConfigError, Problem, ResourceConflict
from metaflow_core.hooks.status import ComponentState
from metaflow_core.model.catalog import Catalog
from metaflow_core.pipeline.bindings import bind_parser
from metaflow_core.pipeline.board import StatusBoard, UnitKey
from metaflow_core.pipeline.faults import SupervisionPolicy
from metaflow_core.pipeline.refining import refined, with_bodies
from metaflow_core.pipeline.unit import Unit

__all__ = ["Builder", "check_build", "conflicts", "refuse_conflicts", "same", "unit_keys", "waves"]

_NOTHING: Mapping[str, object] = {}


def unit_keys(loaded: LoadedConfig) -> Iterator[UnitKey]:
    """Every running component of a configuration in the order in which they start: what takes data in comes first.

    Parsers live inside engines, and every pipeline has an engine of its own; a dialect or service runs because it is
    configured, the others because a pipeline or a dialect names them.
    """
    pipelines = list(loaded.pipelines.values())
    used = {key for pipeline in pipelines for key in pipeline.keys()}  # noqa: SIM118 - a method of ours
    has_dialects = any(component.kind is Kind.DIALECT for component in loaded.components.values())
    for kind in (Kind.STORAGE, Kind.EXPORTER, Kind.TAGGER):
        for component in loaded.of_kind(kind):
            if component.key in used or (kind is Kind.STORAGE and has_dialects):
                yield kind, component.id, ""
    for pipeline in pipelines:
        if pipeline.engine is not None:
            yield Kind.ENGINE, pipeline.engine, pipeline.name
    for kind in (Kind.DIALECT, Kind.SERVICE):
        for component in loaded.of_kind(kind):
            yield kind, component.id, ""
    for component in loaded.of_kind(Kind.COLLECTOR):
        if component.key in used:
            yield Kind.COLLECTOR, component.id, ""


def waves(loaded: LoadedConfig) -> tuple[list[UnitKey], list[UnitKey]]:
    """The keys of :func:`unit_keys`: those that need no other component to start, and those that start after them.

    What an engine reads is in the first: packets that come before the store is open wait in the kernel's ring. A receiver of ready records
    is in the second, for its senders are better told that nobody is there yet.
    """
    first: list[UnitKey] = []
    then: list[UnitKey] = []
    for key in unit_keys(loaded):
        kind, cid, _ = key
        waits = kind in (Kind.DIALECT, Kind.SERVICE)
        if kind is Kind.COLLECTOR:
            factory = loaded.components[(kind, cid)].factory
            waits = not isinstance(factory, CollectorFactory) or "records" in factory.emits
        (then if waits else first).append(key)
    return first, then


class Builder:
    """Makes units.

    :param services: shared objects for components, by name; see :class:`BuildContext`.
    :param flush: has written what waits for tables of a storage.
    """

    def __init__(
        self,
        host: PluginView,
        catalog: Catalog,
        clock: Clock,
        board: StatusBoard,
        *,
        policy: SupervisionPolicy | None = None,
        services: Mapping[str, object] = _NOTHING,
        flush: Callable[[ComponentId, Collection[str] | None], Awaitable[None]] | None = None,
    ) -> None:
        self._host = host
        self._catalog = catalog
        self._clock = clock
        self._board = board
        self._policy = policy or SupervisionPolicy()
        self._services = services
        self._flush = flush
        self._books: dict[Path | None, IdBook] = {}
        self.counters: dict[str, Counters] = {}

    def unit(self, loaded: LoadedConfig, key: UnitKey) -> Unit:
        """A unit for one key; not built yet."""
        kind, cid, pipeline = key
        config = loaded.components[(kind, cid)]
        label = f"{kind}.{cid}"
        if kind is Kind.ENGINE and sum(each.engine == cid for each in loaded.pipelines.values()) > 1:
            # each pipeline has its own engine; their counts must not run into one another
            label = f"{label}@{pipeline}"
        counters = self.counters.setdefault(label, Counters(label))

        def report(state: str, said: str) -> None:
            unit.reported(state, said)

        context = self._context(loaded, config, counters, report)

        def make() -> Any:
            factory: Any = config.factory
            if kind is Kind.ENGINE:
                bindings = self.bindings(loaded, loaded.pipelines[pipeline])
                return factory.create(context, config.config, bindings)
            return factory.create(context, config.config)

        unit: Unit = Unit(
            key,
            config,
            make,
            counters=counters,
            board=self._board,
            clock=self._clock,
            policy=self._policy,
            stop_timeout_s=loaded.service.stop_timeout_s,
        )
        return unit

    def bindings(self, loaded: LoadedConfig, pipeline: PipelineConfig) -> list[ParserBinding]:
        """The parsers of a pipeline, in their order of priority.

        :raises ComponentError: one cannot be used; the sentences of all that cannot.
        """
        found: list[ParserBinding] = []
        wrong: list[ComponentError] = []
        refiners = [loaded.components[(Kind.REFINER, each)] for each in pipeline.refiners]
        for cid in pipeline.parsers:
            component = loaded.components[(Kind.PARSER, cid)]
            try:
                component = with_bodies(component, refiners)
                bound = bind_parser(component, self._host)
                found.append(refined(bound, component, refiners, self._host, self._counters_of_refiner))
            except ComponentError as error:
                # one that somebody gave options to is wanted, and the options may be what is wrong
                unwanted = cid in pipeline.optional and not component.config.model_fields_set
                if unwanted or component.startup_error is StartupError.IGNORE:
                    # on the board, so that nobody wonders where the protocol went
                    self._board.set((Kind.PARSER, cid, pipeline.name), ComponentState.FAILED, str(error))
                    continue
                wrong.append(error)
            else:
                self._board.set(
                    (Kind.PARSER, cid, pipeline.name), ComponentState.RUNNING, f"runtime {found[-1].runtime}"
                )
        if len(wrong) == 1:
            raise wrong[0]
        if wrong:
            raise ComponentError("; ".join(str(error) for error in wrong))
        return found

    def _counters_of_refiner(self, name: str) -> Counters:
        label = f"{Kind.REFINER}.{name}"
        return self.counters.setdefault(label, Counters(label))

    def _context(
        self, loaded: LoadedConfig, config: ComponentConfig, counters: Counters, report: StatusReport
    ) -> BuildContext:
        folder: Path | None = loaded.service.data_dir
        book = folder.expanduser() / "ids.json" if folder is not None else None
        if folder is not None:
            folder = folder.expanduser() / config.kind.value / str(config.id).replace("/", "-")
        more: dict[str, Any] = {}
        if self._flush is not None and config.kind is Kind.STORAGE:
            more["flush"] = partial(self._flush, config.id)
        return BuildContext(
            **more,
            kind=config.kind,
            id=config.id,
            catalog=self._catalog,
            logger=logging.getLogger(f"metaflow.{config.kind}.{config.id}"),
            counters=counters,
            clock=self._clock,
            report=report,
            data_dir=folder,
            services=self._services,
            # a reload keeps the book; numbers on rows of the past stay what they were
            ids=self._books.setdefault(book, IdBook(book)),
        )


def conflicts(units: Iterable[Unit]) -> list[tuple[Unit, Unit, Resource]]:
    """Pairs of units that want the same thing."""
    claims: list[tuple[Unit, Resource]] = []
    found: list[tuple[Unit, Unit, Resource]] = []
    for unit in units:
        for resource in unit.resources():
            rival = next((other for other, held in claims if other is not unit and same(held, resource)), None)
            if rival is not None:
                found.append((rival, unit, resource))
            claims.append((unit, resource))
    return found


def same(one: Resource, other: Resource) -> bool:
    """Whether two resources are the same thing; an address of all interfaces overlaps any other with that port."""
    if one.kind != other.kind:
        return False
    if one.name == other.name:
        return not (one.kind in ("tcp", "udp") and one.name.endswith(":0"))
    if one.kind not in ("tcp", "udp"):
        return False
    (host, _, port), (host2, _, port2) = one.name.rpartition(":"), other.name.rpartition(":")
    return port == port2 != "0" and bool({host.strip("[]"), host2.strip("[]")} & {"", "*", "0.0.0.0", "::"})  # noqa: S104


def check_build(loaded: LoadedConfig, builder: Builder) -> None:
    """Build everything once (of engines the parsers), start nothing, and see whether two components want the same port, file or device.

    :raises ConfigError: with every problem.
    """
    problems: list[Problem] = []
    units: list[Unit] = []
    for key in unit_keys(loaded):
        unit = builder.unit(loaded, key)
        try:
            if key[0] is Kind.ENGINE:
                # an engine takes memory when it is made; all that can be wrong with it is its parsers
                builder.bindings(loaded, loaded.pipelines[key[2]])
                continue
            unit.build()
            unit.resources()
        except ComponentError as error:
            if unit.config.startup_error is StartupError.FAIL:
                text = str(error).removeprefix(f"{unit.path}: ")
                problems.append(Problem(unit.path, text, unit.config.file, unit.config.line))
            continue
        units.append(unit)
    for rival, unit, resource in conflicts(units):
        problems.append(Problem(unit.path, _conflict(rival, resource), unit.config.file, unit.config.line))
    if problems:
        raise ConfigError(problems)


def _conflict(rival: Unit, resource: Resource) -> str:
    place = f" ({rival.config.file}:{rival.config.line})" if rival.config.line is not None else ""
    return f"wants {resource}, which {rival.path}{place} has already; give one of them another"


def refuse_conflicts(units: Iterable[Unit]) -> None:
    """As :func:`conflicts`, for units about to start.

    :raises ResourceConflict: naming every pair.
    """
    found = conflicts(units)
    if found:
        raise ResourceConflict(
            "; ".join(f"{unit.path}: {_conflict(rival, resource)}" for rival, unit, resource in found)
        )

"""A configuration that was read, checked and found right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from metaflow_core.api.config import Config
from metaflow_core.api.factories import Factory
from metaflow_core.api.identity import ComponentId, Kind
from metaflow_core.config.sections import (
    VERSION,
    GatherSection,
    OnError,
    PluginsSection,
    QueueSection,
    ServiceSection,
    StartupError,
)
from metaflow_core.errors import Problem

__all__ = ["ComponentConfig", "ComponentKey", "LoadedConfig", "PipelineConfig"]

ComponentKey: TypeAlias = tuple[Kind, ComponentId]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentConfig:
    """One component.

    :ivar kind: its kind. :ivar id: its id. :ivar factory: what builds it. :ivar config: its options, checked.
    :ivar startup_error: what to do when it cannot start.
    :ivar storage: for dialects, the storage that is asked; None when it is the only readable one.
    :ivar stamp: of a parser's WebAssembly file, so that a reload takes over another build of it; other code is never
        reloaded.
    :ivar file: where its section stands, :ivar line: there; None for a component that is only named in a pipeline.
    """

    kind: Kind
    id: ComponentId
    factory: Factory
    config: Config
    startup_error: StartupError = StartupError.FAIL
    storage: ComponentId | None = None
    stamp: str = ""
    file: str | None = field(default=None, compare=False)
    line: int | None = field(default=None, compare=False)

    @property
    def key(self) -> ComponentKey:
        """Kind and id."""
        return self.kind, self.id

    @property
    def path(self) -> str:
        """Its place in the configuration, e.g. ``storages.memory/a``."""
        return f"{self.kind.section}.{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """One pipeline; every id names a component of :attr:`LoadedConfig.components`.

    :ivar optional: parsers that nobody named or configured ('*' brought them in): one that cannot be used here is left
        out, where a named one is a mistake.
    """

    name: str
    collectors: tuple[ComponentId, ...]
    engine: ComponentId | None = None
    parsers: tuple[ComponentId, ...] = ()
    refiners: tuple[ComponentId, ...] = ()
    taggers: tuple[ComponentId, ...] = ()
    storages: tuple[ComponentId, ...] = ()
    exporters: tuple[ComponentId, ...] = ()
    queue: QueueSection = field(default_factory=QueueSection)
    gather: GatherSection = field(default_factory=GatherSection)
    on_error: OnError = OnError.ISOLATE
    optional: frozenset[ComponentId] = field(default=frozenset(), compare=False)

    def keys(self) -> Iterator[ComponentKey]:
        """Every component of the pipeline, in the order in which the data meets them."""
        yield from ((Kind.COLLECTOR, cid) for cid in self.collectors)
        if self.engine is not None:
            yield Kind.ENGINE, self.engine
        yield from ((Kind.PARSER, cid) for cid in self.parsers)
        yield from ((Kind.REFINER, cid) for cid in self.refiners)
        yield from ((Kind.TAGGER, cid) for cid in self.taggers)
        yield from ((Kind.STORAGE, cid) for cid in self.storages)
        yield from ((Kind.EXPORTER, cid) for cid in self.exporters)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedConfig:
    """The whole configuration.

    :ivar components: every component, configured or only named in a pipeline.
    :ivar pipelines: by name, in the order of the file.
    :ivar warnings: what is allowed but probably not meant.
    :ivar files: the files it was read from.
    """

    components: Mapping[ComponentKey, ComponentConfig]
    pipelines: Mapping[str, PipelineConfig]
    plugins: PluginsSection = field(default_factory=PluginsSection)
    service: ServiceSection = field(default_factory=ServiceSection)
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    files: tuple[str, ...] = field(default=(), compare=False)
    version: int = VERSION

    def of_kind(self, kind: Kind) -> Iterator[ComponentConfig]:
        """The components of one kind, in the order of the file."""
        return (component for component in self.components.values() if component.kind is kind)

    def dump(self) -> dict[str, Any]:
        """Everything that is in force, defaults included, as maps and lists; secrets are stars."""
        result: dict[str, Any] = {"version": self.version, "plugins": self.plugins.model_dump(mode="json")}
        for component in self.components.values():
            options = component.config.model_dump(mode="json")
            if component.startup_error is not self.service.startup_error:
                options["_startup_error"] = component.startup_error.value
            if component.storage is not None and "storage" not in options:
                options["_storage"] = str(component.storage)
            result.setdefault(component.kind.section, {})[str(component.id)] = options
        result["pipelines"] = {name: _pipeline(pipeline) for name, pipeline in self.pipelines.items()}
        result["service"] = self.service.model_dump(mode="json")
        return result


def _pipeline(pipeline: PipelineConfig) -> dict[str, Any]:
    return {
        "collectors": [str(cid) for cid in pipeline.collectors],
        "engine": str(pipeline.engine) if pipeline.engine is not None else None,
        "parsers": [str(cid) for cid in pipeline.parsers],
        "refiners": [str(cid) for cid in pipeline.refiners],
        "taggers": [str(cid) for cid in pipeline.taggers],
        "storages": [str(cid) for cid in pipeline.storages],
        "exporters": [str(cid) for cid in pipeline.exporters],
        "queue": pipeline.queue.model_dump(mode="json"),
        "gather": pipeline.gather.model_dump(mode="json"),
        "on_error": pipeline.on_error.value,
    }

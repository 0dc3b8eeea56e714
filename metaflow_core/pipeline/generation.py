"""The components and pipelines that run now, from one configuration; a reload makes the next generation from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from metaflow_core.api.factories import CollectorFactory
from metaflow_core.api.identity import ComponentId, Kind
from metaflow_core.config.loaded import LoadedConfig, PipelineConfig
from metaflow_core.pipeline.board import UnitKey
from metaflow_core.pipeline.builder import unit_keys
from metaflow_core.pipeline.line import Line
from metaflow_core.pipeline.source import Source
from metaflow_core.pipeline.unit import Unit

__all__ = ["Generation", "early", "is_live", "plan_rebuild"]


@dataclass(slots=True)
class Generation:
    """What runs. :ivar number: counts reloads, from 1."""

    loaded: LoadedConfig
    number: int = 1
    units: dict[UnitKey, Unit] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    sources: dict[ComponentId, Source] = field(default_factory=dict)

    def unit(self, kind: Kind, cid: ComponentId, pipeline: str = "") -> Unit:
        """A unit by its key."""
        return self.units[(kind, cid, pipeline)]

    def lines_of(self, collector: ComponentId) -> list[Line]:
        """The pipelines that a collector feeds."""
        return [line for line in self.lines.values() if collector in line.config.collectors]


def is_live(loaded: LoadedConfig, pipeline: PipelineConfig) -> bool:
    """Whether a pipeline's time is now: none of its collectors reads files."""
    for cid in pipeline.collectors:
        factory = loaded.components[(Kind.COLLECTOR, cid)].factory
        if isinstance(factory, CollectorFactory) and factory.files is not None:
            return False
    return True


def early(loaded: LoadedConfig, there: Iterable[UnitKey]) -> list[PipelineConfig]:
    """The live pipelines that need nothing but units that have started, and whose collectors feed no other pipeline.

    Those of files wait for everything: who starts them expects all of their rows.
    """
    started = {key[:2] for key in there}
    inside = (Kind.PARSER, Kind.REFINER)
    ready: list[PipelineConfig] = []
    late: set[ComponentId] = set()
    for pipeline in loaded.pipelines.values():
        needs = {key for key in pipeline.keys() if key[0] not in inside}  # noqa: SIM118 - a method of ours
        if is_live(loaded, pipeline) and needs <= started:
            ready.append(pipeline)
        else:
            late.update(pipeline.collectors)
    while any(late.intersection(pipeline.collectors) for pipeline in ready):
        for pipeline in [each for each in ready if late.intersection(each.collectors)]:
            ready.remove(pipeline)
            late.update(pipeline.collectors)
    return ready


def plan_rebuild(old: LoadedConfig, new: LoadedConfig) -> tuple[set[UnitKey], set[str]]:
    """What a reload must build anew: changed components and everything upstream of them in their pipelines.

    :returns: keys of the new configuration to build, and names of pipelines to set up again. What is in neither stays
        as it is, untouched.
    """
    old_keys, new_keys = set(unit_keys(old)), set(unit_keys(new))
    rebuild = new_keys - old_keys
    rebuild |= {key for key in new_keys & old_keys if old.components[key[:2]] != new.components[key[:2]]}
    lines: set[str] = set()
    # a collector that is shared carries the change to another pipeline's first stage, so go on until nothing is added
    while True:
        before = len(rebuild), len(lines)
        for name, pipeline in new.pipelines.items():
            if name not in old.pipelines:
                # nothing runs here yet: what it shares with others is simply joined
                lines.add(name)
                continue
            stages = list(_stages(pipeline))
            last = _last_change(name, stages, rebuild, old, new)
            if last < 0:
                continue
            for stage in stages[:last]:
                rebuild |= set(stage)
            if last > 0:
                lines.add(name)
        if before == (len(rebuild), len(lines)):
            break
    for name in lines:
        engine = new.pipelines[name].engine
        if engine is not None:
            rebuild.add((Kind.ENGINE, engine, name))
    return rebuild, lines


def _stages(pipeline: PipelineConfig) -> Iterable[list[UnitKey]]:
    yield [(Kind.COLLECTOR, cid, "") for cid in pipeline.collectors]
    yield [(Kind.ENGINE, pipeline.engine, pipeline.name)] if pipeline.engine is not None else []
    for cid in pipeline.taggers:
        yield [(Kind.TAGGER, cid, "")]
    yield [(Kind.STORAGE, cid, "") for cid in pipeline.storages] + [
        (Kind.EXPORTER, cid, "") for cid in pipeline.exporters
    ]


def _last_change(
    name: str, stages: list[list[UnitKey]], rebuild: set[UnitKey], old: LoadedConfig, new: LoadedConfig
) -> int:
    """Position of the last stage in which something changed; -1 when nothing did."""
    before, pipeline = old.pipelines[name], new.pipelines[name]
    last = max((index for index, stage in enumerate(stages) if any(key in rebuild for key in stage)), default=-1)
    if (before.storages, before.exporters, before.taggers, before.queue, before.gather, before.on_error) != (
        pipeline.storages,
        pipeline.exporters,
        pipeline.taggers,
        pipeline.queue,
        pipeline.gather,
        pipeline.on_error,
    ):
        return len(stages) - 1
    parsers_changed = before.parsers != pipeline.parsers or any(
        old.components.get((Kind.PARSER, cid)) != new.components.get((Kind.PARSER, cid)) for cid in pipeline.parsers
    )
    if before.engine != pipeline.engine or parsers_changed:
        last = max(last, 1)
    if before.collectors != pipeline.collectors:
        last = max(last, 0)
        if len(before.collectors) != len(pipeline.collectors) or is_live(old, before) != is_live(new, pipeline):
            # the engine tells the collectors' sources apart by their position
            last = max(last, 1)
    return last

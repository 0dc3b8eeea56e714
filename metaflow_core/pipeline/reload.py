"""Reload by difference: only what changed and what stands upstream of it is built anew; a failure changes nothing."""

from __future__ import annotations

import logging
from dataclasses import replace

from metaflow_core.api.identity import Kind
from metaflow_core.config.diff import ConfigDiff, diff_configs
from metaflow_core.config.loaded import LoadedConfig
from metaflow_core.errors import ComponentError, ConfigError, MetaFlowError
from metaflow_core.pipeline.board import UnitKey
from metaflow_core.pipeline.builder import refuse_conflicts, same, unit_keys
from metaflow_core.pipeline.generation import Generation, plan_rebuild
from metaflow_core.pipeline.runtime import Runtime
from metaflow_core.pipeline.unit import Unit

__all__ = ["reload_runtime"]

_LOGGER = logging.getLogger("metaflow.reload")


async def reload_runtime(runtime: Runtime, new: LoadedConfig) -> ConfigDiff:
    """Take over a configuration that is already checked.

    The new components are built and started before the old ones stop, unless both want the same port, file or device;
    then the old ones stop first. If anything fails, the previous generation runs on, or is started again.

    :returns: what differed; an empty difference does nothing.
    :raises ConfigError: a section changed that needs a restart.
    :raises ComponentError: a component cannot be built or started; everything is as before.
    """
    old = runtime.generation
    diff = diff_configs(old.loaded, new)
    if diff.restart_needed:
        names = " and ".join(diff.restart_needed)
        raise ConfigError(
            f"{names} changed, which cannot be taken over while running; restart MetaFlow to use the new file"
        )
    if not diff:
        return diff
    rebuild, line_names = plan_rebuild(old.loaded, new)
    step = _Step(runtime, new, rebuild, line_names)
    if step.overlaps:
        await step.replace_after_stopping()
    else:
        await step.replace_before_stopping()
    return diff


class _Step:
    """One change of generation."""

    def __init__(self, runtime: Runtime, new: LoadedConfig, rebuild: set[UnitKey], line_names: set[str]) -> None:
        order = list(unit_keys(new))
        old = runtime.generation
        self._runtime = runtime
        self._old = old
        self._new = new
        self._line_names = line_names
        self._timeout_s = old.loaded.service.stop_timeout_s
        self._drain_s = old.loaded.service.drain_timeout_s
        self._fresh = runtime.build_units(new, [key for key in order if key in rebuild], is_shown=False)
        self._kept = {key: unit for key, unit in old.units.items() if key in order and key not in rebuild}
        self._going = {key: unit for key, unit in old.units.items() if key not in self._kept}
        refuse_conflicts([*self._kept.values(), *self._fresh.values()])

    @property
    def overlaps(self) -> bool:
        """Whether a new component wants what a leaving one holds."""
        held = [each for unit in self._going.values() if unit.component is not None for each in unit.resources()]
        wanted = [each for unit in self._fresh.values() if unit.component is not None for each in unit.resources()]
        return any(same(one, other) for one in wanted for other in held)

    async def replace_before_stopping(self) -> None:
        """Nothing overlaps: the old generation works until the new one has started."""
        try:
            await self._runtime.start_units(self._fresh.values())
        except BaseException:
            await self._stop_units(self._fresh)
            raise
        await self._stop_old()
        self._go_on(self._make(self._new, self._kept, self._fresh))

    async def replace_after_stopping(self) -> None:
        """Old and new want the same thing: stop, start, and on failure start the old ones again."""
        await self._stop_old()
        try:
            await self._runtime.start_units(self._fresh.values())
        except BaseException as error:
            await self._stop_units(self._fresh)
            await self._back(error)
            raise
        self._go_on(self._make(self._new, self._kept, self._fresh))

    async def _back(self, error: BaseException) -> None:
        _LOGGER.warning("The new configuration could not be started; going back to the previous one.")
        try:
            again = self._runtime.build_units(
                self._old.loaded, [key for key in unit_keys(self._old.loaded) if key in self._going]
            )
            await self._runtime.start_units(again.values())
        except MetaFlowError as second:
            failure = ComponentError(
                f"the new configuration could not be started ({error}), and neither could the previous one ({second})"
            )
            failure.__cause__ = error
            self._runtime.fail(failure)
            return
        generation = self._make(self._old.loaded, self._kept, again)
        generation.number = self._old.number
        self._go_on(generation)

    def _make(self, loaded: LoadedConfig, kept: dict[UnitKey, Unit], fresh: dict[UnitKey, Unit]) -> Generation:
        """The next generation: kept and fresh units in starting order, kept lines, new lines over them."""
        generation = Generation(loaded, self._old.number + 1)
        for key in unit_keys(loaded):
            unit = kept.get(key) or fresh.get(key)
            if unit is not None:
                generation.units[key] = unit
        for name, pipeline in loaded.pipelines.items():
            line = self._old.lines.get(name)
            if line is None or name in self._line_names:
                line = self._runtime.make_line(generation, pipeline)
            else:
                # only its collectors may differ; who is who is looked up by this
                line.config = replace(line.config, collectors=pipeline.collectors)
            generation.lines[name] = line
        return generation

    def _go_on(self, generation: Generation) -> None:
        runtime = self._runtime
        runtime.generation = generation
        for key, unit in generation.units.items():
            if self._old.units.get(key) is not unit:
                unit.show()
        for name, line in generation.lines.items():
            if self._old.lines.get(name) is not line:
                line.start()
        for key, unit in generation.units.items():
            if key[0] is not Kind.COLLECTOR:
                continue
            source = self._old.sources.get(key[1])
            if source is not None and source.unit is unit:
                source.lines = tuple(generation.lines_of(key[1]))
                generation.sources[key[1]] = source
            else:
                source = runtime.make_source(generation, unit)
                for line in source.lines:
                    line.source_added(key[1])
                source.start()
        runtime.wake()

    async def _stop_old(self) -> None:
        """Stop what goes, in the order of the data, and let what is inside flow out first."""
        for key, unit in self._going.items():
            unit.is_shown = key not in self._fresh
            if key[0] is Kind.SERVICE:
                await unit.stop()
        leaving = {name for name in self._old.lines if name in self._line_names or name not in self._new.pipelines}
        for cid, source in self._old.sources.items():
            if (Kind.COLLECTOR, cid, "") in self._kept:
                source.lines = tuple(line for line in source.lines if line.config.name not in leaving)
        for cid, source in list(self._old.sources.items()):
            if (Kind.COLLECTOR, cid, "") in self._going:
                await source.stop(self._timeout_s, is_replaced=True)
        for name, line in self._old.lines.items():
            line.is_leaving = name in leaving and name in self._new.pipelines
            if name in leaving:
                await line.drain(self._timeout_s, self._drain_s)
        await self._stop_units(self._going)
        new_keys = set(unit_keys(self._new))
        for key in self._going:
            if key not in new_keys:
                self._runtime.board.remove(key)

    async def _stop_units(self, units: dict[UnitKey, Unit]) -> None:
        # reversed starting order is the order of the data
        for unit in reversed(list(units.values())):
            await unit.stop()

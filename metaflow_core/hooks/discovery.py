"""Where plugins come from: installed distributions, single files, and objects handed over by a program."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from metaflow_core.api.factories import Factory
from metaflow_core.errors import PluginLoadError
from metaflow_core.hooks.info import PluginInfo, PluginState
from metaflow_core.hooks.markers import ENTRY_POINT_GROUP

__all__ = ["Candidate", "find_distributions", "find_files", "from_object"]

_GROUP_PREFIX = ENTRY_POINT_GROUP.rpartition(".v")[0] + ".v"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A plugin that was found but not yet imported."""

    name: str
    load: Callable[[], object]
    distribution: str = ""
    version: str = ""
    module: str = ""
    api: str = ENTRY_POINT_GROUP
    installed: bool = False

    @property
    def label(self) -> str:
        """Name, distribution and version, for sentences."""
        origin = f"{self.distribution} {self.version}".strip() or self.module
        return f"{self.name!r} ({origin})" if origin else repr(self.name)

    def info(
        self,
        state: PluginState,
        reason: str = "",
        *,
        remedy: str = "",
        trace: str = "",
        hooks: tuple[str, ...] = (),
        components: tuple[Factory, ...] = (),
    ) -> PluginInfo:
        """What is known of it, once its fate is settled."""
        return PluginInfo(
            name=self.name,
            distribution=self.distribution,
            version=self.version,
            module=self.module,
            api=self.api,
            state=state,
            reason=reason,
            remedy=remedy,
            traceback=trace,
            hooks=hooks,
            components=components,
        )


def find_distributions() -> list[Candidate]:
    """Every installed plugin of any interface version, sorted by name. Nothing is imported."""
    found: dict[tuple[str, str, str], Candidate] = {}
    points = importlib.metadata.entry_points()
    for group in sorted(points.groups):
        if not group.startswith(_GROUP_PREFIX):
            continue
        for point in points.select(group=group):
            distribution = point.dist.name if point.dist is not None else ""
            version = point.dist.version if point.dist is not None else ""
            found.setdefault(
                (point.name, distribution, group),
                Candidate(
                    name=point.name,
                    load=point.load,
                    distribution=distribution,
                    version=version,
                    module=point.value,
                    api=group,
                    installed=True,
                ),
            )
    return [found[key] for key in sorted(found)]


def find_files(folders: Iterable[str]) -> list[Candidate]:
    """Single-file plugins: every ``*.py`` of the folders that does not begin with an underscore, sorted.

    :raises PluginLoadError: a folder does not exist.
    """
    found: list[Candidate] = []
    for folder in folders:
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise PluginLoadError(f"plugins.paths: {str(path)!r} is not a folder; make it or take it out of the list")
        found.extend(
            Candidate(name=file.stem.replace("_", "-"), load=_file_loader(file), module=str(file))
            for file in sorted(path.glob("*.py"))
            if not file.name.startswith("_")
        )
    return found


def _file_loader(file: Path) -> Callable[[], ModuleType]:
    def load() -> ModuleType:
        name = f"metaflow_local_plugin_{file.stem}"
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise PluginLoadError(f"{file} cannot be imported as a Python module")
        module = importlib.util.module_from_spec(spec)
        # dataclasses and pickling look a module up by name while it is executed
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        return module

    return load


def from_object(plugin: object) -> Candidate:
    """A module or object that an embedding program hands over; its name is its ``__name__``."""
    name = getattr(plugin, "__name__", None) or type(plugin).__name__
    return Candidate(name=str(name), load=lambda: plugin, module=str(name))

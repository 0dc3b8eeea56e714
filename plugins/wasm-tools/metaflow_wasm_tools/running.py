"""Loading a project's module by the loader plugin that is installed, under the manifest's limits."""

from __future__ import annotations

from collections.abc import Callable

from metaflow_core.api import ArtifactLoader, Kind, ParserLimits, ParserRuntime
from metaflow_core.errors import InputError, PluginError
from metaflow_core.hooks.host import PluginHost
from metaflow_wasm_tools.project import Project

__all__ = ["load"]


def load(project: Project) -> Callable[[], ParserRuntime]:
    """What makes instances of the project's module, its options at their defaults.

    :raises InputError: it is not built. :raises PluginError: no loader is installed, or it refuses the module.
    """
    if not project.artifact.exists():
        raise InputError(f"{project.artifact} is not there; run: mflow wasm build {project.folder}")
    host = PluginHost()
    host.load()
    loaders = [item for item in host.factories(Kind.LOADER).values() if isinstance(item, ArtifactLoader)]
    loader = next((item for item in loaders if ".wasm" in item.suffixes), None)
    if loader is None:
        raise PluginError("no plugin loads .wasm files; run: pip install metaflow-loader-wasm")
    manifest = project.manifest
    options = {
        item.name: str(item.default).lower() if isinstance(item.default, bool) else str(item.default)
        for item in manifest.option
    }
    return loader.load(project.artifact, options, ParserLimits(**manifest.limits.model_dump()))

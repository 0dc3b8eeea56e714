"""The checks a plugin must pass, and the sentences for those that do not."""

from __future__ import annotations

import difflib
import importlib.metadata
import inspect
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from metaflow_core.api.factories import (
    ArtifactLoader,
    CollectorFactory,
    DialectFactory,
    EngineFactory,
    ExporterFactory,
    Factory,
    LinkRuleFactory,
    ParserFactory,
    RefinerFactory,
    ServiceFactory,
    StorageFactory,
    TaggerFactory,
)
from metaflow_core.errors import DuplicateComponent, PluginError, PluginLoadError
from metaflow_core.hooks.info import PluginInfo, PluginState
from metaflow_core.hooks.markers import ENTRY_POINT_GROUP, PROJECT

if TYPE_CHECKING:
    from metaflow_core.hooks.discovery import Candidate

COMPONENT_HOOKS: Mapping[str, type] = {
    "metaflow_loaders": ArtifactLoader,
    "metaflow_collectors": CollectorFactory,
    "metaflow_engines": EngineFactory,
    "metaflow_parsers": ParserFactory,
    "metaflow_taggers": TaggerFactory,
    "metaflow_storages": StorageFactory,
    "metaflow_dialects": DialectFactory,
    "metaflow_exporters": ExporterFactory,
    "metaflow_services": ServiceFactory,
    "metaflow_link_rules": LinkRuleFactory,
    "metaflow_refiners": RefinerFactory,
}
"""Hooks that return factories, and the factory each must return; loaders come first."""

_MARK = f"{PROJECT}_impl"
_FORBIDDEN = ("tryfirst", "trylast", "hookwrapper", "wrapper")


def implementations(plugin: object, name: str) -> None:
    """Refuse a plugin without hooks, with hooks that forgot ``@hookimpl``, async hooks, or hooks that want to be first.

    :raises PluginLoadError: with a sentence.
    """
    marked: list[str] = []
    forgotten: list[str] = []
    for attribute in dir(plugin):
        value = inspect.getattr_static(plugin, attribute, None)
        function = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        options: Mapping[str, Any] | None = getattr(function, _MARK, None)
        if options is None:
            if attribute.startswith(f"{PROJECT}_") and inspect.isroutine(function):
                forgotten.append(attribute)
            continue
        marked.append(attribute)
        if inspect.iscoroutinefunction(function):
            raise PluginLoadError(f"hook {attribute} is an 'async def'; hooks are synchronous, make it a plain 'def'")
        used = [flag for flag in _FORBIDDEN if options.get(flag)]
        if used and attribute in COMPONENT_HOOKS:
            raise PluginLoadError(
                f"hook {attribute} uses {', '.join(used)}; the order of plugins comes from the configuration alone"
            )
    if forgotten:
        raise PluginLoadError(f"{', '.join(forgotten)} lacks @hookimpl; decorate it with metaflow_core.hookimpl")
    if not marked:
        raise PluginLoadError(
            f"{name!r} implements no hook; a plugin is a module with functions decorated by metaflow_core.hookimpl"
        )


def unknown_hooks(manager: pluggy.PluginManager, name: str) -> str:
    """A sentence about misspelt hooks of one plugin, empty when there are none."""
    known = [attribute for attribute in vars(manager.hook) if getattr(manager.hook, attribute).has_spec()]
    sentences: list[str] = []
    for attribute, caller in vars(manager.hook).items():
        if caller.has_spec() or not any(item.plugin_name == name for item in caller.get_hookimpls()):
            continue
        near = difflib.get_close_matches(attribute, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; known hooks are {', '.join(sorted(known))}"
        sentences.append(f"there is no hook {attribute}{hint}")
    return "; ".join(sentences)


def hook_names(manager: pluggy.PluginManager, name: str) -> tuple[str, ...]:
    """The hooks that one plugin implements, sorted."""
    return tuple(
        sorted(
            attribute
            for attribute, caller in vars(manager.hook).items()
            if any(item.plugin_name == name for item in caller.get_hookimpls())
        )
    )


def factories(hook: str, returned: object) -> list[Factory]:
    """Check what a component hook returned.

    :raises PluginLoadError: it is not an iterable of the hook's factory.
    """
    expected = COMPONENT_HOOKS[hook]
    if returned is None:
        raise PluginLoadError(f"hook {hook} returned None; return a list of {expected.__name__}, it may be empty")
    if isinstance(returned, (str, bytes)) or not isinstance(returned, Iterable):
        raise PluginLoadError(f"hook {hook} returned {type(returned).__name__}; return a list of {expected.__name__}")
    found: list[Factory] = []
    for item in returned:
        if not isinstance(item, expected):
            shown = item.__name__ if isinstance(item, type) else type(item).__name__
            forgot = " (have you forgotten to make an instance?)" if isinstance(item, type) else ""
            raise PluginLoadError(f"hook {hook} returned a {shown}{forgot}; it may only return {expected.__name__}")
        found.append(item)  # type: ignore[arg-type]  # isinstance against a runtime class of the union
    return found


def incompatible(candidate: Candidate) -> tuple[str, str]:
    """Reason and remedy for a plugin of another interface version."""
    wanted, ours = candidate.api.rpartition(".")[2], ENTRY_POINT_GROUP.rpartition(".")[2]
    newer = _number(wanted) > _number(ours)
    remedy = (
        "upgrade metaflow-core, or install an older version of the plugin"
        if newer
        else "upgrade the plugin, or install an older metaflow-core"
    )
    return f"it was made for plugin interface {wanted}, this MetaFlow has {ours}", remedy


def _number(version: str) -> int:
    digits = re.sub(r"\D", "", version)
    return int(digits) if digits else 0


def reason(error: BaseException) -> str:
    """An exception as the end of a sentence."""
    if isinstance(error, PluginError):
        return str(error)
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def import_remedy(candidate: Candidate, error: BaseException) -> str:
    """What to do about a plugin that cannot be imported."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        return f"install the package that provides the module {top!r}, or disable the plugin: plugins.disable: [{candidate.name}]"
    if isinstance(error, PluginError):
        return f"correct the plugin, or disable it: plugins.disable: [{candidate.name}]"
    return f"upgrade or repair {candidate.distribution or candidate.module}, or disable it: plugins.disable: [{candidate.name}]"


def register_remedy(candidate: Candidate, error: BaseException) -> str:
    """What to do about a plugin that imports but cannot be registered."""
    if isinstance(error, DuplicateComponent):
        return "pick one under plugins.override, e.g. {parsers.NAME: " + candidate.name + "}, or disable one of the two"
    return f"correct the hook, or disable the plugin: plugins.disable: [{candidate.name}]"


def unknown_names(unknown: Collection[str], known: Sequence[str]) -> str:
    """A sentence about names under plugins.enable or plugins.disable that no plugin has."""
    parts = []
    for name in sorted(unknown):
        near = difflib.get_close_matches(name, known, n=1)
        parts.append(f"{name!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    return f"no such plugin: {', '.join(parts)}; found are: {', '.join(sorted(known)) or 'none'}"


def requirements(require: Iterable[str], infos: Sequence[PluginInfo]) -> None:
    """Check that required distributions are installed in the wanted versions and loaded.

    :raises PluginError: naming every one that is not.
    """
    wanted_ones = list(require)
    if not wanted_ones:
        # most ask for nothing, and the import is a tenth of a start
        return
    from packaging.requirements import InvalidRequirement, Requirement

    missing: list[str] = []
    failed = {info.distribution: info for info in infos if info.state is not PluginState.LOADED}
    for text in wanted_ones:
        try:
            wanted = Requirement(text)
        except InvalidRequirement as error:
            missing.append(f"{text!r} is not a requirement ({error}); write e.g. metaflow-parser-x>=0.3")
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(f"{wanted.name} is not installed; run: pip install '{text}'")
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            missing.append(
                f"{wanted.name} {version} is installed, {wanted.specifier} is required; run: pip install -U '{text}'"
            )
        if wanted.name in failed:
            missing.append(f"{wanted.name} is installed but {failed[wanted.name].state}: {failed[wanted.name].reason}")
    if missing:
        raise PluginError("plugins.require: " + "; ".join(missing))

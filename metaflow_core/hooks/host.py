"""The plugin host: finds plugins, loads each behind its own fence, and keeps what they offer.

The only module that calls pluggy. One broken plugin is named with its distribution, version, reason and remedy, and
never stops the others; ``strict`` turns the first report into an exception.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import pluggy

from metaflow_core.api.examination import Examination
from metaflow_core.errors import IncompatiblePlugin, PluginError, PluginLoadError
from metaflow_core.hooks import checks, hookspecs
from metaflow_core.hooks.discovery import Candidate, find_distributions, find_files, from_object
from metaflow_core.hooks.info import PluginInfo, PluginState
from metaflow_core.hooks.markers import ENTRY_POINT_GROUP, PROJECT
from metaflow_core.hooks.registry import Registry
from metaflow_core.hooks.status import ComponentStatus

if TYPE_CHECKING:
    import click

    from metaflow_core.api.factories import Factory
    from metaflow_core.api.identity import Kind

__all__ = ["PluginHost"]


class PluginHost:
    """Loads plugins for one app. Two hosts in one process know nothing of each other.

    :param strict: raise at the first plugin that cannot be used, instead of reporting it.
    :param override: ``{"parsers.http": "my-http"}`` picks a plugin where two offer the same component.
    """

    def __init__(self, *, strict: bool = False, override: Mapping[str, str] | None = None) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._strict = strict
        self._registry = Registry(override or {})
        self._infos: dict[str, PluginInfo] = {}

    @property
    def infos(self) -> Sequence[PluginInfo]:
        """Every plugin that was found and what became of it, by name."""
        return [self._infos[name] for name in sorted(self._infos)]

    @property
    def registry(self) -> Registry:
        """The factories of the loaded plugins."""
        return self._registry

    def factories(self, kind: Kind) -> Mapping[str, Factory]:
        """Every factory of a kind, by type."""
        return self._registry.factories(kind)

    def factory(self, kind: Kind, type: str) -> Factory:
        """One factory.

        :raises PluginError: no plugin offers it; the sentence names the nearest that exists.
        """
        return self._registry.factory(kind, type)

    def load(
        self,
        *,
        autoload: bool = True,
        enable: Iterable[str] = (),
        disable: Iterable[str] = (),
        require: Iterable[str] = (),
        paths: Iterable[str] = (),
        objects: Iterable[object] = (),
    ) -> None:
        """Find and load plugins; call it once.

        :param autoload: load every installed plugin that is not disabled; otherwise only those in ``enable``.
        :param enable: entry-point names to load. :param disable: names never to import.
        :param require: requirements such as ``metaflow-parser-x>=0.3`` that must be installed.
        :param paths: folders of single-file plugins (``*.py``).
        :param objects: modules or objects given by an embedding program.
        :raises PluginError: a required plugin is missing; or, when strict, a plugin cannot be used.
        """
        wanted, blocked = frozenset(enable), frozenset(disable)
        candidates = [*find_distributions(), *find_files(paths), *(from_object(item) for item in objects)]
        self._check_names(candidates, wanted | blocked)
        for candidate in candidates:
            if candidate.name in blocked:
                self._settle(candidate.info(PluginState.DISABLED, "disabled by the configuration"))
            elif candidate.installed and not autoload and candidate.name not in wanted:
                self._settle(
                    candidate.info(PluginState.DISABLED, "not named under plugins.enable, and autoload is off")
                )
            elif candidate.api != ENTRY_POINT_GROUP:
                reason, remedy = checks.incompatible(candidate)
                self._fail(candidate, IncompatiblePlugin(reason), PluginState.INCOMPATIBLE, remedy)
            else:
                self._load_one(candidate)
        checks.requirements(require, self.infos)

    def _check_names(self, candidates: Sequence[Candidate], named: frozenset[str]) -> None:
        unknown = named - {candidate.name for candidate in candidates}
        if unknown and self._strict:
            raise PluginLoadError(checks.unknown_names(unknown, [candidate.name for candidate in candidates]))

    def _load_one(self, candidate: Candidate) -> None:
        if candidate.name in self._infos:
            other = self._infos[candidate.name]
            self._fail(
                candidate,
                PluginLoadError(
                    f"the name {candidate.name!r} is already taken by {other.distribution or other.module} {other.version}"
                ),
                remedy="uninstall one of the two, or disable it under plugins.disable",
            )
            return
        try:
            plugin = candidate.load()
            checks.implementations(plugin, candidate.name)
        except Exception as error:  # noqa: BLE001 - the fence around foreign code
            self._fail(candidate, error, remedy=checks.import_remedy(candidate, error))
            return
        try:
            self._manager.register(plugin, name=candidate.name)
            self._manager_check(candidate.name)
            offered = self._collect(candidate.name)
            self._registry.add(candidate.name, candidate.distribution, offered)
        except Exception as error:  # noqa: BLE001 - the fence around foreign code
            if self._manager.has_plugin(candidate.name):
                self._manager.unregister(name=candidate.name)
            self._fail(candidate, error, remedy=checks.register_remedy(candidate, error))
            return
        hooks = checks.hook_names(self._manager, candidate.name)
        self._settle(candidate.info(PluginState.LOADED, hooks=hooks, components=tuple(offered)))

    def _manager_check(self, name: str) -> None:
        """A misspelt hook registers silently; find it before it is missed."""
        misspelt = checks.unknown_hooks(self._manager, name)
        if misspelt:
            raise PluginLoadError(misspelt)

    def _collect(self, name: str) -> list[Factory]:
        """Call the component hooks of one plugin, and of that one only, so that its failure is its own."""
        offered: list[Factory] = []
        for hook in checks.COMPONENT_HOOKS:
            for implementation in getattr(self._manager.hook, hook).get_hookimpls():
                if implementation.plugin_name == name:
                    offered.extend(checks.factories(hook, implementation.function()))
        return offered

    def _fail(
        self,
        candidate: Candidate,
        error: BaseException,
        state: PluginState = PluginState.FAILED,
        remedy: str = "",
    ) -> None:
        reason = checks.reason(error)
        if self._strict:
            known = isinstance(error, PluginError)
            wrapper = type(error) if known else PluginLoadError
            raise wrapper(f"plugin {candidate.label}: {reason}. {remedy}".strip()) from error
        trace = "".join(traceback.format_exception(error))
        self._settle(candidate.info(state, reason, remedy=remedy, trace=trace))

    def _settle(self, info: PluginInfo) -> None:
        name = info.name
        while name in self._infos:
            name += "*"
        self._infos[name] = info
        self._each("metaflow_plugin_loaded", historic=True, info=info)

    def _each(self, hook: str, *, historic: bool = False, **kwargs: object) -> None:
        """Notify every plugin; one that raises is ignored here, since a notification must never stop the work."""
        caller = getattr(self._manager.hook, hook)
        try:
            if historic:
                caller.call_historic(kwargs=kwargs)
            else:
                caller(**kwargs)
        except Exception:  # noqa: BLE001 - an observer's failure is the observer's alone
            return

    def resolve(self, scheme: str, ref: str) -> str | None:
        """Ask the plugins for ``${scheme:ref}``; None when nobody knows."""
        answer: str | None = self._manager.hook.metaflow_resolve(scheme=scheme, ref=ref)
        return answer

    def notify_status(self, status: ComponentStatus) -> None:
        """Tell the plugins that a component's state changed. The caller coalesces."""
        self._each("metaflow_status_changed", status=status)

    def add_commands(self, cli: click.Group) -> list[tuple[str, Exception]]:
        """Let the plugins add their commands; returns those that failed, with the reason."""
        failed: list[tuple[str, Exception]] = []
        for implementation in self._manager.hook.metaflow_commands.get_hookimpls():
            try:
                implementation.function(*(() if not implementation.argnames else (cli,)))
            except Exception as error:  # noqa: BLE001 - one plugin's broken command must not take the others away
                failed.append((implementation.plugin_name, error))
        return failed

    def examinations(self) -> list[tuple[str, Examination | Exception]]:
        """What the plugins offer to look at, with the plugin's name; an exception in place of what could not be had."""
        found: list[tuple[str, Examination | Exception]] = []
        implementations = self._manager.hook.metaflow_examinations.get_hookimpls()
        for implementation in sorted(implementations, key=lambda each: each.plugin_name):
            try:
                offered = list(cast("Iterable[object]", implementation.function()))
            except Exception as error:  # noqa: BLE001 - the fence around foreign code
                found.append((implementation.plugin_name, error))
                continue
            wrong = next((each for each in offered if not isinstance(each, Examination)), None)
            if wrong is not None:
                said = f"hook metaflow_examinations returned a {type(wrong).__name__}; it may only return Examination"
                found.append((implementation.plugin_name, PluginLoadError(said)))
            found.extend((implementation.plugin_name, each) for each in offered if isinstance(each, Examination))
        return found

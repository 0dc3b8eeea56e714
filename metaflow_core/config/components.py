"""Component sections: each is checked by the plugin's own model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

from pydantic import ValidationError

from metaflow_core.api.config import Config
from metaflow_core.api.factories import Factory, ParserFactory
from metaflow_core.api.identity import ComponentId, Kind
from metaflow_core.config.explain import explain, nearest
from metaflow_core.config.loaded import ComponentConfig, ComponentKey
from metaflow_core.config.node import Node
from metaflow_core.config.sections import COMPONENT_KINDS, CoreKeys, ServiceSection
from metaflow_core.errors import Problem
from metaflow_core.hooks.info import PluginState
from metaflow_core.hooks.registry import Registry

__all__ = ["Components", "PluginView"]


class PluginView(Protocol):
    """What the configuration needs of the plugin host."""

    @property
    def registry(self) -> Registry:
        """The factories of the loaded plugins."""
        ...


class Components:
    """The components found so far, and what was wrong with the others.

    :param host: knows the factories. :param tree: the configuration. :param service: defaults of the core's keys.
    """

    def __init__(self, host: PluginView, tree: Node, service: ServiceSection) -> None:
        self._host = host
        self._tree = tree
        self._service = service
        self.found: dict[ComponentKey, ComponentConfig] = {}
        self.broken: set[ComponentKey] = set()
        self.problems: list[Problem] = []
        for kind in COMPONENT_KINDS:
            self._section(kind)

    def _section(self, kind: Kind) -> None:
        node = self._tree.map.get(kind.section)
        if node is None or node.value is None:
            return
        if not node.is_map:
            self._problem(kind.section, f"a map of component ids to options is expected, found {node.word}", node)
            return
        for text, options in node.map.items():
            path = f"{kind.section}.{text}"
            try:
                cid = ComponentId.parse(text)
            except ValueError as error:
                self._problem(path, str(error), options)
                continue
            if not options.is_map and options.value is not None:
                self.broken.add((kind, cid))
                self._problem(path, f"a map of options is expected, found {options.word}", options)
                continue
            self._component(kind, cid, options, explicit=True)

    def implicit(self, kind: Kind, cid: ComponentId, node: Node) -> bool:
        """Make a component that is only named somewhere, with every option at its default.

        :param node: where it is named, for the place of a mistake. :returns: whether it can be used.
        """
        if (kind, cid) in self.found:
            return True
        if (kind, cid) in self.broken:
            return False
        self._component(kind, cid, Node({}, node.mark), explicit=False)
        return (kind, cid) in self.found

    def _component(self, kind: Kind, cid: ComponentId, options: Node, *, explicit: bool) -> None:
        path = (kind.section, str(cid))
        before = len(self.problems)
        factory = self._host.registry.factories(kind).get(cid.type)
        if factory is None:
            self._problem(f"{kind.section}.{cid}", self._unknown(kind, cid.type), options)
            self.broken.add((kind, cid))
            return
        own = Node({key: child for key, child in options.map.items() if not key.startswith("_")}, options.mark)
        core = self._core_keys(options, path)
        config: Config | None = None
        try:
            config = factory.config.model_validate(own.plain())
        except ValidationError as error:
            self.problems.extend(explain(error, own, path, factory.config))
        except Exception as error:  # noqa: BLE001 - a plugin's validator is foreign code
            self._problem(f"{kind.section}.{cid}", f"its options cannot be checked: {type(error).__name__}", options)
        if config is None or core is None or len(self.problems) > before:
            self.broken.add((kind, cid))
            return
        self.found[(kind, cid)] = ComponentConfig(
            kind=kind,
            id=cid,
            factory=factory,
            config=config,
            startup_error=core.startup_error or self._service.startup_error,
            storage=self._storage(kind, cid, core, config, options),
            stamp=_stamp(factory),
            file=options.mark.file if explicit else None,
            line=options.mark.line if explicit else None,
        )

    def _core_keys(self, options: Node, path: tuple[str, ...]) -> CoreKeys | None:
        keys = Node({key: child for key, child in options.map.items() if key.startswith("_")}, options.mark)
        try:
            return CoreKeys.model_validate(keys.plain())
        except ValidationError as error:
            self.problems.extend(explain(error, keys, path, CoreKeys))
            return None

    def _storage(
        self, kind: Kind, cid: ComponentId, core: CoreKeys, config: Config, options: Node
    ) -> ComponentId | None:
        """The storage a dialect asks: the core's key, or the dialect's own option ``storage``."""
        text = core.storage
        if kind is not Kind.DIALECT:
            if text is not None:
                self._problem(f"{kind.section}.{cid}._storage", "only dialects ask a storage; take it out", options)
            return None
        own = getattr(config, "storage", None)
        text = text or (own if isinstance(own, str) and own else None)
        if text is None:
            return None
        try:
            return ComponentId.parse(text)
        except ValueError as error:
            self._problem(f"{kind.section}.{cid}._storage", str(error), options)
            return None

    def _unknown(self, kind: Kind, type: str) -> str:
        known = self._host.registry.factories(kind)
        if not known:
            hint = f"; no plugin with {kind.section} is installed"
        else:
            hint = nearest(type, known).replace("allowed are", "installed are")
        elsewhere = [other for other in COMPONENT_KINDS if type in self._host.registry.factories(other)]
        if elsewhere:
            hint = f"; it is a {elsewhere[0]} and belongs under {elsewhere[0].section}"
        return f"no plugin offers the {kind} {type!r}{hint}{self.failed(type)}"

    def failed(self, type: str) -> str:
        """The end of a sentence: a plugin that would have offered this type, and why it does not; mostly empty."""
        infos = getattr(self._host, "infos", ())
        for info in infos:
            if info.state is not PluginState.LOADED and type.replace("_", "-") in info.name.replace("_", "-"):
                return f"; the plugin {info.name!r} is {info.state}: {info.reason}"
        return ""

    def _problem(self, path: str, message: str, node: Node) -> None:
        self.problems.append(Problem(path, message, node.mark.file, node.mark.line))

    def all_of(self, kind: Kind) -> Iterator[tuple[str, Factory]]:
        """Every factory of a kind, by type."""
        return iter(cast("dict[str, Factory]", self._host.registry.factories(kind)).items())


def _stamp(factory: Factory) -> str:
    if not isinstance(factory, ParserFactory) or factory.wasm is None:
        return ""
    try:
        found = factory.wasm.stat()
    except OSError:
        return "missing"
    return f"{found.st_mtime_ns}-{found.st_size}"

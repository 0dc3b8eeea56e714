"""What the loaded plugins offer: factories by kind and type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from metaflow_core.api.factories import Factory
from metaflow_core.api.identity import Kind
from metaflow_core.errors import DuplicateComponent, PluginError

__all__ = ["Registry"]


class Registry:
    """Factories by kind and type; a component that two plugins offer is an error unless the configuration picks one."""

    def __init__(self, override: Mapping[str, str]) -> None:
        self._override = override
        self._factories: dict[Kind, dict[str, Factory]] = {kind: {} for kind in Kind}
        self._owner: dict[tuple[Kind, str], tuple[str, str]] = {}

    def add(self, plugin: str, distribution: str, offered: Iterable[Factory]) -> None:
        """Take a plugin's factories, all or none.

        :raises DuplicateComponent: one is offered by another plugin already.
        """
        accepted: list[Factory] = []
        seen: set[tuple[Kind, str]] = set()
        for factory in offered:
            key = (factory.kind, factory.type)
            chosen = self._override.get(f"{factory.kind.section}.{factory.type}")
            if chosen is not None and chosen != plugin:
                continue
            if key in seen:
                raise DuplicateComponent(f"it offers the {factory.kind} {factory.type!r} twice")
            seen.add(key)
            owner = self._owner.get(key)
            if owner is not None and chosen != plugin:
                raise DuplicateComponent(
                    f"the {factory.kind} {factory.type!r} is already offered by plugin {owner[0]!r} ({owner[1] or 'local'})"
                )
            accepted.append(factory)
        for factory in accepted:
            self._factories[factory.kind][factory.type] = factory
            self._owner[(factory.kind, factory.type)] = (plugin, distribution)

    def factories(self, kind: Kind) -> Mapping[str, Factory]:
        """Every factory of a kind, by type, sorted."""
        return dict(sorted(self._factories[kind].items()))

    def factory(self, kind: Kind, type: str) -> Factory:
        """One factory.

        :raises PluginError: no plugin offers it.
        """
        try:
            return self._factories[kind][type]
        except KeyError:
            known = sorted(self._factories[kind])
            near = difflib.get_close_matches(type, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; installed are: {', '.join(known) or 'none'}"
            raise PluginError(f"no plugin offers the {kind} {type!r}{hint}") from None

    def owner(self, kind: Kind, type: str) -> str:
        """Name of the plugin that offers a component; empty when none does."""
        return self._owner.get((kind, type), ("", ""))[0]

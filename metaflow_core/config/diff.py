"""What differs between two configurations, for reloading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metaflow_core.config.loaded import ComponentKey, LoadedConfig

__all__ = ["ConfigDiff", "diff_configs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDiff:
    """What a reload must do.

    :ivar added: components that are new. :ivar changed: that have other options. :ivar removed: that are gone.
    :ivar pipelines_added: by name. :ivar pipelines_changed: wired or sized otherwise. :ivar pipelines_removed: gone.
    :ivar restart_needed: sections whose change cannot be taken over while running (``plugins``, ``service``).
    """

    added: tuple[ComponentKey, ...] = ()
    changed: tuple[ComponentKey, ...] = ()
    removed: tuple[ComponentKey, ...] = ()
    pipelines_added: tuple[str, ...] = ()
    pipelines_changed: tuple[str, ...] = ()
    pipelines_removed: tuple[str, ...] = ()
    restart_needed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    def to_dict(self) -> dict[str, Any]:
        """Names only, for ``--json``; no option's value is shown."""
        return {
            name: [f"{item[0].section}.{item[1]}" if isinstance(item, tuple) else item for item in getattr(self, name)]
            for name in self.__slots__
        }

    def __str__(self) -> str:
        words = [f"{name.replace('_', ' ')}: {', '.join(items)}" for name, items in self.to_dict().items() if items]
        return "; ".join(words) or "no difference"


def diff_configs(old: LoadedConfig, new: LoadedConfig) -> ConfigDiff:
    """Compare two checked configurations; the order of sections and files means nothing."""
    added, changed, removed = _compare(old.components, new.components)
    pipelines = _compare(old.pipelines, new.pipelines)
    restart = [name for name in ("plugins", "service") if getattr(old, name) != getattr(new, name)]
    return ConfigDiff(
        added=tuple(added),
        changed=tuple(changed),
        removed=tuple(removed),
        pipelines_added=tuple(pipelines[0]),
        pipelines_changed=tuple(pipelines[1]),
        pipelines_removed=tuple(pipelines[2]),
        restart_needed=tuple(restart),
    )


def _compare(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> tuple[list[Any], list[Any], list[Any]]:
    added = [key for key in new if key not in old]
    removed = [key for key in old if key not in new]
    changed = [key for key in new if key in old and new[key] != old[key]]
    return added, changed, removed

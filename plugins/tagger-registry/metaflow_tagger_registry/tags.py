"""The tags of a service, from what its instances say: ``registry.service``, ``registry.type``, ..., metadata apart as ``registry.meta.KEY``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from metaflow_tagger_registry.config import RegistryConfig
from metaflow_tagger_registry.instances import Instance

__all__ = ["merged"]

_VALUES = 8


def merged(registry: str, instances: Sequence[Instance], config: RegistryConfig, *, stale: bool) -> dict[str, str]:
    """What is the same of all instances once, else the values that occur (eight at most), sorted, with commas between.

    What tells instances apart (each another value of more than eight) says nothing of the service, and is left out.
    """
    own = {
        "service": instances[0].service,
        "type": registry,
        "namespace": instances[0].namespace,
        "interfaces": _joined(each for one in instances for each in one.interfaces),
        "methods": _joined(each for one in instances for each in one.methods),
        "stale": "yes" if stale else "",
    }
    states = {each.healthy for each in instances if each.healthy is not None}
    if config.health and states:
        own["health"] = "partly" if len(states) > 1 else "healthy" if states == {True} else "unhealthy"
    values: dict[str, set[str]] = {}
    if config.metadata:
        for one in instances:
            for key, value in one.metadata.items():
                held = values.setdefault(key, set())
                if len(held) <= _VALUES:
                    held.add(value)
    metadata = {f"meta.{key}": ",".join(sorted(found)) for key, found in values.items() if len(found) <= _VALUES}
    return _cut({**{key: text for key, text in own.items() if text}, **metadata}, config.max_tag_bytes)


def _joined(found: Iterable[str]) -> str:
    return ",".join(sorted(set(found)))


def _cut(tags: dict[str, str], most: int) -> dict[str, str]:
    """The longest are left out until the rest fits; the service's name and type are not."""
    size = {key: len(key.encode()) + len(text.encode()) for key, text in tags.items()}
    total = sum(size.values())
    for key in sorted(size, key=lambda each: (-size[each], each)):
        if total <= most:
            break
        if key not in ("service", "type"):
            total -= size[key]
            del tags[key]
    return dict(sorted(tags.items()))

"""One file for each registry. The next one is a class with ``look`` and ``close``, and a line in :data:`MAKERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from metaflow_tagger_registry.config import RegistryConfig
from metaflow_tagger_registry.instances import Instance, Refused, instance

__all__ = ["MAKERS", "Reading", "Source"]


class Source(Protocol):
    """Reads one registry, in a thread of its own."""

    def look(self, first: bool) -> Iterable[Instance]:
        """Everything that the registry knows. The first look is at once; later ones may wait for a change, ``interval_s`` at most.

        :raises Failed: it could not be asked (see :mod:`metaflow_tagger_registry.http`); what was known stays.
        """
        ...

    def close(self) -> None:
        """Give back connections, and let a look that waits end."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source is given. :ivar drop: counts what cannot be used, by reason. :ivar warn: what to tell people of the last look."""

    config: RegistryConfig
    drop: Callable[[str], None]
    warn: Callable[[str], None]
    wait: Callable[[float], object]

    def instance(self, **fields: Any) -> list[Instance]:
        """The instance, or nothing where it cannot be used, which is counted."""
        try:
            return [instance(**fields)]
        except Refused as refused:
            self.drop(refused.reason)
            return []


def _consul(reading: Reading) -> Source:
    from metaflow_tagger_registry.sources.consul import ConsulSource

    return ConsulSource(reading)


def _nacos(reading: Reading) -> Source:
    from metaflow_tagger_registry.sources.nacos import NacosSource

    return NacosSource(reading)


def _etcd(reading: Reading) -> Source:
    from metaflow_tagger_registry.sources.etcd import EtcdSource

    return EtcdSource(reading)


def _zookeeper(reading: Reading) -> Source:
    from metaflow_tagger_registry.sources.zookeeper import ZookeeperSource

    return ZookeeperSource(reading)


def _eureka(reading: Reading) -> Source:
    from metaflow_tagger_registry.sources.eureka import EurekaSource

    return EurekaSource(reading)


MAKERS: Mapping[str, Callable[[Reading], Source]] = MappingProxyType(
    {"consul": _consul, "nacos": _nacos, "etcd": _etcd, "zookeeper": _zookeeper, "eureka": _eureka}
)
"""How a source is made, by its name in the options; where two registries claim the same port, the first of these counts."""

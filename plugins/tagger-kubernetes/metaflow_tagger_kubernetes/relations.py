"""Who belongs to whom, so that a change is followed to everything that it changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Generic, TypeVar

from metaflow_tagger_kubernetes.objects import Item, Pod, Service, Slice, Workload

__all__ = ["Key", "Relations"]

Key = tuple[str, str, str]
"""Namespace, kind and name of a workload."""

K = TypeVar("K")
V = TypeVar("V")
_DEEPEST = 8


class _Many(Generic[K, V]):
    """Sets by key, without empty ones. Of most keys there is one value: it stands alone, which takes no room."""

    def __init__(self) -> None:
        self._one: dict[K, V] = {}
        self._more: dict[K, set[V]] = {}

    def add(self, key: K, value: V) -> None:
        if key in self._more:
            self._more[key].add(value)
        elif key not in self._one:
            self._one[key] = value
        elif self._one[key] != value:
            self._more[key] = {self._one.pop(key), value}

    def drop(self, key: K, value: V) -> None:
        found = self._more.get(key)
        if found is None:
            if self._one.get(key) == value:
                del self._one[key]
            return
        found.discard(value)
        if not found:
            del self._more[key]

    def of(self, key: K) -> tuple[V, ...]:
        return (self._one[key],) if key in self._one else tuple(self._more.get(key, ()))


class Relations:
    """Pods by owner, node and address; workloads by name and owner; parts of endpoints by service."""

    def __init__(self) -> None:
        self._workloads: dict[Key, Workload] = {}
        self._owned: _Many[Key, Key] = _Many()
        self._pods_of: _Many[Key, str] = _Many()
        self._pods_on: _Many[str, str] = _Many()
        self._pods_at: _Many[str, str] = _Many()
        self._services: _Many[tuple[str, str], str] = _Many()
        self._ingresses_at: _Many[str, str] = _Many()
        self._parts_at: _Many[str, tuple[str, str]] = _Many()
        self._slices: dict[tuple[str, str], dict[str, Slice]] = defaultdict(dict)

    def add(self, item: Item) -> None:
        """An object is there."""
        if isinstance(item, Pod):
            self._pods_on.add(item.node, item.uid)
            for address in item.addresses:
                self._pods_at.add(address, item.uid)
            if item.owner is not None:
                self._pods_of.add((item.namespace, *item.owner), item.uid)
        elif isinstance(item, Workload):
            key = (item.namespace, item.kind, item.name)
            self._workloads[key] = item
            if item.owner is not None:
                self._owned.add((item.namespace, *item.owner), key)
        elif isinstance(item, Service):
            self._services.add((item.namespace, item.name), item.uid)
            for address in item.addresses if item.is_ingress else ():
                self._ingresses_at.add(address, item.uid)
        elif isinstance(item, Slice):
            self._slices[item.namespace, item.service][item.uid] = item
            for address in item.addresses:
                self._parts_at.add(address, (item.namespace, item.service))

    def drop(self, item: Item) -> None:
        """It is not, or no longer like this."""
        if isinstance(item, Pod):
            self._pods_on.drop(item.node, item.uid)
            for address in item.addresses:
                self._pods_at.drop(address, item.uid)
            if item.owner is not None:
                self._pods_of.drop((item.namespace, *item.owner), item.uid)
        elif isinstance(item, Workload):
            key = (item.namespace, item.kind, item.name)
            if self._workloads.get(key) is item:
                del self._workloads[key]
                if item.owner is not None:
                    self._owned.drop((item.namespace, *item.owner), key)
        elif isinstance(item, Service):
            self._services.drop((item.namespace, item.name), item.uid)
            for address in item.addresses if item.is_ingress else ():
                self._ingresses_at.drop(address, item.uid)
        elif isinstance(item, Slice):
            found = self._slices[item.namespace, item.service]
            found.pop(item.uid, None)
            left = {address for each in found.values() for address in each.addresses}
            for address in set(item.addresses) - left:
                self._parts_at.drop(address, (item.namespace, item.service))
            if not found:
                del self._slices[item.namespace, item.service]

    def top(self, pod: Pod) -> tuple[str, str]:
        """Kind and name of what the pod is one of, at the top of the chain of owners."""
        if pod.owner is None:
            return "", ""
        kind, name = pod.owner
        for _ in range(_DEEPEST):
            held = self._workloads.get((pod.namespace, kind, name))
            if held is None or held.owner is None:
                break
            kind, name = held.owner
        # A ReplicaSet that is not known yet: its name is the Deployment's with the hash of the template behind.
        if kind == "ReplicaSet" and pod.template_hash and name.endswith(f"-{pod.template_hash}"):
            return "Deployment", name.removesuffix(f"-{pod.template_hash}")
        return kind, name

    def pods_below(self, key: Key, depth: int = 0) -> Iterator[str]:
        """The pods whose chain of owners leads over a workload."""
        yield from self._pods_of.of(key)
        if depth < _DEEPEST:
            for each in self._owned.of(key):
                yield from self.pods_below(each, depth + 1)

    def pods_on(self, node: str) -> tuple[str, ...]:
        """The pods of a node."""
        return self._pods_on.of(node)

    def pods_at(self, address: str) -> tuple[str, ...]:
        """The pods that say they own an address."""
        return self._pods_at.of(address)

    def ingresses_at(self, address: str) -> tuple[str, ...]:
        """The ingresses that are reached at an address."""
        return self._ingresses_at.of(address)

    def services(self, namespace: str, name: str) -> tuple[str, ...]:
        """The services (and ingresses) of a name."""
        return self._services.of((namespace, name))

    def services_at(self, address: str) -> Iterator[str]:
        """The services that an address is an endpoint of."""
        for each in self._parts_at.of(address):
            yield from self.services(*each)

    def behind(self, namespace: str, service: str) -> tuple[Slice, ...]:
        """The parts of a service's endpoints, in an order that does not depend on the order of events."""
        found = self._slices.get((namespace, service), {})
        return tuple(found[uid] for uid in sorted(found))

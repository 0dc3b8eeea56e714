"""The cluster as far as it is known, and what of it became different since it was asked last."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from metaflow_core.tagging import Entry
from metaflow_tagger_kubernetes.config import KubernetesConfig
from metaflow_tagger_kubernetes.making import Maker
from metaflow_tagger_kubernetes.objects import Item, Namespace, Node, Pod, Service, Slice, Workload
from metaflow_tagger_kubernetes.relations import Relations
from metaflow_tagger_kubernetes.sharing import Shared

__all__ = ["World"]

_FIRST_OF_ALL = -(1 << 62)


class World:
    """Objects by kind. Safe to change from many threads while another asks what is different.

    An entry is made anew only when something that it is made of changed.

    :ivar shared: what objects have in common.
    """

    def __init__(self, config: KubernetesConfig, cluster: str) -> None:
        self._config = config
        self.shared = Shared()
        self._maker = Maker(cluster, config.vpc)
        self._lock = threading.Lock()
        self._objects: dict[str, dict[str, Item]] = {}
        self._relations = Relations()
        self._nodes: dict[str, Node] = {}
        # Since when an address that is no pod's (a node's, one outside) is behind a service, where that was seen.
        self._joined: dict[tuple[str, str, str], int] = {}
        self._dirty: dict[tuple[str, str], None] = {}
        self._made: dict[str, dict[str, tuple[Entry, ...]]] = {}
        self._past: deque[tuple[int, Entry]] = deque()
        self._new_past: list[tuple[int, Entry]] = []
        self._ended = 0
        self._changes = 0

    @property
    def changes(self) -> int:
        """Grows with every change."""
        return self._changes

    def count(self, kind: str) -> int:
        """How many objects of a kind there are."""
        return len(self._objects.get(kind, ()))

    def replace(self, kind: str, namespace: str, items: Iterable[Item], now_ns: int) -> None:
        """All objects of a kind (in one namespace, or in all): what is not among them has gone."""
        listed = {item.uid: item for item in items}
        with self._lock:
            held = self._objects.setdefault(kind, {})
            # First what is there: what has gone owned its address only until another got it.
            for item in listed.values():
                self._keep(kind, item, now_ns)
            for uid in [
                u for u, each in held.items() if u not in listed and (not namespace or each.namespace == namespace)
            ]:
                self._forget(kind, held[uid], now_ns)

    def put(self, kind: str, item: Item, now_ns: int) -> None:
        """An object is there, or changed."""
        with self._lock:
            self._keep(kind, item, now_ns)

    def remove(self, kind: str, uid: str, now_ns: int) -> None:
        """An object has gone."""
        with self._lock:
            item = self._objects.get(kind, {}).get(uid)
            if item is not None:
                self._forget(kind, item, now_ns)

    def _keep(self, kind: str, item: Item, now_ns: int) -> None:
        held = self._objects.setdefault(kind, {})
        old = held.get(item.uid)
        if isinstance(item, Pod):
            if item.over:
                # Its address is free for another: the object may stay for days.
                if old is not None:
                    self._forget(kind, old, now_ns)
                return
            item = self._begun(item, old, now_ns)
        if old == item:
            return
        if isinstance(old, Pod) and isinstance(item, Pod) and old.addresses != item.addresses:
            self._end(old, now_ns)
        if old is not None:
            self._relations.drop(old)
        held[item.uid] = item
        self._relations.add(item)
        if isinstance(item, Node):
            self._nodes[item.name] = item
        if isinstance(item, Slice):
            self._join(item, old, now_ns)
        self._touch(kind, item, old)

    def _join(self, item: Slice, old: Item | None, now_ns: int) -> None:
        """Nobody says since when an address is behind a service; what is seen to come was not there before."""
        before = set(old.addresses) if isinstance(old, Slice) else set(item.addresses)
        for address in set(item.addresses) - before:
            self._joined[item.namespace, item.service, address] = now_ns
        for address in before - set(item.addresses):
            self._joined.pop((item.namespace, item.service, address), None)

    def _begun(self, pod: Pod, old: Item | None, now_ns: int) -> Pod:
        """A pod that is there has begun: a start in the future is that of a clock that is ahead of this one."""
        start = min(pod.start_ns, now_ns)
        if isinstance(old, Pod) and old.addresses == pod.addresses and old.start_ns:
            # what was said of its start before stays, as it was cut then
            start = min(start, old.start_ns)
        return pod if start == pod.start_ns else replace(pod, start_ns=start)

    def _forget(self, kind: str, item: Item, now_ns: int) -> None:
        self._objects[kind].pop(item.uid, None)
        self._relations.drop(item)
        if isinstance(item, Pod):
            self._end(item, now_ns)
        if isinstance(item, Slice):
            self._join(replace(item, addresses=()), item, now_ns)
        if isinstance(item, Node) and self._nodes.get(item.name) is item:
            del self._nodes[item.name]
        self._touch(kind, item, None)

    def _touch(self, kind: str, item: Item, old: Item | None) -> None:
        """Everything that is made of an object is to be made again."""
        self._changes += 1
        dirty = self._dirty
        if isinstance(item, Workload):
            dirty.update(
                (("Pod", uid), None) for uid in self._relations.pods_below((item.namespace, item.kind, item.name))
            )
        elif isinstance(item, Slice):
            for each in (item, old):
                if isinstance(each, Slice):
                    dirty.update(
                        (("Service", uid), None) for uid in self._relations.services(each.namespace, each.service)
                    )
        else:
            dirty[kind, item.uid] = None
        if isinstance(item, Service) and item.is_ingress:
            # alone at an address, or not any more
            for each in (item, old):
                if isinstance(each, Service):
                    dirty.update(
                        (("Ingress", uid), None)
                        for address in each.addresses
                        for uid in self._relations.ingresses_at(address)
                    )
        if isinstance(item, Pod):
            dirty.update(
                (("Service", uid), None) for address in item.addresses for uid in self._relations.services_at(address)
            )
        if isinstance(item, Node):
            before = old if isinstance(old, Node) else None
            if before is None or (before.region, before.zone) != (item.region, item.zone):
                dirty.update((("Pod", uid), None) for uid in self._relations.pods_on(item.name))
            if before is None or before.addresses != item.addresses:
                dirty.update(
                    (("Service", uid), None)
                    for uid, each in self._objects.get("Service", {}).items()
                    if isinstance(each, Service) and each.node_ports
                )

    def _end(self, pod: Pod, now_ns: int) -> None:
        """A pod does not own its addresses any more; it did until now, or until a younger one got one of them.

        Starts are told in whole seconds, and an address is given after the start.
        """
        others = {uid for address in pod.addresses for uid in self._relations.pods_at(address)} - {pod.uid}
        starts = [each.start_ns for uid in others if isinstance(each := self._objects["Pod"].get(uid), Pod)]
        until = min([now_ns, *(start + 1_000_000_000 for start in starts if start >= pod.start_ns)])
        if not self._config.history_s or not self._config.max_history or until <= pod.start_ns:
            return
        self._ended += 1
        # of two that have ended the one that ended last has what both owned
        rank = _FIRST_OF_ALL - self._ended
        node = self._nodes.get(pod.node)
        entry = self._maker.pod(pod, self._relations.top(pod), node, until=until, rank=rank)
        self._new_past.append((now_ns, entry))

    def revision(self, now_ns: int) -> tuple[list[Entry], list[Entry]]:
        """What is not true any more, and what is, since this was asked last.

        Of two pods that share an address those of the past have it until they ended, then the youngest.
        """
        with self._lock:
            gone: list[Entry] = []
            come: list[Entry] = []
            dirty, self._dirty = self._dirty, {}
            for kind, uid in dirty:
                made = self._made.setdefault(kind, {})
                before = made.get(uid, ())
                known = {_place(entry): entry for entry in before}
                # what did not change stays the same object
                after = tuple(
                    known[p] if known.get(p := _place(each)) == each else each for each in self._make(kind, uid)
                )
                if kind != "Pod":
                    left = {_place(each) for each in after}
                    self._leave([each for place, each in known.items() if place not in left], now_ns)
                marks = {id(each) for each in before}, {id(each) for each in after}
                gone += [each for each in before if id(each) not in marks[1]]
                come += [each for each in after if id(each) not in marks[0]]
                if after:
                    made[uid] = after
                else:
                    made.pop(uid, None)
            self._turn_past(now_ns, gone, come)
            return gone, come

    def _leave(self, entries: Iterable[Entry], now_ns: int) -> None:
        """Entries that hold for rows of the past only."""
        if self._config.history_s and self._config.max_history:
            for entry in entries:
                if entry.valid_from < now_ns:
                    self._ended += 1
                    rank = _FIRST_OF_ALL - self._ended
                    self._new_past.append((now_ns, replace(entry, valid_to=now_ns, rank=rank)))

    def _began(self, service: Service, address: str) -> int:
        """Since when the youngest pod has an address; where it is no pod's (any more), since when it is behind the service."""
        key = (service.namespace, service.name, address)
        pods = [self._objects["Pod"].get(uid) for uid in self._relations.pods_at(address)]
        starts = [pod.start_ns for pod in pods if isinstance(pod, Pod)]
        if starts:
            # a pod may go before its endpoint does
            self._joined[key] = max(starts)
        return self._joined.get(key, 0)

    def _turn_past(self, now_ns: int, gone: list[Entry], come: list[Entry]) -> None:
        new, self._new_past = self._new_past[-self._config.max_history :], []
        oldest = now_ns - int(self._config.history_s * 1e9)
        most = self._config.max_history - len(new)
        while self._past and (self._past[0][0] < oldest or len(self._past) > most):
            gone.append(self._past.popleft()[1])
        self._past.extend(new)
        come += [entry for _, entry in new]

    def _alone(self, service: Service) -> Service:
        """Of an ingress only the addresses that no other is reached at: which of several it was, an address does not tell."""
        if not service.is_ingress:
            return service
        alone = tuple(each for each in service.addresses if len(self._relations.ingresses_at(each)) == 1)
        return service if alone == service.addresses else replace(service, addresses=alone)

    @property
    def is_ageing(self) -> bool:
        """Whether there is a past that may have to be forgotten without anything changing."""
        return bool(self._past)

    def _make(self, kind: str, uid: str) -> tuple[Entry, ...]:
        item = self._objects.get(kind, {}).get(uid)
        if isinstance(item, Pod):
            return (self._maker.pod(item, self._relations.top(item), self._nodes.get(item.node)),)
        if isinstance(item, Node):
            return self._maker.node(item)
        if isinstance(item, Service):
            behind = self._relations.behind(item.namespace, item.name) if kind == "Service" else ()
            nodes = tuple(each for node in self._nodes.values() for each in node.addresses) if item.node_ports else ()
            return tuple(self._maker.service(self._alone(item), kind, behind, nodes, partial(self._began, item)))
        if isinstance(item, Namespace):
            return (self._maker.namespace(item),) if item.tags else ()
        return ()


def _place(entry: Entry) -> tuple[object, ...]:
    """What makes an entry of a node or service another one, and not the same one with other tags."""
    return entry.section, entry.identity, entry.networks, entry.ports, entry.protocol

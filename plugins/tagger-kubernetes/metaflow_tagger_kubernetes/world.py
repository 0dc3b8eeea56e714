"""The cluster as far as it is known, and the entries that follow from it. Objects that did not change keep their entries."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from metaflow_core.tagging import EARLIEST, LATEST, Entry, Section, network
from metaflow_tagger_kubernetes.config import KubernetesConfig
from metaflow_tagger_kubernetes.objects import Item, Node, Pod, Service, Slice, Workload

__all__ = ["World"]

T = TypeVar("T", Workload, Pod, Node, Service, Slice)

_POD, _POD_SERVICE, _POD_NODE = 10, 11, 14
_GROUPS = {
    "Deployment": 130,
    "StatefulSet": 131,
    "ReplicationController": 132,
    "DaemonSet": 133,
    "ReplicaSet": 134,
    "CloneSet": 135,
}
_PLAIN_GROUP = 101


class World:
    """Objects by kind. Safe to change from many threads while another asks for entries."""

    def __init__(self, config: KubernetesConfig, cluster: str) -> None:
        self._config = config
        self._cluster = cluster
        self._lock = threading.Lock()
        self._objects: dict[str, dict[str, Item]] = {}
        self._names: dict[tuple[str, str, str], Workload] = {}
        self._pods: dict[str, tuple[tuple[object, ...], Entry]] = {}
        self._services: dict[str, tuple[tuple[object, ...], tuple[Entry, ...]]] = {}
        self._nodes: dict[str, tuple[Node, tuple[Entry, ...]]] = {}
        self._past: deque[tuple[int, Entry]] = deque(maxlen=config.max_history or 1)
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
            for uid in [
                u for u, each in held.items() if u not in listed and (not namespace or each.namespace == namespace)
            ]:
                self._forget(kind, held.pop(uid), now_ns)
            for item in listed.values():
                self._keep(kind, item, now_ns)

    def put(self, kind: str, item: Item, now_ns: int) -> None:
        """An object is there, or changed."""
        with self._lock:
            self._keep(kind, item, now_ns)

    def remove(self, kind: str, uid: str, now_ns: int) -> None:
        """An object has gone."""
        with self._lock:
            item = self._objects.get(kind, {}).pop(uid, None)
            if item is not None:
                self._forget(kind, item, now_ns)

    def _keep(self, kind: str, item: Item, now_ns: int) -> None:
        held = self._objects.setdefault(kind, {})
        old = held.get(item.uid)
        if old == item:
            return
        if isinstance(item, Pod) and item.over:
            # Its address is free for another: the object may stay for days.
            if old is not None:
                self._forget(kind, held.pop(item.uid), now_ns)
            return
        if isinstance(old, Pod) and isinstance(item, Pod) and old.addresses != item.addresses:
            self._forget(kind, old, now_ns)
        held[item.uid] = item
        if isinstance(item, Workload):
            self._names[(item.namespace, item.kind, item.name)] = item
        self._changes += 1

    def _forget(self, kind: str, item: Item, now_ns: int) -> None:
        self._changes += 1
        if isinstance(item, Workload):
            key = (item.namespace, item.kind, item.name)
            if self._names.get(key) is item:
                del self._names[key]
        if isinstance(item, Pod):
            self._pods.pop(item.uid, None)
            until = self._until(item, now_ns)
            if self._config.history_s and until > item.start_ns:
                self._past.append((now_ns, self._pod(item, until)))

    def _until(self, pod: Pod, now_ns: int) -> int:
        """Until when a pod that has gone owned its addresses: until now, or until a younger one got one of them.

        Starts are told in whole seconds, and an address is given after the start.
        """
        mine = frozenset(pod.addresses)
        younger = [
            each.start_ns
            for each in self._of(Pod, "Pod")
            if each.uid != pod.uid and not mine.isdisjoint(each.addresses)
        ]
        return min([now_ns, *(start + 1_000_000_000 for start in younger if start >= pod.start_ns)])

    def entries(self, now_ns: int) -> list[Entry]:
        """Everything that is known. Of two pods that share an address the first in the list has it: those of the past until they ended,
        then the youngest.
        """
        with self._lock:
            oldest = now_ns - int(self._config.history_s * 1e9)
            while self._past and self._past[0][0] < oldest:
                self._past.popleft()
            nodes = {item.name: item for item in self._of(Node, "Node")}
            found = [each for node in nodes.values() for each in self._node(node)]
            pods = sorted(self._of(Pod, "Pod"), key=lambda pod: (-pod.start_ns, pod.uid))
            found += [entry for _, entry in reversed(self._past)]
            found += [self._cached(pod, nodes.get(pod.node)) for pod in pods]
            found += self._all_services(nodes)
            return found

    def _of(self, kind: type[T], name: str) -> list[T]:
        return [item for item in self._objects.get(name, {}).values() if isinstance(item, kind)]

    def _cached(self, pod: Pod, node: Node | None) -> Entry:
        kind, name = self._workload(pod)
        made_of = (pod, kind, name, node)
        held = self._pods.get(pod.uid)
        if held is None or held[0] != made_of:
            held = made_of, self._pod(pod, LATEST, node)
            self._pods[pod.uid] = held
        return held[1]

    def _pod(self, pod: Pod, until: int, node: Node | None = None) -> Entry:
        kind, name = self._workload(pod)
        node = node or next((n for n in self._of(Node, "Node") if n.name == pod.node), None)
        attributes = {
            "cluster": self._cluster,
            "namespace": pod.namespace,
            "node": pod.node,
            "workload": name,
            "vpc": self._config.vpc,
            "region": node.region if node is not None else "",
            "az": node.zone if node is not None else "",
        }
        return Entry(
            section=Section.HOSTS,
            name=pod.name,
            identity=f"{self._cluster}/{pod.namespace}/{pod.name}",
            networks=tuple(network(each) for each in pod.addresses),
            dictionary="pod",
            type=_POD,
            group_type=_GROUPS.get(kind, _PLAIN_GROUP),
            attributes={key: text for key, text in attributes.items() if text},
            tags=pod.tags,
            valid_from=pod.start_ns or EARLIEST,
            valid_to=until,
        )

    def _workload(self, pod: Pod) -> tuple[str, str]:
        """Kind and name of what the pod is one of, at the top of the chain of owners."""
        if pod.owner is None:
            return "", ""
        kind, name = pod.owner
        for _ in range(8):
            held = self._names.get((pod.namespace, kind, name))
            if held is None or held.owner is None:
                break
            kind, name = held.owner
        # A ReplicaSet that is not known yet: its name is the Deployment's with the hash of the template behind.
        if kind == "ReplicaSet" and pod.template_hash and name.endswith(f"-{pod.template_hash}"):
            return "Deployment", name.removesuffix(f"-{pod.template_hash}")
        return kind, name

    def _node(self, node: Node) -> tuple[Entry, ...]:
        held = self._nodes.get(node.uid)
        if held is not None and held[0] == node:
            return held[1]
        place = {"cluster": self._cluster, "vpc": self._config.vpc, "region": node.region, "az": node.zone}
        place = {key: text for key, text in place.items() if text}
        own = Entry(
            section=Section.HOSTS,
            name=node.name,
            identity=f"{self._cluster}/{node.name}",
            networks=tuple(network(each) for each in node.addresses),
            dictionary="pod_node",
            type=_POD_NODE,
            attributes=place,
        )
        ranges = tuple(
            Entry(
                section=Section.SUBNETS,
                name=each,
                identity=f"{self._cluster}/{each}",
                networks=(network(each),),
                attributes={**place, "node": node.name},
            )
            for each in node.ranges
            if _is_network(each)
        )
        made = (*((own,) if own.networks else ()), *ranges)
        self._nodes[node.uid] = node, made
        return made

    def _all_services(self, nodes: Mapping[str, Node]) -> Iterator[Entry]:
        slices: dict[tuple[str, str], list[Slice]] = {}
        for item in self._of(Slice, "EndpointSlice"):
            slices.setdefault((item.namespace, item.service), []).append(item)
        node_addresses = tuple(each for node in nodes.values() for each in node.addresses)
        services = [*self._of(Service, "Service"), *self._of(Service, "Ingress")]
        for service in services:
            behind = tuple(slices.get((service.namespace, service.name), ()))
            made_of = (service, behind, node_addresses if service.node_ports else ())
            held = self._services.get(service.uid)
            if held is None or held[0] != made_of:
                held = made_of, tuple(self._service(service, behind, node_addresses))
                self._services[service.uid] = held
            yield from held[1]
        for uid in self._services.keys() - {service.uid for service in services}:
            del self._services[uid]

    def _service(self, service: Service, behind: Iterable[Slice], nodes: tuple[str, ...]) -> Iterator[Entry]:
        """By its own addresses, by those of its endpoints, and by its ports on every node."""
        places = [
            (service.addresses, service.ports),
            (nodes, service.node_ports),
            *((e.addresses, e.ports) for e in behind),
        ]
        for addresses, ports in places:
            for protocol in sorted({protocol for protocol, _ in ports}):
                if addresses:
                    yield Entry(
                        section=Section.SERVICES,
                        name=service.name,
                        identity=f"{self._cluster}/{service.namespace}/{service.name}",
                        networks=tuple(network(each) for each in dict.fromkeys(addresses)),
                        type=_POD_SERVICE,
                        ports=tuple((port, port) for each, port in ports if each == protocol and 0 < port < 1 << 16),
                        protocol=protocol,
                        tags=service.tags,
                    )


def _is_network(text: str) -> bool:
    try:
        network(text)
    except ValueError:
        return False
    return True

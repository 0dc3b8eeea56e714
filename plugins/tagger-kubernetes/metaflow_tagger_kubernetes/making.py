"""Entries of what a cluster has: pods, nodes, services."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from metaflow_core.tagging import EARLIEST, LATEST, Entry, Section, network
from metaflow_tagger_kubernetes.objects import Namespace, Node, Pod, Service, Slice

__all__ = ["Maker"]

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
_HEADLESS, _INGRESS = 1 << 40, 1 << 41
"""Ranks: of services that lead to one port that with an address of its own comes first, then the older one (in seconds)."""
_MOST_SETS = 50_000


class Maker:
    """Makes entries of one cluster. Attributes that pods share are one object: thousands have the same."""

    def __init__(self, cluster: str, vpc: str) -> None:
        self._cluster = cluster
        self._vpc = vpc
        self._sets: dict[tuple[str, ...], Mapping[str, str]] = {}

    def pod(
        self, pod: Pod, workload: tuple[str, str], node: Node | None, *, until: int = LATEST, rank: int | None = None
    ) -> Entry:
        """A pod.

        :param workload: kind and name of what it is one of. :param rank: of pods that have ended; that of a living one is by its age, the
            youngest first.
        """
        kind, name = workload
        return Entry(
            section=Section.HOSTS,
            name=pod.name,
            identity=f"{self._cluster}/{pod.namespace}/{pod.name}",
            networks=tuple(network(each) for each in pod.addresses),
            dictionary="pod",
            type=_POD,
            group_type=_GROUPS.get(kind, _PLAIN_GROUP),
            attributes=self._attributes(pod.namespace, pod.node, name, node),
            tags=pod.tags,
            rank=-pod.start_ns if rank is None else rank,
            valid_from=pod.start_ns or EARLIEST,
            valid_to=until,
        )

    def node(self, node: Node) -> tuple[Entry, ...]:
        """A node by its addresses, and the networks of its pods."""
        networks = tuple(network(each) for each in node.addresses)
        own = Entry(
            section=Section.HOSTS,
            name=node.name,
            identity=f"{self._cluster}/{node.name}",
            networks=networks,
            dictionary="pod_node",
            type=_POD_NODE,
            attributes=self._attributes("", "", "", node),
        )
        ranges = tuple(
            Entry(
                section=Section.SUBNETS,
                name=each,
                identity=f"{self._cluster}/{each}",
                networks=(network(each),),
                attributes=self._attributes("", node.name, "", node),
            )
            for each in node.ranges
            if _is_network(each)
        )
        return (*((own,) if networks else ()), *ranges)

    def namespace(self, namespace: Namespace) -> Entry:
        """A namespace, for its labels: rows have its number by their pods."""
        return Entry(
            section=Section.HOSTS,
            name=namespace.name,
            identity=f"{self._cluster}/{namespace.name}",
            networks=(),
            dictionary="pod_ns",
            tags=namespace.tags,
        )

    def service(
        self,
        service: Service,
        kind: str,
        behind: Iterable[Slice],
        nodes: tuple[str, ...],
        began: Callable[[str], int],
    ) -> Iterator[Entry]:
        """A service by its own addresses, by its ports on every node, and by each of its endpoints, which come and go by themselves.

        :param began: since when an endpoint's address is that of its pod; 0 where there is none.
        """
        # An ingress may have the name of a service.
        scope = "" if kind == "Service" else f"{kind.lower()}/"
        identity = f"{self._cluster}/{service.namespace}/{scope}{service.name}"
        since = service.created_ns or EARLIEST
        rank = service.created_ns // 1_000_000_000 + (
            _INGRESS if service.is_ingress else 0 if service.addresses else _HEADLESS
        )
        places = [(service.addresses, service.ports, since), (nodes, service.node_ports, since)]
        # nothing was behind a service before there was one, nor at a pod's address before there was the pod
        places += [
            ((address,), each.ports, max(began(address) or EARLIEST, since))
            for each in behind
            for address in each.addresses
        ]
        for addresses, ports, since in places:
            for protocol in sorted({protocol for protocol, _ in ports}):
                if addresses:
                    yield Entry(
                        section=Section.SERVICES,
                        name=service.name,
                        identity=identity,
                        networks=tuple(network(each) for each in dict.fromkeys(addresses)),
                        type=_POD_SERVICE,
                        ports=tuple((port, port) for each, port in ports if each == protocol and 0 < port < 1 << 16),
                        protocol=protocol,
                        tags=service.tags,
                        rank=rank,
                        valid_from=since,
                    )

    def _attributes(self, namespace: str, on: str, workload: str, node: Node | None) -> Mapping[str, str]:
        region, zone = (node.region, node.zone) if node is not None else ("", "")
        key = (namespace, on, workload, region, zone)
        found = self._sets.get(key)
        if found is None:
            if len(self._sets) >= _MOST_SETS:
                self._sets.clear()
            names = ("cluster", "namespace", "node", "workload", "vpc", "region", "az")
            texts = (self._cluster, namespace, on, workload, self._vpc, region, zone)
            found = {name: text for name, text in zip(names, texts, strict=True) if text}
            self._sets[key] = found
        return found


def _is_network(text: str) -> bool:
    try:
        network(text)
    except ValueError:
        return False
    return True

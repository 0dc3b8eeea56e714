"""What is known of an address at a time, as a row of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from metaflow_core.api import IdBook
from metaflow_core.tagging.entries import Entry, Section

__all__ = ["COLUMNS", "GROUP", "SERVICE", "Held", "Numbers", "Owner", "Owners"]

COLUMNS = (
    *(
        "region_id",
        "az_id",
        "host_id",
        "l3_device_type",
        "l3_device_id",
        "pod_node_id",
        "pod_ns_id",
        "pod_group_id",
        "pod_id",
    ),
    *("pod_cluster_id", "l3_epc_id", "subnet_id", "auto_instance_id", "auto_instance_type", "tag_source"),
)
"""Columns that the address alone decides."""

IP, POD, POD_NODE, GROUP, SERVICE, CLUSTER = 255, 10, 14, 101, 102, 103
_BY_ADDRESS = 8
_OF_POD = {"cluster": "pod_cluster", "namespace": "pod_ns", "node": "pod_node", "workload": "pod_group"}


Held: TypeAlias = tuple[int, int]
"""An entry that holds an address: its place in the list of entries, and the length of the prefix by which it does."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of an entry: its own (0 for none), and those of its attributes by name."""

    own: int
    attributes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns an address at a time.

    :ivar values: numbers by :data:`COLUMNS`. :ivar service: kind and number of the service where no port says more.
    :ivar name: of the host, for ``app_instance``. :ivar services: the entries of services that hold the address.
    """

    values: tuple[int, ...]
    service: tuple[int, int]
    name: str = ""
    services: tuple[Held, ...] = ()


def numbers(entry: Entry, book: IdBook) -> Numbers:
    """The numbers of an entry.

    :raises OverflowError: there are no more numbers that are narrow enough.
    """
    of = entry.attributes
    attributes = {}
    for key, name in of.items():
        # What belongs to a cluster is told apart by it: every cluster has a namespace 'default'.
        scope = "/".join(of.get(each, "") for each in ("cluster", "namespace")) if key == "workload" else ""
        scope = of.get("cluster", "") if key in ("namespace", "node") else scope
        attributes[key] = book.give(_OF_POD.get(key, key), f"{scope}/{name}" if scope else name, name)
    kind = {Section.SUBNETS: "subnet", Section.SERVICES: "service"}.get(entry.section, entry.dictionary)
    identity = entry.identity
    if not identity:
        scopes = ("cluster", "namespace") if kind in ("pod", "pod_node") else ("vpc",)
        scope = "" if kind == "service" else "/".join(of.get(key, "") for key in scopes).strip("/")
        identity = f"{scope}/{entry.name}" if scope else entry.name
    return Numbers(book.give(kind, identity, entry.name), attributes)


class Owners:
    """The owners that entries make together. Each different owner is kept once; owner 0 is nobody."""

    def __init__(self, entries: Sequence[Entry], known: Sequence[Numbers]) -> None:
        self._entries = entries
        self._numbers = known
        self.owners: list[Owner] = [Owner((0,) * len(COLUMNS), (0, 0))]
        self._known: dict[Owner, int] = {self.owners[0]: 0}
        self._by_entries: dict[tuple[Held, ...], int] = {}

    def owner(self, active: tuple[Held, ...]) -> int:
        """The owner that some entries make together; the longest prefix comes first in ``active``."""
        found = self._by_entries.get(active)
        if found is None:
            made = self._make(active)
            found = self._known.setdefault(made, len(self.owners))
            if found == len(self.owners):
                self.owners.append(made)
            self._by_entries[active] = found
        return found

    def _make(self, active: tuple[Held, ...]) -> Owner:
        if not active:
            return self.owners[0]
        services = tuple(held for held in active if self._entries[held[0]].section is Section.SERVICES)
        places = [index for index, _ in active if self._entries[index].section is not Section.SERVICES]
        of: dict[str, int] = {}
        for index in places:
            for key, number in self._numbers[index].attributes.items():
                of.setdefault(key, number)
        host = next((index for index in places if self._entries[index].section is Section.HOSTS), None)
        subnet = next((self._numbers[i].own for i in places if self._entries[i].section is Section.SUBNETS), 0)
        entry = self._entries[host] if host is not None else None
        type_ = entry.type if entry is not None else 0
        own = self._numbers[host].own if host is not None else 0
        device = type_ if type_ not in (POD, POD_NODE) else 0
        values = {
            "region_id": of.get("region", 0),
            "az_id": of.get("az", 0),
            "host_id": own if entry is not None and entry.dictionary == "host" else of.get("host", 0),
            "l3_device_type": device,
            "l3_device_id": own if device else 0,
            "pod_node_id": own if type_ == POD_NODE else of.get("node", 0),
            "pod_ns_id": of.get("namespace", 0),
            "pod_group_id": of.get("workload", 0),
            "pod_id": own if type_ == POD else 0,
            "pod_cluster_id": of.get("cluster", 0),
            "l3_epc_id": of.get("vpc", 0),
            "subnet_id": subnet,
            "auto_instance_id": own,
            "auto_instance_type": type_ or IP,
            "tag_source": _BY_ADDRESS,
        }
        name = entry.name if entry is not None else ""
        return Owner(tuple(values[column] for column in COLUMNS), _service(entry, of, values), name, services)


def _service(entry: Entry | None, of: Mapping[str, int], values: Mapping[str, int]) -> tuple[int, int]:
    """Kind and number of the service where no port says more: the workload, for a node its cluster, else the instance."""
    if "workload" in of:
        return (entry.group_type if entry is not None else 0) or GROUP, of["workload"]
    if values["auto_instance_type"] == POD_NODE and "cluster" in of:
        return CLUSTER, of["cluster"]
    return values["auto_instance_type"], values["auto_instance_id"]

"""What is known of an address at a time, as a row of numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from metaflow_core.api import IdBook
from metaflow_tagger_file.entries import HOST_KINDS, Entry

__all__ = ["COLUMNS", "Held", "Knowledge", "Owner"]

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

IP, POD_GROUP, SERVICE = 255, 101, 102
BY_ADDRESS = 8
_DEVICES = {"chost", "router", "host", "dhcpgw", "redis", "rds", "lb", "natgw"}
_OF_POD = {"cluster": "pod_cluster", "namespace": "pod_ns", "node": "pod_node", "workload": "pod_group"}


Held: TypeAlias = tuple[int, int]
"""An entry that holds an address: its place in the list of entries, and the length of the prefix by which it does."""


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


class Knowledge:
    """Entries, their numbers, and the owners they make. Each different owner is kept once; owner 0 is nobody.

    :raises OverflowError: there are more names than numbers.
    """

    def __init__(self, entries: Sequence[Entry], book: IdBook) -> None:
        self.entries = entries
        self._book = book
        self.owners: list[Owner] = [Owner((0,) * len(COLUMNS), (0, 0))]
        self._known: dict[Owner, int] = {self.owners[0]: 0}
        self._by_entries: dict[tuple[Held, ...], int] = {}
        self.labels: dict[str, dict[int, str]] = {}
        self.service_ids = {
            index: book.give("service", entry.name, entry.name)
            for index, entry in enumerate(entries)
            if entry.section == "services"
        }
        self._numbers = [self._attribute_numbers(entry) for entry in entries]
        self._own = [self._own_number(entry) for entry in entries]

    def _attribute_numbers(self, entry: Entry) -> dict[str, int]:
        out = {}
        for key, name in entry.attributes.items():
            kind = _OF_POD.get(key, key)
            # What belongs to a cluster is told apart by it: every cluster has a namespace 'default'.
            scope = (
                "/".join(entry.attributes.get(each, "") for each in ("cluster", "namespace"))
                if key == "workload"
                else ""
            )
            scope = entry.attributes.get("cluster", "") if key in ("namespace", "node") else scope
            out[key] = self._book.give(kind, f"{scope}/{name}" if scope else name, name)
        return out

    def _own_number(self, entry: Entry) -> int:
        if entry.section == "services":
            return 0
        kind = "subnet" if entry.section == "subnets" else entry.kind
        scopes = ("cluster", "namespace") if kind in ("pod", "pod_node") else ("vpc",)
        scope = "/".join(entry.attributes.get(key, "") for key in scopes).strip("/")
        number = self._book.give(kind, f"{scope}/{entry.name}" if scope else entry.name, entry.name)
        if entry.labels:
            dictionary = "pod_label" if kind == "pod" else "cloud_tag"
            text = json.dumps(dict(entry.labels), ensure_ascii=False, sort_keys=True)
            self.labels.setdefault(dictionary, {})[number] = text
        return number

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
        services = tuple(held for held in active if self.entries[held[0]].section == "services")
        places = [index for index, _ in active if self.entries[index].section != "services"]
        numbers: dict[str, int] = {}
        for index in places:
            for key, number in self._numbers[index].items():
                numbers.setdefault(key, number)
        host = next((index for index in places if self.entries[index].section == "hosts"), None)
        subnet = next((self._own[index] for index in places if self.entries[index].section == "subnets"), 0)
        kind = self.entries[host].kind if host is not None else ""
        own = self._own[host] if host is not None else 0
        values = {
            "region_id": numbers.get("region", 0),
            "az_id": numbers.get("az", 0),
            "host_id": own if kind == "host" else numbers.get("host", 0),
            "l3_device_type": HOST_KINDS[kind] if kind in _DEVICES else 0,
            "l3_device_id": own if kind in _DEVICES else 0,
            "pod_node_id": own if kind == "pod_node" else numbers.get("node", 0),
            "pod_ns_id": numbers.get("namespace", 0),
            "pod_group_id": numbers.get("workload", 0),
            "pod_id": own if kind == "pod" else 0,
            "pod_cluster_id": numbers.get("cluster", 0),
            "l3_epc_id": numbers.get("vpc", 0),
            "subnet_id": subnet,
            "auto_instance_id": own,
            "auto_instance_type": HOST_KINDS[kind] if kind else IP,
            "tag_source": BY_ADDRESS,
        }
        service = (POD_GROUP, numbers["workload"]) if "workload" in numbers else (values["auto_instance_type"], own)
        name = self.entries[host].name if host is not None else ""
        return Owner(tuple(values[column] for column in COLUMNS), service, name, services)

"""What is known of an address at a time, as a row of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaflow_core.tagging.entries import Entry, Section
from metaflow_core.tagging.grown import Grown
from metaflow_core.tagging.held import Held, Slots
from metaflow_core.tagging.ports import Ports

__all__ = ["COLUMNS", "Held", "Owners"]

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

IP, POD, POD_NODE, GROUP, CLUSTER = 255, 10, 14, 101, 103
_BY_ADDRESS = 8
_TYPES = {"l3_epc_id": np.int32, "l3_device_type": np.uint8, "auto_instance_type": np.uint8, "tag_source": np.uint8}


class Owners:
    """The owners that entries make together, as columns that grow; owner 0 is nobody.

    :param slots: what is known.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._columns = [Grown(_TYPES.get(name, np.uint32)) for name in COLUMNS]
        self._new: list[tuple[int, ...]] = []
        self._by_entries: dict[tuple[Held, ...], int] = {}
        self.names: list[str] = []
        self.ports = Ports(slots)
        self.owner(())

    def __len__(self) -> int:
        return len(self.names)

    def owner(self, active: tuple[Held, ...]) -> int:
        """The owner that some entries make together; the longest prefix comes first in ``active``."""
        found = self._by_entries.get(active)
        if found is None:
            found = len(self.names)
            self._make(active)
            if not self.names[found]:
                # What a host owns is hardly asked for again; what lies between hosts is the same thousands of times.
                self._by_entries[active] = found
        return found

    def columns(self) -> Mapping[str, NDArray[Any]]:
        """For each of :data:`COLUMNS`, the number of each owner."""
        if self._new:
            for column, values in zip(self._columns, zip(*self._new, strict=True), strict=True):
                column.extend(values)
            self._new = []
        return MappingProxyType({name: column.view() for name, column in zip(COLUMNS, self._columns, strict=True)})

    def _make(self, active: tuple[Held, ...]) -> None:
        if not active:
            self._new.append((0,) * len(COLUMNS))
            self.names.append("")
            self.ports.add((), (0, 0))
            return
        slots = self._slots
        places = [slot for slot, _ in active if slots.entry(slot).section is not Section.SERVICES]
        services = [held for held in active if slots.entry(held[0]).section is Section.SERVICES]
        of: dict[str, int] = {}
        for slot in places:
            for key, number in slots.attributes[slot].items():
                of.setdefault(key, number)
        at = next((slot for slot in places if slots.entry(slot).section is Section.HOSTS), None)
        subnet = next((slots.own[slot] for slot in places if slots.entry(slot).section is Section.SUBNETS), 0)
        host, own = (slots.entry(at), slots.own[at]) if at is not None else (None, 0)
        type_ = host.type if host is not None else 0
        device = type_ if type_ not in (POD, POD_NODE) else 0
        values = {
            "region_id": of.get("region", 0),
            "az_id": of.get("az", 0),
            "host_id": own if host is not None and host.dictionary == "host" else of.get("host", 0),
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
        self._new.append(tuple(values[column] for column in COLUMNS))
        self.names.append(host.name if host is not None else "")
        self.ports.add(services, _service(host, of, values))


def _service(entry: Entry | None, of: Mapping[str, int], values: Mapping[str, int]) -> tuple[int, int]:
    """Kind and number of the service where no port says more: the workload, for a node its cluster, else the instance."""
    if "workload" in of:
        return (entry.group_type if entry is not None else 0) or GROUP, of["workload"]
    if values["auto_instance_type"] == POD_NODE and "cluster" in of:
        return CLUSTER, of["cluster"]
    return values["auto_instance_type"], values["auto_instance_id"]

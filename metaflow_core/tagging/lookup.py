"""Everything that a tagger knows, made ready for looking up; never changed, so that new knowledge is one assignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metaflow_core.model.catalog import Catalog
from metaflow_core.tagging.entries import Entry, Section
from metaflow_core.tagging.owners import COLUMNS, Numbers, Owners
from metaflow_core.tagging.ports import Ports
from metaflow_core.tagging.ranges import Ranges

__all__ = ["Lookup", "build"]

_TYPES = {"l3_epc_id": np.int32, "l3_device_type": np.uint8, "auto_instance_type": np.uint8, "tag_source": np.uint8}


@dataclass(frozen=True, slots=True)
class Lookup:
    """Addresses to owners, owners to numbers, owners and ports to services.

    :ivar columns: for each of :data:`COLUMNS`, the number of each owner. :ivar server_role: what ``role`` holds in rows of a server.
    """

    four: Ranges
    six: Ranges
    ports: Ports
    columns: Mapping[str, NDArray[np.generic]]
    server_role: int
    entries: int
    instances: pa.Array
    services: Mapping[int, str]

    def instance_names(self, owners: NDArray[np.int32]) -> pa.Array:
        """Names of hosts."""
        return self.instances.take(pa.array(owners))

    def service_names(self, numbers: NDArray[np.uint32]) -> pa.Array:
        """Names of services; empty for 0."""
        encoded = pa.array(numbers).dictionary_encode()
        names = [self.services.get(number, "") for number in encoded.dictionary.to_pylist()]
        return pa.array(names, pa.utf8()).take(encoded.indices)


def build(entries: Sequence[Entry], known: Sequence[Numbers], catalog: Catalog) -> Lookup:
    """Makes entries ready.

    :param known: the numbers of each entry.
    """
    owners = Owners(entries, known)
    four, six = (Ranges(version, entries, owners.owner) for version in (4, 6))
    services = {i: known[i].own for i, entry in enumerate(entries) if entry.section is Section.SERVICES}
    columns = {
        name: np.array([owner.values[index] for owner in owners.owners], _TYPES.get(name, np.uint32))
        for index, name in enumerate(COLUMNS)
    }
    role = catalog.enum("role").value("server")
    return Lookup(
        four,
        six,
        Ports(owners.owners, entries, services),
        MappingProxyType(columns),
        role if isinstance(role, int) else 1,
        len(entries),
        pa.array([owner.name for owner in owners.owners], pa.utf8()),
        MappingProxyType({number: entries[index].name for index, number in services.items()}),
    )

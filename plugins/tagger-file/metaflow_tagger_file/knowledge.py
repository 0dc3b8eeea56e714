"""Everything that the files say, made ready for looking up; never changed, so that a reload is one assignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metaflow_core.api import IdBook
from metaflow_core.model.catalog import Catalog
from metaflow_tagger_file.entries import HOST_KINDS, Entry
from metaflow_tagger_file.ports import Ports
from metaflow_tagger_file.ranges import Ranges
from metaflow_tagger_file.rows import COLUMNS, Knowledge

__all__ = ["Lookup", "build", "dictionaries"]

_TYPES = {"l3_epc_id": np.int32, "l3_device_type": np.uint8, "auto_instance_type": np.uint8, "tag_source": np.uint8}
_OWNERS = (*HOST_KINDS, "service", "pod_group")


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
    labels: Mapping[str, Mapping[int, str]]
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


def build(entries: Sequence[Entry], book: IdBook, catalog: Catalog) -> Lookup:
    """Makes entries ready.

    :raises OverflowError: there are more names than numbers.
    """
    knowledge = Knowledge(entries, book)
    four, six = (Ranges(version, entries, knowledge.owner) for version in (4, 6))
    owners = knowledge.owners
    columns = {
        name: np.array([owner.values[index] for owner in owners], _TYPES.get(name, np.uint32))
        for index, name in enumerate(COLUMNS)
    }
    role = catalog.enum("role").value("server")
    return Lookup(
        four,
        six,
        Ports(owners, entries, knowledge.service_ids),
        MappingProxyType(columns),
        role if isinstance(role, int) else 1,
        len(entries),
        MappingProxyType(knowledge.labels),
        pa.array([owner.name for owner in owners], pa.utf8()),
        MappingProxyType({number: entries[index].name for index, number in knowledge.service_ids.items()}),
    )


def dictionaries(book: IdBook, lookup: Lookup) -> dict[str, dict[int, str]]:
    """The names of all numbers by the catalogue's name of the dictionary, those of former names too."""
    names = book.names()
    out: dict[str, dict[int, str]] = {kind: dict(known) for kind, known in names.items()}
    # Numbers are unique over all kinds, so the dictionary of owners of any kind needs no kind.
    out["device"] = {number: name for kind in _OWNERS for number, name in names.get(kind, {}).items()}
    out.update((dictionary, dict(labels)) for dictionary, labels in lookup.labels.items())
    return {dictionary: known for dictionary, known in sorted(out.items()) if known}

"""Turns stored values into what a person reads: names for numbers, text for addresses, maps for lists of names and values.

Works on whole columns: only different values are translated one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from metaflow_core.model.catalog.catalog import Catalog
from metaflow_core.model.catalog.values import Column, Enum, Table, Tag

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["address_text", "decode", "decode_column"]


def decode(batch: pa.RecordBatch, table: Table, catalog: Catalog) -> pa.RecordBatch:
    """The batch with the same rows, and columns for people.

    * numbers of an enumeration become names; a set of bits becomes names with ``|`` between; a number without a name stays
      as text;
    * ``ip4_0`` and ``ip6_0`` become ``ip_0``, a text (and ``ip4``, ``ip6`` become ``ip``); ``is_ipv4`` goes when nothing needs it;
    * ``attribute_names`` and ``attribute_values`` become ``attributes``, a map; likewise ``metrics``, ``tags`` and ``labels``;
    * MAC addresses become text, a time in nanoseconds an integer, other times stay times in UTC.

    Columns that the table does not have (results of a query) stay as they are.
    """
    import pyarrow as pa

    columns = {name: batch.column(index) for index, name in enumerate(batch.schema.names)}
    out: dict[str, pa.Array] = {}
    # Also where a store keeps the map by a number (labels of a series): what is sent or shown has the two lists.
    pairs = {f"{tag.name}_names": tag for tag in table.tags if tag.kind == "map" and f"{tag.name}_values" in columns}
    values = {f"{tag.name}_values" for name, tag in pairs.items() if name in columns}
    for name, array in columns.items():
        column = table.by_name.get(name)
        if name in pairs:
            out[_plural(pairs[name])] = _map(array, columns[f"{pairs[name].name}_values"])
        elif name in values or (name == "is_ipv4" and "ip" in {each.partition("_")[0] for each in out}):
            continue
        elif isinstance(column, Column) and column.base in ("ip4", "ip6") and "is_ipv4" in columns:
            joined = name.replace("ip6", "ip").replace("ip4", "ip")
            if joined not in out:
                out[joined] = _address(columns, name)
        elif isinstance(column, Column):
            out[name] = decode_column(array, column, catalog)
        else:
            out[name] = array
    return pa.RecordBatch.from_arrays(list(out.values()), names=list(out))


def _plural(tag: Tag) -> str:
    return tag.name if tag.name.endswith("s") else f"{tag.name}s"


def decode_column(array: pa.Array, column: Column, catalog: Catalog) -> pa.Array:
    """One column for people."""
    import pyarrow as pa

    if column.enum and column.type not in ("lowcard", "string"):
        enum: Enum = catalog.enum(column.enum)
        return _by_value(array, enum.name_of)
    if column.type in ("ip4", "ip6", "mac"):
        return address_text(array, column.type)
    if column.type == "time_ns":
        return array.cast(pa.int64())
    if column.type == "lowcard" and pa.types.is_dictionary(array.type):
        return array.cast(pa.utf8())
    return array


def address_text(array: pa.Array, type_: str) -> pa.Array:
    """Addresses as people write them; ``type_`` is ``ip4``, ``ip6`` or ``mac``."""
    translate: dict[str, Callable[[Any], str]] = {"ip4": _ip4_text, "ip6": _ip6_text, "mac": _mac_text}
    return _by_value(array, translate[type_])


def _by_value(array: pa.Array, translate: Callable[[Any], str]) -> pa.Array:
    """Texts for values: each different value is translated once."""
    import pyarrow as pa

    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    names = [None if value is None else translate(value) for value in encoded.dictionary.to_pylist()]
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(names, pa.utf8())).cast(pa.utf8())


def _address(columns: dict[str, pa.Array], name: str) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    four, six = (columns.get(name.replace("ip6", "ip4").replace("ip4", family)) for family in ("ip4", "ip6"))
    rows = len(columns[name])
    text4 = address_text(four, "ip4") if four is not None else pa.nulls(rows, pa.utf8())
    text6 = address_text(six, "ip6") if six is not None else pa.nulls(rows, pa.utf8())
    return pc.if_else(columns["is_ipv4"].cast(pa.bool_()), text4, text6)


def _map(names: pa.Array, values: pa.Array) -> pa.Array:
    """A map from two lists of equal lengths; where the lengths differ, the surplus is left out."""
    import pyarrow as pa

    value_type = values.type.value_type
    target = pa.map_(pa.utf8(), value_type)
    if len(names.flatten()) == 0:
        empty = pa.ListArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), len(names) + 1), pa.nulls(0, pa.utf8()))
        return pa.MapArray.from_arrays(empty.offsets, pa.nulls(0, pa.utf8()), pa.nulls(0, value_type))
    # Row by row: lists of different length are a producer's mistake that must not shift the values of later rows.
    pairs = [
        list(dict(zip(keys or (), held or (), strict=False)).items())
        for keys, held in zip(names.to_pylist(), values.to_pylist(), strict=True)
    ]
    return pa.array(pairs, target)


def _ip4_text(value: int) -> str:
    return f"{value >> 24 & 255}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def _ip6_text(value: bytes) -> str:
    import ipaddress

    return str(ipaddress.IPv6Address(value))


def _mac_text(value: int) -> str:
    return ":".join(f"{value >> shift & 255:02x}" for shift in range(40, -8, -8))

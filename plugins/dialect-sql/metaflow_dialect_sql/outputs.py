"""From stored values to what a person reads: names of enumeration members, texts of addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from metaflow_core.model.catalog import Catalog, Column, Enum
from metaflow_core.model.catalog.decode import decode_column

__all__ = ["Output", "present"]


@dataclass(frozen=True, slots=True)
class Output:
    """One column of an answer.

    :ivar column: the catalogue's column whose values it holds; None for others.
    :ivar is_shown: enumeration members as they are shown to people (``Server error``), not as they are written (``server_error``).
    """

    name: str
    unit: str = ""
    column: Column | None = None
    is_shown: bool = False


def present(table: pa.Table, outputs: Sequence[Output], catalog: Catalog) -> pa.Table:
    """The columns of the answer in order, translated."""
    arrays: dict[str, pa.Array] = {}
    for output in outputs:
        array = table.column(output.name).combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.nulls(0, array.type)
        arrays[output.name] = _translated(array, output, catalog)
    return pa.table(arrays)


def _translated(array: pa.Array, output: Output, catalog: Catalog) -> pa.Array:
    column = output.column
    if column is not None and pa.types.is_list(array.type):
        values = _values(array.values, output, column, catalog)
        return pa.ListArray.from_arrays(array.offsets, values) if array.null_count == 0 else _lists(array, values)
    if column is None:
        return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array
    return _values(array, output, column, catalog)


def _lists(array: pa.Array, values: pa.Array) -> pa.Array:
    """Lists with missing ones among them, which hold nothing."""
    texts, starts = values.to_pylist(), array.offsets.to_pylist()
    rows = [
        None if missing else texts[start:end]
        for missing, start, end in zip(array.is_null().to_pylist(), starts, starts[1:], strict=False)
    ]
    return pa.array(rows, pa.list_(values.type))


def _values(array: pa.Array, output: Output, column: Column, catalog: Catalog) -> pa.Array:
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if column.enum and output.is_shown:
        return _shown(array, catalog.enum(column.enum))
    if column.enum and column.type not in ("lowcard", "string"):
        return decode_column(array, column, catalog) if pa.types.is_integer(kind) else array
    if column.type in ("ip4", "mac") and not pa.types.is_integer(kind):
        return array
    if column.type == "ip6" and not (pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind)):
        return array
    return decode_column(array, column, catalog)


def _shown(array: pa.Array, enum: Enum) -> pa.Array:
    names = {member.value: member.display or member.name for member in enum.members}
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    texts = [
        None if value is None else names.get(value, enum.name_of(value)) for value in encoded.dictionary.to_pylist()
    ]
    return pa.DictionaryArray.from_arrays(encoded.indices, pa.array(texts, pa.utf8())).cast(pa.utf8())

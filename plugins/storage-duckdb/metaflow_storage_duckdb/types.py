"""Arrow types, which plans are typed by, and what they are in DuckDB.

Moments are kept as integers in the unit of their column: DuckDB's own times have one unit in arithmetic and reserve values for
infinity. Addresses of IPv6 are blobs, names of few values are plain texts (DuckDB compresses both by itself).
"""

from __future__ import annotations

import pyarrow as pa

from metaflow_core.errors import UnsupportedQuery

__all__ = ["bounds", "is_text", "restore", "sql_type", "stored_array"]

_PLAIN = {
    pa.uint8(): "UTINYINT",
    pa.uint16(): "USMALLINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.utf8(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.null(): "INTEGER",
}


def sql_type(type_: pa.DataType) -> str:
    """What an Arrow type is in DuckDB.

    :raises UnsupportedQuery: nothing.
    """
    if pa.types.is_timestamp(type_):
        return "BIGINT"
    if pa.types.is_dictionary(type_):
        return sql_type(type_.value_type)
    if pa.types.is_fixed_size_binary(type_):
        return "BLOB"
    if pa.types.is_list(type_):
        return f"{sql_type(type_.value_type)}[]"
    found = _PLAIN.get(type_)
    if found is None:
        raise UnsupportedQuery(f"the DuckDB storage keeps no values of the type {type_}")
    return found


def is_text(type_: pa.DataType) -> bool:
    """Texts, with or without a dictionary."""
    return bool(pa.types.is_string(type_) or pa.types.is_dictionary(type_))


def bounds(type_: pa.DataType) -> tuple[int, int]:
    """Smallest and greatest value of an integer type; of a moment those of 64 bits."""
    if pa.types.is_timestamp(type_):
        type_ = pa.int64()
    if pa.types.is_unsigned_integer(type_):
        return 0, (1 << type_.bit_width) - 1
    return -(1 << type_.bit_width - 1), (1 << type_.bit_width - 1) - 1


def stored_array(array: pa.Array) -> pa.Array:
    """A column of a conformed batch as DuckDB takes it."""
    return array.cast(pa.int64()) if pa.types.is_timestamp(array.type) else array


def restore(array: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    """A column of DuckDB's answer as the type that the plan gave it."""
    if array.type == type_:
        return array
    if pa.types.is_null(type_):
        return pa.chunked_array([pa.nulls(len(array))])
    if pa.types.is_dictionary(type_):
        return array.cast(type_.value_type).dictionary_encode().cast(type_)
    if pa.types.is_fixed_size_binary(type_):
        return array.cast(pa.binary()).cast(type_)
    return array.cast(type_)

"""Arrow columns as blocks of ClickHouse's Native format, with numpy: the bytes that the engine keeps, column by column.

Format: ClickHouse's documentation of Native, and of LowCardinality's serialisation (version 1, one shared dictionary a block).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Part", "encode_block", "encode_parts"]

Part: TypeAlias = Any
"""Something with a buffer of bytes: bytes, an array, a view."""

_WIDTHS = {
    **{f"{sign}Int{bits}": bits // 8 for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "Float64": 8, "IPv4": 4, "IPv6": 16,
}  # fmt: skip
_KEYS_ADDED, _UPDATES_DICTIONARY = 1 << 9, 1 << 10


def encode_block(
    columns: Sequence[tuple[str, str, pa.Array]], rows: int, constants: Sequence[tuple[str, str, bytes]] = ()
) -> bytes:
    """One block as bytes; see :func:`encode_parts`."""
    return b"".join(encode_parts(columns, rows, constants))


def encode_parts(
    columns: Sequence[tuple[str, str, pa.Array]], rows: int, constants: Sequence[tuple[str, str, bytes]] = ()
) -> list[memoryview]:
    """One block as the pieces it is made of, most of them the columns' own memory: to put them together costs as much as to encode them.

    :param columns: name, ClickHouse type (as :mod:`~metaflow_storage_clickhouse.schema.types` writes it) and values; times are
        timestamps of the column's unit.
    :param constants: name, type and the bytes of one value, the same in every row.
    :raises TypeError: a type is not one that the schema uses.
    """
    parts: list[Part] = [_varint(len(columns) + len(constants)), _varint(rows)]
    for name, type_, array in columns:
        parts += [_text(name), _text(type_), *(_column(array, type_) if rows else ())]
    for name, type_, value in constants:
        parts += [_text(name), _text(type_), value * rows]
    views = (memoryview(part) for part in parts)
    return [view.cast("B") for view in views if view.nbytes]


def _column(array: pa.Array, type_: str) -> list[Part]:
    if type_.startswith("Nullable("):
        inner, count = type_[9:-1], len(array)
        if not array.null_count:
            return [bytes(count), *_column(array, inner)]
        if array.null_count == count and inner in _WIDTHS:
            return [b"\1" * count, bytes(count * _WIDTHS[inner])]
        nulls = np.asarray(pc.is_null(array).cast(pa.uint8()))
        return [nulls, *_column(_without_nulls(array), inner)]
    if type_.startswith("LowCardinality("):
        return _low_cardinality(array, nullable="Nullable" in type_)
    if type_.startswith("Array("):
        return _array(array, type_[6:-1])
    if type_ == "String":
        return [_strings(array)]
    if type_ == "Bool":
        return [np.asarray(array.cast(pa.uint8())).tobytes()]
    if type_.startswith("DateTime64"):
        return [_fixed(array, 8)]
    if type_.startswith("DateTime"):
        seconds = np.asarray(array.cast(pa.int64()))
        return [np.clip(seconds, 0, 0xFFFFFFFF).astype(np.uint32)]
    if type_ in _WIDTHS:
        return [_fixed(array, _WIDTHS[type_])]
    raise TypeError(f"the Native encoder does not know the type {type_}")


def _without_nulls(array: pa.Array) -> pa.Array:
    """What stands in a missing value's place does not matter, but something must."""
    if not array.null_count:
        return array
    if pa.types.is_timestamp(array.type):
        return array.cast(pa.int64()).fill_null(0)
    zero: Any = {pa.utf8(): "", pa.binary(): b"", pa.bool_(): False, pa.binary(16): bytes(16)}.get(array.type, 0)
    return array.fill_null(pa.scalar(zero, array.type))


def _fixed(array: pa.Array, width: int) -> memoryview | bytes:
    buffer = array.buffers()[1]
    return memoryview(buffer)[array.offset * width : (array.offset + len(array)) * width] if buffer is not None else b""


def _strings(array: pa.Array) -> np.ndarray[Any, Any]:
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    _, offsets, data = array.buffers()
    if offsets is None or not len(array):
        return np.empty(0, np.uint8)
    bounds = np.frombuffer(offsets, np.int64 if wide else np.int32)[array.offset : array.offset + len(array) + 1]
    held = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return _prefixed(bounds.astype(np.int64), held)


def _prefixed(bounds: np.ndarray[Any, Any], held: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Texts one after the other, each behind its length as a variable-length number."""
    lengths = np.diff(bounds)
    held = held[bounds[0] : bounds[-1]]
    if not len(held):
        return np.zeros(len(lengths), np.uint8)
    longest = int(lengths.max())
    if longest < 1 << 7:
        return _prefixed_short(bounds[:-1] - bounds[0], lengths, held, longest)
    sizes = 1 + (lengths >= 1 << 7) + (lengths >= 1 << 14) + (lengths >= 1 << 21) + (lengths >= 1 << 28)
    before = np.zeros(len(lengths), np.int64)
    np.cumsum(sizes[:-1], out=before[1:])
    starts = bounds[:-1] - bounds[0] + before
    out = np.empty(len(held) + int(sizes.sum()), np.uint8)
    is_text = np.ones(len(out), bool)
    rest = lengths.copy()
    for step in range(int(sizes.max())):
        more = sizes > step
        at = starts[more] + step
        is_text[at] = False
        out[at] = (rest[more] & 0x7F) | np.where(sizes[more] > step + 1, 0x80, 0)
        rest >>= 7
    out[is_text] = held
    return out


def _prefixed_short(
    starts: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any], held: np.ndarray[Any, Any], longest: int
) -> np.ndarray[Any, Any]:
    """The same where every length is one byte; identifiers, which are all as long, are a matrix."""
    count = len(lengths)
    out = np.empty(len(held) + count, np.uint8)
    if len(held) == count * longest:
        matrix = out.reshape(count, longest + 1)
        matrix[:, 0] = longest
        matrix[:, 1:] = held.reshape(count, longest)
        return out
    at = starts + np.arange(count)
    is_text = np.ones(len(out), bool)
    is_text[at] = False
    out[at] = lengths
    out[is_text] = held
    return out


def _low_cardinality(array: pa.Array, *, nullable: bool) -> list[Part]:
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    values, indices = array.dictionary, array.indices
    if values.null_count or len(values) > 2 * len(array) + 256:
        # A dictionary much larger than the rows was shared by more rows than these.
        array = array.cast(pa.utf8()).dictionary_encode()
        values, indices = array.dictionary, array.indices
    # Key 0 is the default value; a nullable column has its missing value before it.
    ahead = 2 if nullable else 1
    count = len(values) + ahead
    kind, width = (0, np.uint8) if count <= 1 << 8 else (1, np.uint16) if count <= 1 << 16 else (2, np.uint32)
    held = indices.fill_null(-ahead) if indices.null_count else indices
    keys = np.asarray(held).astype(np.int32, copy=False) + ahead
    header = np.array([1, kind | _KEYS_ADDED | _UPDATES_DICTIONARY, count], np.uint64).tobytes()
    total = np.array([len(array)], np.uint64).tobytes()
    return [header, b"\0" * ahead, _strings(values.cast(pa.utf8())), total, keys.astype(width)]


def _array(array: pa.Array, inner: str) -> list[Part]:
    if array.null_count:
        array = pc.if_else(pc.is_valid(array), array, pa.scalar([], array.type))
    ends = np.cumsum(np.asarray(pc.list_value_length(array)).astype(np.uint64), dtype=np.uint64)
    values = pc.list_flatten(array)
    return [ends.tobytes(), *_column(_without_nulls(values), inner)] if len(values) else [ends.tobytes()]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(value: str) -> bytes:
    data = value.encode()
    return _varint(len(data)) + data

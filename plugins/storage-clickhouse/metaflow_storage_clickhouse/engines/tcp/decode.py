"""Blocks of the Native format as Arrow, in the types that ClickHouse's own Arrow output has.

Format: ClickHouse's documentation of Native; bodies of LowCardinality, Nullable, Array and Tuple as its serialisations write them:
first the prefixes of a column and of all within it, then their values.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from metaflow_storage_clickhouse.engines.tcp.types import Spec, parse_type
from metaflow_storage_clickhouse.errors import ClickHouseError

__all__ = ["Source", "read_block"]

_MOST_COLUMNS, _MOST_ROWS = 100_000, 1 << 31
_KINDS = (np.uint8, np.uint16, np.uint32, np.uint64)
_PLAIN = MappingProxyType(
    {
        **{f"{sign}Int{bits}": getattr(pa, f"{kind}int{bits}")() for sign, kind in (("U", "u"), ("", "")) for bits in (8, 16, 32, 64)},
        "Float32": pa.float32(), "Float64": pa.float64(), "Enum8": pa.int8(), "Enum16": pa.int16(), "Date32": pa.date32(),
        "DateTime": pa.uint32(), "IPv4": pa.uint32(), "IPv6": pa.binary(16), "Time": pa.time32("s"),
        "Int128": pa.binary(16), "UInt128": pa.binary(16), "Int256": pa.binary(32), "UInt256": pa.binary(32),
        "IntervalSecond": pa.duration("s"), "IntervalMillisecond": pa.duration("ms"), "IntervalMicrosecond": pa.duration("us"),
        "IntervalNanosecond": pa.duration("ns"),
        **{f"Interval{step}": pa.int64() for step in ("Minute", "Hour", "Day", "Week", "Month", "Quarter", "Year")},
    }
)  # fmt: skip
"""Values of a fixed width that Arrow takes as they are."""


class Source(Protocol):
    """Where bytes come from; all of them or an error."""

    def read(self, size: int, /) -> bytes:
        """So many bytes."""
        ...

    def read_strings_arrow(self, count: int, /) -> tuple[bytes, bytes]:
        """Texts that each stand behind their length: offsets as 64 bits each, one more than texts, and their bytes."""
        ...


def read_block(source: Source, varint: Callable[[], int], zone: str) -> pa.RecordBatch:
    """One block.

    :param varint: reads a number of a variable length from the source. :param zone: of times whose type names none: the server's.
    :raises ClickHouseError: a type is not known, or this is no block.
    """
    width, rows = varint(), varint()
    if width > _MOST_COLUMNS or rows >= _MOST_ROWS:
        raise ClickHouseError(f"a block of {width} columns and {rows} rows came, which cannot be", 0)
    arrays, fields = [], []
    for _ in range(width):
        name, type_ = (source.read(varint()).decode(errors="replace") for _ in range(2))
        try:
            spec = parse_type(type_, zone)
        except (ValueError, IndexError) as error:
            raise ClickHouseError(f"the column {name!r} has a type that cannot be read: {error}", 50) from error
        array = _column(source, spec, rows, name, type_)
        arrays.append(array)
        fields.append(pa.field(name, array.type, nullable=spec.nullable))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _column(source: Source, spec: Spec, rows: int, name: str, type_: str) -> pa.Array:
    try:
        if rows:
            _prefix(source, spec)
        return _values(source, spec, rows)
    except KeyError as error:
        raise ClickHouseError(
            f"the column {name!r} has the type {type_}, which is not read over the native protocol; select it as toString({name}), "
            "or give the HTTP port in the url",
            50,
        ) from error


def _prefix(source: Source, spec: Spec) -> None:
    if spec.name == "LowCardinality":
        source.read(8)
        return
    for inner in spec.inner:
        _prefix(source, inner)


def _values(source: Source, spec: Spec, rows: int) -> pa.Array:
    match spec.name:
        case "String":
            return _texts(source, rows)
        case "Nullable":
            missing = np.frombuffer(source.read(rows), np.uint8)
            return _masked(_values(source, spec.inner[0], rows), missing)
        case "Nothing":
            source.read(rows)
            return pa.nulls(rows)
        case "LowCardinality":
            return _low_cardinality(source, spec.inner[0], rows)
        case "Array":
            return _array(source, spec, rows)
        case "Tuple":
            children = [_values(source, inner, rows) for inner in spec.inner]
            fields = [
                pa.field(name, child.type, nullable=inner.nullable)
                for name, child, inner in zip(spec.names, children, spec.inner, strict=True)
            ]
            return pa.StructArray.from_arrays(children, fields=fields) if fields else _empty_tuples(source, rows)
        case "FixedString":
            return _fixed(pa.binary(int(spec.words[0])), int(spec.words[0]), rows, source)
        case "Bool":
            return pa.array(np.frombuffer(source.read(rows), np.uint8) != 0)
        case "Date":
            return pa.array(np.frombuffer(source.read(rows * 2), "<u2").astype(np.int32)).cast(pa.date32())
        case "DateTime64":
            return _moments(source, spec, rows)
        case "Time64":
            return _ticks(
                source,
                int(spec.words[0]),
                rows,
                lambda unit: pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit),
            )
        case "UUID":
            halves = np.frombuffer(source.read(rows * 16), "<u8").astype(">u8")
            held = pa.Array.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(halves.tobytes())])
            return pa.ExtensionArray.from_storage(pa.uuid(), held) if hasattr(pa, "uuid") else held
        case "Decimal":
            return _decimals(source, int(spec.words[0]), int(spec.words[1]), rows)
        case _:
            type_ = _PLAIN[spec.name]
            return _fixed(type_, type_.bit_width // 8, rows, source)


def _fixed(type_: pa.DataType, width: int, rows: int, source: Source) -> pa.Array:
    return pa.Array.from_buffers(type_, rows, [None, pa.py_buffer(source.read(rows * width))])


def _texts(source: Source, rows: int) -> pa.Array:
    if not rows:
        return pa.array([], pa.utf8())
    offsets, data = source.read_strings_arrow(rows)
    if len(data) > 0x7FFFFFFF:
        raise ClickHouseError("a block has texts of more than 2 GiB; ask for fewer rows, or set max_block_size", 396)
    bounds = np.frombuffer(offsets, np.int64).astype(np.int32)
    return pa.Array.from_buffers(pa.utf8(), rows, [None, pa.py_buffer(bounds), pa.py_buffer(data)])


def _masked(array: pa.Array, missing: np.ndarray[Any, Any]) -> pa.Array:
    if not missing.any() or pa.types.is_null(array.type):
        return array
    held = array.storage if isinstance(array, pa.ExtensionArray) else array
    bits = pa.py_buffer(np.packbits(missing == 0, bitorder="little").tobytes())
    children = [held.field(at) for at in range(held.type.num_fields)] if pa.types.is_struct(held.type) else None
    masked = pa.Array.from_buffers(
        held.type, len(held), [bits, *held.buffers()[1 : held.type.num_buffers]], children=children
    )
    return pa.ExtensionArray.from_storage(array.type, masked) if isinstance(array, pa.ExtensionArray) else masked


def _low_cardinality(source: Source, spec: Spec, rows: int) -> pa.Array:
    nullable = spec.name == "Nullable"
    inner = spec.inner[0] if nullable else spec
    if not rows:
        return pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), _values(source, inner, 0))
    flags, count = (int(each) for each in np.frombuffer(source.read(16), "<u8"))
    values = _values(source, inner, count)
    (total,) = np.frombuffer(source.read(8), "<u8")
    kind = np.dtype(_KINDS[flags & 3]).newbyteorder("<")
    keys = np.frombuffer(source.read(rows * kind.itemsize), kind).astype(np.int32)
    if int(total) != rows or int(keys.max(initial=0)) >= count:
        raise ClickHouseError("a dictionary in a block does not hold together", 0)
    indices = pa.array(keys, mask=keys == 0 if nullable else None)
    return pa.DictionaryArray.from_arrays(indices, values)


def _array(source: Source, spec: Spec, rows: int) -> pa.Array:
    ends = np.frombuffer(source.read(rows * 8), "<u8")
    total = int(ends[-1]) if rows else 0
    if total >= _MOST_ROWS or (ends[1:] < ends[:-1]).any():
        raise ClickHouseError("the lengths of lists in a block cannot be", 0)
    bounds = np.concatenate((np.zeros(1, np.int32), ends.astype(np.int32)))
    inner = spec.inner[0]
    values = _values(source, inner, total)
    if spec.names == ("map",):
        kept = pa.map_(pa.field("key", values.type.field(0).type, nullable=False), values.type.field(1))
    else:
        kept = pa.list_(pa.field("item", values.type, nullable=inner.nullable))
    return pa.Array.from_buffers(kept, rows, [None, pa.py_buffer(bounds)], children=[values])


def _empty_tuples(source: Source, rows: int) -> pa.Array:
    source.read(rows)
    return pa.array([{}] * rows, pa.struct([]))


def _moments(source: Source, spec: Spec, rows: int) -> pa.Array:
    return _ticks(source, int(spec.words[0]), rows, lambda unit: pa.timestamp(unit, spec.words[1]))


def _ticks(source: Source, digits: int, rows: int, type_of: Callable[[str], pa.DataType]) -> pa.Array:
    """Counts of a part of a second with so many digits, in the next unit of Arrow."""
    unit, kept = next((each for each in (("s", 0), ("ms", 3), ("us", 6)) if digits <= each[1]), ("ns", 9))
    counts = np.frombuffer(source.read(rows * 8), "<i8") * 10 ** (kept - digits)
    type_ = type_of(unit)
    counts = counts.astype(np.int32) if type_.bit_width == 32 else counts
    return pa.Array.from_buffers(type_, rows, [None, pa.py_buffer(counts.tobytes())])


def _decimals(source: Source, precision: int, scale: int, rows: int) -> pa.Array:
    width = 4 if precision <= 9 else 8 if precision <= 18 else 16 if precision <= 38 else 32
    data = source.read(rows * width)
    if width <= 8:
        low = np.frombuffer(data, f"<i{width}").astype(np.int64)
        data = np.stack((low, low >> 63), axis=1).tobytes()
    type_ = pa.decimal128(precision, scale) if width <= 16 else pa.decimal256(precision, scale)
    return pa.Array.from_buffers(type_, rows, [None, pa.py_buffer(data)])

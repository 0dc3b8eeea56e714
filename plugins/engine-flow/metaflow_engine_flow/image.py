"""Reads the engine's self-describing column image (magic ``MFT1``; the layout stands in ``mf-column``'s ``image`` module).

The arrays are slices of the buffer that was handed in: nothing is copied here. Offsets and lengths are checked, and the
finished batch is validated, because a WebAssembly build is chosen by those who trust nothing.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from metaflow_core.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

MAGIC = b"MFT1"
_HEADER = struct.Struct("<4sIQII")
_COLUMN = struct.Struct("<IIBBHIQ8Q")


def read_image(buffer: pa.Buffer) -> tuple[str, pa.RecordBatch]:
    """The table's name and its rows.

    :raises ParseError: the bytes are not an image, or one that lies about its lengths.
    """
    import pyarrow as pa

    size = buffer.size
    view = memoryview(buffer)
    if size < _HEADER.size:
        raise ParseError(f"the engine's column image has {size} bytes, a header has {_HEADER.size}")
    magic, columns, rows, name_offset, name_length = _HEADER.unpack_from(view)
    if magic != MAGIC:
        raise ParseError(f"the engine's column image begins with {magic!r}, expected {MAGIC!r}")
    if rows > size * 8:
        raise ParseError(f"the engine's column image has {size} bytes, too few for its {rows} rows")
    if _HEADER.size + columns * _COLUMN.size > size:
        raise ParseError(f"the engine's column image has {size} bytes, too few for its {columns} columns")
    text = _texts(view)
    fields: list[pa.Field] = []
    arrays: list[pa.Array] = []
    for index in range(columns):
        offset, length, kind, flags, _, _, nulls, *places = _COLUMN.unpack_from(
            view, _HEADER.size + index * _COLUMN.size
        )
        name = text(offset, length)
        if nulls > rows:
            raise ParseError(f"column {name!r} of the engine's column image has {nulls} nulls in {rows} rows")
        buffers = [_slice(buffer, start, extent, name) for start, extent in zip(places[::2], places[1::2], strict=True)]
        if not flags & 2:
            buffers[0] = None
        array = _array(kind, rows, nulls, buffers, name)
        fields.append(pa.field(name, array.type, nullable=bool(flags & 1)))
        arrays.append(array)
    batch = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
    try:
        # In full: an offset that points outside would be followed out of the sandbox.
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        raise ParseError(f"the engine's column image is not consistent: {error}") from error
    return text(name_offset, name_length), batch


def _texts(view: memoryview) -> Callable[[int, int], str]:
    return lambda offset, length: str(view[offset : offset + length], "utf-8", "replace")


def _slice(buffer: pa.Buffer, start: int, length: int, name: str) -> pa.Buffer | None:
    if start + length > buffer.size:
        raise ParseError(f"column {name!r} of the engine's column image ends at byte {start + length} of {buffer.size}")
    return buffer.slice(start, length)


def _array(kind: int, rows: int, nulls: int, buffers: list[pa.Buffer | None], name: str) -> pa.Array:
    import pyarrow as pa

    flat = _flat(kind)
    validity, first, second, third = buffers
    if flat is not None:
        return pa.Array.from_buffers(flat, rows, [validity, first], nulls)
    if kind == 9:
        return pa.Array.from_buffers(pa.utf8(), rows, [validity, first, second], nulls)
    if kind == 13:
        indices = pa.Array.from_buffers(pa.int32(), rows, [validity, first], nulls)
        entries = pa.Array.from_buffers(pa.utf8(), _entries(second), [None, second, third])
        try:
            # Before they are looked at: making a dictionary's array reads every index.
            indices.validate(full=True)
            entries.validate(full=True)
            return pa.DictionaryArray.from_arrays(indices, entries)
        except (pa.ArrowInvalid, pa.ArrowIndexError) as error:
            raise ParseError(f"column {name!r} of the engine's column image is not consistent: {error}") from error
    if kind == 11:
        items = pa.Array.from_buffers(pa.utf8(), _entries(second), [None, second, third])
        return pa.Array.from_buffers(pa.list_(pa.utf8()), rows, [validity, first], nulls, children=[items])
    if kind == 12:
        numbers = pa.Array.from_buffers(pa.float64(), second.size // 8 if second else 0, [None, second])
        return pa.Array.from_buffers(pa.list_(pa.float64()), rows, [validity, first], nulls, children=[numbers])
    raise ParseError(f"column {name!r} of the engine's column image has the unknown type {kind}")


def _entries(offsets: pa.Buffer | None) -> int:
    return max(0, offsets.size // 4 - 1) if offsets else 0


def _flat(kind: int) -> pa.DataType | None:
    import pyarrow as pa

    types = (pa.uint8, pa.uint16, pa.uint32, pa.uint64, pa.int32, pa.int64, pa.float64, pa.bool_)
    if 1 <= kind <= len(types):
        return types[kind - 1]()
    return pa.binary(16) if kind == 10 else None

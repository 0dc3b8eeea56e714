"""Reads the engine's self-describing column image (magic ``MFT1``; the layout stands in ``mf-column``'s ``image`` module).

The arrays are slices of the buffer that was handed in: nothing is copied here. Offsets and lengths are checked, and every
column that points into others is validated, because a WebAssembly build is chosen by those who trust nothing.
"""

from __future__ import annotations

import struct
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from metaflow_core.errors import ParseError

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = b"MFT1"
_HEADER = struct.Struct("<4sIQII")
_COLUMN = struct.Struct("<IIBBHIQ8Q")
_NULLABLE, _HAS_VALIDITY = 1, 2
_BOOL, _UTF8, _LIST_UTF8, _LIST_F64, _DICT_UTF8 = 8, 9, 11, 12, 13
_WIDTHS = {1: 1, 2: 2, 3: 4, 4: 8, 5: 4, 6: 8, 7: 8, 10: 16}
"""Bytes of a value, by type."""


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
    end = _HEADER.size + columns * _COLUMN.size
    if end > size:
        raise ParseError(f"the engine's column image has {size} bytes, too few for its {columns} columns")
    fields: list[tuple[str, int, bool]] = []
    arrays: list[pa.Array] = []
    for offset, length, kind, flags, _, _, nulls, *places in _COLUMN.iter_unpack(view[_HEADER.size : end]):
        name = str(view[offset : offset + length], "utf-8", "replace")
        if nulls > rows:
            raise ParseError(f"column {name!r} of the engine's column image has {nulls} nulls in {rows} rows")
        try:
            arrays.append(_Column(buffer, name, kind, rows, nulls, flags, places).array())
        except (pa.ArrowInvalid, pa.ArrowIndexError) as error:
            raise ParseError(f"column {name!r} of the engine's column image is not consistent: {error}") from error
        fields.append((name, kind, bool(flags & _NULLABLE)))
    # As the children of a structure: checking a schema against finished columns takes three times as long.
    whole = pa.Array.from_buffers(_structure(tuple(fields)), rows, [None], 0, children=arrays)
    return str(view[name_offset : name_offset + name_length], "utf-8", "replace"), pa.RecordBatch.from_struct_array(
        whole
    )


class _Column:
    """A column of the image on its way to an array."""

    __slots__ = ("buffer", "flags", "kind", "name", "nulls", "places", "rows")

    def __init__(
        self, buffer: pa.Buffer, name: str, kind: int, rows: int, nulls: int, flags: int, places: list[int]
    ) -> None:
        self.buffer, self.name, self.kind, self.rows, self.nulls, self.flags = buffer, name, kind, rows, nulls, flags
        self.places = places

    def array(self) -> pa.Array:
        import pyarrow as pa

        kind, rows = self.kind, self.rows
        validity = self._slice(0) if self.flags & _HAS_VALIDITY else None
        kind_of = _type(kind)
        if kind_of is None:
            raise ParseError(f"column {self.name!r} of the engine's column image has the unknown type {kind}")
        first = self._slice(1)
        if kind in _WIDTHS or kind == _BOOL:
            needed = -(-rows // 8) if kind == _BOOL else rows * _WIDTHS[kind]
            if first.size < needed:
                raise ParseError(
                    f"column {self.name!r} of the engine's column image has {first.size} bytes of values, "
                    f"its {rows} rows need {needed}"
                )
            flat = pa.Array.from_buffers(kind_of, rows, [validity, first], self.nulls)
            if validity is not None or self.nulls:
                flat.validate(full=True)
            return flat
        second = self._slice(2)
        if kind == _UTF8:
            if not second.size and first.size >= 4 * (rows + 1):
                # Every text is empty, as in most columns of texts: offsets of our own need no validation.
                first = _zeros(rows + 1)
            texts = pa.Array.from_buffers(kind_of, rows, [validity, first, second], self.nulls)
            if second.size or validity is not None or self.nulls:
                texts.validate(full=True)
            else:
                texts.validate()
            return texts
        if kind == _LIST_F64:
            numbers = pa.Array.from_buffers(pa.float64(), second.size // 8, [None, second])
            lists = pa.Array.from_buffers(kind_of, rows, [validity, first], self.nulls, children=[numbers])
            lists.validate(full=True)
            return lists
        words = pa.Array.from_buffers(pa.utf8(), max(0, second.size // 4 - 1), [None, second, self._slice(3)])
        words.validate(full=True)
        if kind == _DICT_UTF8:
            # Validated before they meet: making a dictionary's array reads every index.
            indices = pa.Array.from_buffers(pa.int32(), rows, [validity, first], self.nulls)
            indices.validate(full=True)
            array = pa.DictionaryArray.from_arrays(indices, words)
        else:
            array = pa.Array.from_buffers(kind_of, rows, [validity, first], self.nulls, children=[words])
        array.validate(full=True)
        return array

    def _slice(self, slot: int) -> pa.Buffer:
        start, length = self.places[2 * slot], self.places[2 * slot + 1]
        if start + length > self.buffer.size:
            raise ParseError(
                f"column {self.name!r} of the engine's column image ends at byte {start + length} of {self.buffer.size}"
            )
        return self.buffer.slice(start, length)


@lru_cache(maxsize=256)
def _structure(fields: tuple[tuple[str, int, bool], ...]) -> pa.StructType:
    """A table's columns as a type; a table has few forms."""
    import pyarrow as pa

    return pa.struct([pa.field(name, _type(kind), nullable=nullable) for name, kind, nullable in fields])


@lru_cache(maxsize=4)
def _zeros(count: int) -> pa.Buffer:
    """So many offsets of 0. Batches have few sizes, and what is kept is small."""
    import pyarrow as pa

    return pa.py_buffer(bytes(4 * count))


@cache
def _type(kind: int) -> pa.DataType | None:
    """The Arrow type by the image's number; None when there is none. A column's type has one byte, so the cache is bounded."""
    import pyarrow as pa

    types = (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.int32(), pa.int64(), pa.float64(), pa.bool_())
    if 1 <= kind <= len(types):
        return types[kind - 1]
    others = {
        _UTF8: pa.utf8(), 10: pa.binary(16), _LIST_UTF8: pa.list_(pa.utf8()), _LIST_F64: pa.list_(pa.float64()),
        _DICT_UTF8: pa.dictionary(pa.int32(), pa.utf8()),
    }  # fmt: skip
    return others.get(kind)

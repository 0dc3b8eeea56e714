"""The frame of a result: header and column headers, every length checked."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from metaflow_core.api import abi
from metaflow_core.errors import ParseError

__all__ = ["ColumnFrame", "check_frame", "iter_columns", "layout", "read_header"]

HEADER = struct.Struct("<IIII")
COLUMN_HEADER = struct.Struct("<HBBI")
MAX_ROWS = 1 << 20
"""Rows that one result may have; a batch of 1 MiB holds far fewer messages."""

WIDTHS = {abi.COLUMN_TYPE_U8: 1, abi.COLUMN_TYPE_I32: 4, abi.COLUMN_TYPE_U32: 4, abi.COLUMN_TYPE_U64: 8}


class ColumnFrame(NamedTuple):
    """Where a column stands: what its header says, and the bytes ``start`` to ``end`` of the result behind it."""

    identity: int
    kind: int
    flags: int
    start: int
    end: int


def read_header(view: memoryview, magic: int, limit: int) -> tuple[int, int]:
    """Rows and columns of a result.

    :raises ParseError: it is too short, of another kind, or claims more than ``limit`` rows.
    """
    if len(view) < abi.BUFFER_HEADER_SIZE:
        raise ParseError(f"a result has a header of {abi.BUFFER_HEADER_SIZE} bytes, found {len(view)} bytes in all")
    found, rows, columns, _ = HEADER.unpack_from(view)
    if found != magic:
        wanted = magic.to_bytes(4, "little")
        raise ParseError(f"the result must begin with {wanted!r}, found {bytes(view[:4])!r}")
    if rows > min(limit, MAX_ROWS):
        raise ParseError(f"the result claims {rows} rows, at most {min(limit, MAX_ROWS)} are possible")
    return rows, columns


def iter_columns(view: memoryview, columns: int) -> Iterator[ColumnFrame]:
    """The frame of each column.

    :raises ParseError: a column reaches behind the result.
    """
    at, total = abi.BUFFER_HEADER_SIZE, len(view)
    for number in range(columns):
        if at + abi.COLUMN_SIZE > total:
            raise ParseError(f"column {number} of {columns} is missing: the result ends at byte {total}")
        identity, kind, flags, size = COLUMN_HEADER.unpack_from(view, at)
        start = at + abi.COLUMN_SIZE
        end = start + size
        if end > total:
            raise ParseError(
                f"column {identity} at byte {at} claims {size} bytes, {total - start} are left in the result"
            )
        yield ColumnFrame(identity, kind, flags, start, end)
        at = end + (-end % abi.LIMIT_ALIGNMENT)


def layout(view: memoryview, column: ColumnFrame, rows: int) -> tuple[int, int]:
    """Where the validity bits (or -1) and the data of a column begin; the data is long enough for every row.

    :raises ParseError: the column is shorter than its rows.
    """
    _, kind, flags, start, end = column
    bits = -1
    data = start
    if flags & abi.COLUMN_FLAG_VALIDITY:
        bits = start
        data = start + (rows + 63) // 64 * 8
    need = (rows + 1) * 4 if kind == abi.COLUMN_TYPE_UTF8 else rows * WIDTHS.get(kind, 0)
    if data + need > end and rows:
        raise ParseError(
            f"the column at byte {start} has {end - start} bytes, {data + need - start} are needed for {rows} rows"
        )
    if kind == abi.COLUMN_TYPE_UTF8 and rows:
        last = int.from_bytes(view[data + rows * 4 : data + rows * 4 + 4], "little")
        if data + need + last > end:
            raise ParseError(
                f"the texts of the column at byte {start} reach {data + need + last - end} bytes behind it"
            )
    return bits, data


def check_frame(result: bytes | memoryview, magic: int, limit: int = MAX_ROWS) -> int:
    """Check header, column headers and sizes of a result in time that does not depend on its rows; returns the rows.

    A runtime does this with what untrusted code returned; values and text offsets are the reader's to check.

    :param magic: ``MAGIC_CHECKS`` or ``MAGIC_RECORDS``. :param limit: most rows that are possible.
    :raises ParseError: a length is wrong.
    """
    view = memoryview(result)
    rows, columns = read_header(view, magic, limit)
    for column in iter_columns(view, columns):
        if column.kind == abi.COLUMN_TYPE_UTF8 or column.kind in WIDTHS:
            layout(view, column, rows)
    return rows

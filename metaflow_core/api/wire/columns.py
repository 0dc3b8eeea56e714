"""Columns of results: values to bytes, and bytes to values."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from metaflow_core.api import abi
from metaflow_core.api.wire.frame import COLUMN_HEADER, WIDTHS, ColumnFrame, layout
from metaflow_core.errors import ParseError

__all__ = ["encode_numbers", "encode_texts", "read_column"]

_TYPECODES = {"u8": "B", "i32": "i", "u32": "I", "u64": "Q"}
_NUMBERS = {
    "u8": abi.COLUMN_TYPE_U8,
    "i32": abi.COLUMN_TYPE_I32,
    "u32": abi.COLUMN_TYPE_U32,
    "u64": abi.COLUMN_TYPE_U64,
}
_RANGES = {"u8": (0, 255), "i32": (-(1 << 31), (1 << 31) - 1), "u32": (0, (1 << 32) - 1), "u64": (0, (1 << 64) - 1)}
_FORMATS = {abi.COLUMN_TYPE_U8: "B", abi.COLUMN_TYPE_I32: "i", abi.COLUMN_TYPE_U32: "I", abi.COLUMN_TYPE_U64: "Q"}
_TEXT_LIMIT = abi.LIMIT_TEXT_BYTES


def _little(values: array[int]) -> bytes:
    if sys.byteorder == "big":  # pragma: no cover - the ABI is little-endian everywhere
        values.byteswap()
    return values.tobytes()


def _framed(identity: int, kind: int, flags: int, body: bytes) -> bytes:
    pad = -len(body) % abi.LIMIT_ALIGNMENT
    return COLUMN_HEADER.pack(identity, kind, flags, len(body) + pad) + body + bytes(pad)


def encode_numbers(identity: int, kind: str, values: Sequence[int | None]) -> bytes:
    """A column of numbers; None, and what does not fit ``kind``, is absent. Empty when every row is absent."""
    try:
        return _framed(identity, _NUMBERS[kind], 0, _little(array(_TYPECODES[kind], values)))  # type: ignore[arg-type]
    except (TypeError, OverflowError, ValueError):
        pass  # there are holes: the usual case of an optional column
    try:
        filled = array(_TYPECODES[kind], [0 if value is None else value for value in values])
    except (TypeError, OverflowError, ValueError):
        low, high = _RANGES[kind]
        values = [value if isinstance(value, int) and low <= value <= high else None for value in values]
        filled = array(_TYPECODES[kind], [value or 0 for value in values])
    # the first row is the lowest bit of the first byte: the number whose binary digits are the rows from the last on
    present = int("".join(["0" if value is None else "1" for value in reversed(values)]) or "0", 2)
    if not present:
        return b""
    bits = present.to_bytes((len(values) + 63) // 64 * 8, "little")
    return _framed(identity, _NUMBERS[kind], abi.COLUMN_FLAG_VALIDITY, bits + _little(filled))


def encode_texts(identity: int, values: Sequence[Any]) -> bytes:
    """A column of texts: ``str``, ``bytes`` of the wire, or None. Empty when every row is."""
    kinds = set(map(type, values))
    pieces: Iterable[bytes]
    if kinds == {str} or kinds == {str, type(None)}:
        texts = values if len(kinds) == 1 else [value or "" for value in values]
        joined = "".join(texts)
        if joined.isascii():
            lengths = list(map(len, texts))
            if max(lengths) <= _TEXT_LIMIT:
                return _texts(identity, lengths, joined.encode("ascii"))
        pieces = [text.encode("utf-8", "replace") for text in texts]
    elif kinds == {bytes} or kinds == {bytes, type(None)}:
        raw = values if len(kinds) == 1 else [value or b"" for value in values]
        whole = b"".join(raw)
        if whole.isascii():
            lengths = list(map(len, raw))
            if max(lengths) <= _TEXT_LIMIT:
                return _texts(identity, lengths, whole)
        pieces = [_repaired(piece) for piece in raw]
    else:
        pieces = [_bytes_of(value) for value in values]
    cut = [piece if len(piece) <= _TEXT_LIMIT else _cut(piece) for piece in pieces]
    return _texts(identity, list(map(len, cut)), b"".join(cut))


def encode_attributes(pairs: Mapping[str, str] | None) -> str:
    """``key\\0value\\0`` for each pair; a NUL, which would end one, becomes U+FFFD."""
    if not pairs:
        return ""
    parts: list[str] = []
    for key, value in pairs.items():
        if key:
            parts += (str(key).replace("\0", "\ufffd"), "\0", str(value).replace("\0", "\ufffd"), "\0")
    return "".join(parts)


def _texts(identity: int, lengths: Sequence[int], data: bytes) -> bytes:
    if not data:
        return b""
    return _framed(identity, abi.COLUMN_TYPE_UTF8, 0, _little(array("I", accumulate(lengths, initial=0))) + data)


def _repaired(piece: bytes) -> bytes:
    return piece if piece.isascii() else piece.decode("utf-8", "replace").encode()


def _bytes_of(value: object) -> bytes:
    if value is None:
        return b""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _repaired(bytes(value))
    return str(value).encode("utf-8", "replace")


def _cut(piece: bytes) -> bytes:
    return piece[:_TEXT_LIMIT].decode("utf-8", "ignore").encode()


def read_column(view: memoryview, column: ColumnFrame, rows: int) -> list[Any]:
    """The values of a column, None where a row is absent.

    :raises ParseError: a length or offset is wrong.
    """
    bits, data = layout(view, column, rows)
    kind = column.kind
    values: list[Any]
    if not rows:
        return []
    if kind == abi.COLUMN_TYPE_UTF8:
        values = _read_texts(view, data, column.start, rows)
    else:
        numbers = array(_FORMATS[kind], bytes(view[data : data + rows * WIDTHS[kind]]))
        if sys.byteorder == "big":  # pragma: no cover
            numbers.byteswap()
        values = numbers.tolist()
    if bits >= 0:
        valid = bytes(view[bits : bits + (rows + 7) // 8])
        values = [value if valid[row >> 3] >> (row & 7) & 1 else None for row, value in enumerate(values)]
    return values


def _read_texts(view: memoryview, data: int, start: int, rows: int) -> list[str | None]:
    table = (rows + 1) * 4
    offsets = array("I", bytes(view[data : data + table]))
    if sys.byteorder == "big":  # pragma: no cover
        offsets.byteswap()
    if any(after < before for before, after in pairwise(offsets)):
        raise ParseError(
            f"the text offsets of the column at byte {start} go back; each must be at least the one before"
        )
    raw = bytes(view[data + table : data + table + offsets[-1]])
    return [
        raw[offsets[row] : offsets[row + 1]].decode("utf-8", "replace") if offsets[row + 1] > offsets[row] else None
        for row in range(rows)
    ]

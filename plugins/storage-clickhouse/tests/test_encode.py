"""Blocks that are encoded the short way are the same as those encoded the plain way."""

from __future__ import annotations

import pyarrow as pa
import pytest
from metaflow_storage_clickhouse.native import encode_block, encode_parts


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def plain(name: str, type_: str, rows: int, body: bytes) -> bytes:
    texts = b"".join(varint(len(each)) + each.encode() for each in (name, type_))
    return varint(1) + varint(rows) + texts + body


@pytest.mark.parametrize(
    "values",
    [
        ["", "", ""],
        ["ab", "cd", "ef"],
        ["", "a", "ü" * 60, ""],
        ["x" * 127, ""],
        ["x" * 128, "", "y"],
        ["x" * 20_000, "y" * 127, "z" * 3_000_000],
        [""],
        ["a" * 128, "b" * 128],
    ],
)
def test_texts(values: list[str]) -> None:
    body = b"".join(varint(len(each.encode())) + each.encode() for each in values)
    array = pa.array(["before", *values, "after"]).slice(1, len(values))
    assert encode_block([("s", "String", array)], len(values)) == plain("s", "String", len(values), body)


@pytest.mark.parametrize(
    ("values", "body"),
    [
        ([1, 2], b"\0\0" + b"\1\0\0\0\2\0\0\0"),
        ([None, None], b"\1\1" + bytes(8)),
        ([None, 2], b"\1\0" + b"\0\0\0\0\2\0\0\0"),
    ],
)
def test_what_may_be_missing(values: list[int | None], body: bytes) -> None:
    array = pa.array(values, pa.uint32())
    assert encode_block([("n", "Nullable(UInt32)", array)], 2) == plain("n", "Nullable(UInt32)", 2, body)


@pytest.mark.parametrize("index", [pa.int8(), pa.int32(), pa.int64()])
def test_keys_do_not_overflow_what_they_come_in(index: pa.DataType) -> None:
    texts = [f"{number:03}" for number in range(128)]
    array = pa.DictionaryArray.from_arrays(pa.array(range(128), index), pa.array(texts))
    block = encode_block([("k", "LowCardinality(String)", array)], 128)
    # Key 0 is the empty text.
    assert block.endswith(bytes(range(1, 129)))


def test_pieces_are_bytes() -> None:
    pieces = encode_parts([("n", "UInt32", pa.array([1, 2], pa.uint32())), ("s", "String", pa.array(["", ""]))], 2)
    assert all(piece.format == "B" and piece.nbytes == len(piece) for piece in pieces)
    assert encode_parts([("n", "UInt32", pa.array([], pa.uint32()))], 0)

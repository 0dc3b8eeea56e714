"""The Native form as clients want it that name the revision of the protocol they speak.

ClickHouse then writes before each block what a block is (bucket and overflow), and after each column's type whether its data are in a
special serialization. The engine in this process writes the plain form; here these bytes are put in. For that the end of each column's
data has to be found, so this reads over data of every type that ClickHouse has a plain serialization for.

Source: the format's description in ClickHouse's documentation ("Native protocol: columns") and what the engine writes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from metaflow_clickhouse_http.http.errors import Refusal

__all__ = ["with_revision"]

_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_CUSTOM_FROM = 54454
_FIXED = {
    "UInt8": 1, "Int8": 1, "Bool": 1, "Enum8": 1, "UInt16": 2, "Int16": 2, "Enum16": 2, "Date": 2, "UInt32": 4, "Int32": 4, "Float32": 4,
    "Date32": 4, "DateTime": 4, "IPv4": 4, "Decimal32": 4, "Time": 4, "UInt64": 8, "Int64": 8, "Float64": 8, "DateTime64": 8, "Time64": 8,
    "Decimal64": 8, "UInt128": 16, "Int128": 16, "UUID": 16, "IPv6": 16, "Decimal128": 16, "UInt256": 32, "Int256": 32, "Decimal256": 32,
    "Nothing": 1, "BFloat16": 2,
}  # fmt: skip
_HAS_ADDITIONAL_KEYS = 1 << 9


def with_revision(data: bytes, revision: int) -> bytes:
    """Blocks of the plain Native form as a client of this revision reads them.

    :raises Refusal: a column has a type that cannot be read over.
    """
    out: list[bytes] = []
    reader = _Reader(data)
    while reader.at < len(data):
        out.append(_BLOCK_INFO)
        start = reader.at
        columns, rows = reader.number(), reader.number()
        out.append(data[start : reader.at])
        for _ in range(columns):
            start = reader.at
            reader.text()
            type_ = reader.text()
            out.append(data[start : reader.at])
            if revision >= _CUSTOM_FROM:
                out.append(b"\x00")
            start = reader.at
            if rows:
                _prefix(reader, type_)
                _column(reader, type_, rows)
            out.append(data[start : reader.at])
    return b"".join(out)


class _Reader:
    """A place in bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def number(self) -> int:
        """A number of variable length."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def text(self) -> str:
        """A text with its length before it."""
        size = self.number()
        self.at += size
        return self.data[self.at - size : self.at].decode("utf-8", "replace")

    def word(self) -> int:
        """Eight bytes."""
        self.at += 8
        value: int = struct.unpack_from("<Q", self.data, self.at - 8)[0]
        return value


def _inner(type_: str) -> tuple[str, list[str]]:
    """A type's name and its arguments."""
    name, bracket, rest = type_.partition("(")
    return name.strip(), list(_split(rest[: rest.rindex(")")])) if bracket else []


def _split(text: str) -> Iterator[str]:
    depth, start, quoted = 0, 0, False
    for index, character in enumerate(text):
        if character == "'" and text[index - 1 : index] != "\\":
            quoted = not quoted
        if quoted:
            continue
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            yield text[start:index].strip()
            start = index + 1
    if text[start:].strip():
        yield text[start:].strip()


def _element(text: str) -> str:
    """The type of a tuple's element, which may have a name before it."""
    found = re.match(r"(?:`[^`]*`|[A-Za-z_][A-Za-z0-9_]*)\s+(?=[A-Z])", text)
    return text[found.end() :] if found else text


def _parts(name: str, inner: list[str]) -> list[str]:
    if name == "Tuple":
        return [_element(each) for each in inner]
    if name == "Nested":
        return [f"Array({_element(each)})" for each in inner]
    if name == "Map":
        return [f"Tuple({inner[0]}, {inner[1]})"]
    if name == "SimpleAggregateFunction":
        return inner[1:2]
    return inner[:1]


def _prefix(reader: _Reader, type_: str) -> None:
    """What stands before the data of a column: the version of a dictionary's keys."""
    name, inner = _inner(type_)
    if name == "LowCardinality":
        reader.word()
    elif name in ("Array", "Nullable", "Tuple", "Map", "Nested", "SimpleAggregateFunction"):
        for each in _parts(name, inner):
            _prefix(reader, each)


def _column(reader: _Reader, type_: str, rows: int) -> None:
    name, inner = _inner(type_)
    if name in _FIXED:
        reader.at += _FIXED[name] * rows
    elif name.startswith("Interval"):
        reader.at += 8 * rows
    elif name == "Decimal":
        digits = int(inner[0])
        reader.at += rows * (4 if digits <= 9 else 8 if digits <= 18 else 16 if digits <= 38 else 32)
    elif name == "FixedString":
        reader.at += int(inner[0]) * rows
    elif name == "String":
        _texts(reader, rows)
    elif name == "Nullable":
        reader.at += rows
        _column(reader, inner[0], rows)
    elif name in ("Tuple", "Nested", "SimpleAggregateFunction"):
        for each in _parts(name, inner):
            _column(reader, each, rows)
    elif name in ("Array", "Map"):
        reader.at += 8 * (rows - 1)
        count = reader.word()
        if count:
            _column(reader, _parts(name, inner)[0], count)
    elif name == "LowCardinality":
        _low_cardinality(reader, inner[0])
    else:
        raise Refusal(
            48, f"the type {type_} cannot be given in the Native form to this client; cast it, or ask for another form"
        )


def _texts(reader: _Reader, rows: int) -> None:
    data, at = reader.data, reader.at
    for _ in range(rows):
        size = data[at]
        at += 1
        if size >= 128:
            size &= 127
            shift = 7
            while data[at] >= 128:
                size |= (data[at] & 127) << shift
                shift += 7
                at += 1
            size |= data[at] << shift
            at += 1
        at += size
    reader.at = at


def _low_cardinality(reader: _Reader, key: str) -> None:
    kind = reader.word()
    width = 1 << (kind & 255)
    if kind & _HAS_ADDITIONAL_KEYS:
        name, inner = _inner(key)
        _column(reader, inner[0] if name == "Nullable" else key, reader.word())
    count = reader.word()
    reader.at += width * count

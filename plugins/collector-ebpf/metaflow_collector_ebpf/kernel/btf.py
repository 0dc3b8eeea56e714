"""BTF, the kernel's description of types (Documentation/bpf/btf.rst): an object's own, and the running kernel's.

Of an object's it tells the maps; of the kernel's it tells where members stand, for the bcc backend.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["BadBtf", "Btf", "Member", "Type"]

_HEADER = struct.Struct("<HBBIIIII")
_TYPE = struct.Struct("<III")
(INT, POINTER, ARRAY, STRUCT, UNION, ENUM, FORWARD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNCTION, PROTOTYPE, VARIABLE,
 SECTION, FLOAT, DECL_TAG, TYPE_TAG, ENUM64) = range(1, 20)  # fmt: skip
_PER_ITEM = {STRUCT: 12, UNION: 12, ENUM: 8, PROTOTYPE: 8, SECTION: 12, ENUM64: 12}
_FIXED = {INT: 4, ARRAY: 12, VARIABLE: 4, DECL_TAG: 4}
_MODIFIERS = {TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG}


class BadBtf(ValueError):
    """The bytes are no BTF of version 1."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type: its kind, name, size (or the type it refers to), and where its details stand."""

    kind: int
    name: str
    size: int
    items: int
    details: int
    bitfields: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure: name, type, bit offset."""

    name: str
    type: int
    bits: int


class Btf:
    """Types by id; names are read when asked for.

    :raises BadBtf: see there.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) < _HEADER.size or data[:2] != b"\x9f\xeb":
            raise BadBtf("no BTF in this byte order")
        _, version, _, header, types, types_size, texts, texts_size = _HEADER.unpack_from(data)
        if version != 1 or header + types + types_size > len(data) or header + texts + texts_size > len(data):
            raise BadBtf("BTF of an unknown version, or cut off")
        self._data = data
        self._texts = header + texts
        self._starts = [0]
        at, end = header + types, header + types + types_size
        starts = self._starts
        unpack = _TYPE.unpack_from
        while at < end:
            starts.append(at)
            _, info, _ = unpack(data, at)
            kind = info >> 24 & 31
            at += 12 + _FIXED.get(kind, 0) + _PER_ITEM.get(kind, 0) * (info & 0xFFFF)
        if at != end:
            raise BadBtf("the types do not fill their section")

    def __len__(self) -> int:
        return len(self._starts)

    def text(self, offset: int) -> str:
        """A name by its offset."""
        start = self._texts + offset
        return self._data[start : self._data.index(b"\0", start)].decode("utf-8", "replace")

    def start(self, number: int) -> int:
        """Where the type stands in the bytes."""
        return self._starts[number]

    def type(self, number: int) -> Type:
        """The type of that id; 0 is void."""
        if not number:
            return Type(0, "", 0, 0, 0, False)
        at = self._starts[number]
        name, info, size = _TYPE.unpack_from(self._data, at)
        return Type(info >> 24 & 31, self.text(name), size, info & 0xFFFF, at + 12, bool(info >> 31))

    def plain(self, number: int) -> int:
        """The id behind typedefs and qualifiers."""
        for _ in range(32):
            found = self.type(number)
            if found.kind not in _MODIFIERS:
                return number
            number = found.size
        raise BadBtf("typedefs in a circle")

    def members(self, kind: Type) -> Iterator[Member]:
        """The members of a structure or union."""
        for index in range(kind.items):
            name, number, offset = _TYPE.unpack_from(self._data, kind.details + 12 * index)
            yield Member(self.text(name), number, offset & 0xFFFFFF if kind.bitfields else offset)

    def variables(self, kind: Type) -> Iterator[tuple[int, int]]:
        """Of a section: id and size of each variable."""
        for index in range(kind.items):
            number, _, size = _TYPE.unpack_from(self._data, kind.details + 12 * index)
            yield number, size

    def elements(self, kind: Type) -> tuple[int, int]:
        """Of an array: the type of its elements, and their number."""
        element, _, number = _TYPE.unpack_from(self._data, kind.details)
        return element, number

    def size(self, number: int) -> int:
        """Bytes that a value of the type takes."""
        found = self.type(self.plain(number))
        if found.kind == POINTER:
            return 8
        if found.kind == ARRAY:
            element, count = self.elements(found)
            return self.size(element) * count
        return found.size

    def find(self, kind: int, name: str) -> int:
        """The id of a named type, 0 when there is none."""
        wanted = name.encode() + b"\0"
        data, texts, unpack = self._data, self._texts, _TYPE.unpack_from
        if data.find(b"\0" + wanted, texts) < 0:
            return 0
        for number in range(1, len(self._starts)):
            offset, info, _ = unpack(data, self._starts[number])
            if info >> 24 & 31 == kind and data.startswith(wanted, texts + offset):
                return number
        return 0

    def structures(self, names: frozenset[str]) -> dict[str, Type]:
        """The structures of these names, in one pass."""
        found: dict[str, Type] = {}
        offsets = {}
        data, unpack = self._data, _TYPE.unpack_from
        for name in names:
            at = data.find(b"\0" + name.encode() + b"\0", self._texts)
            if at >= 0:
                offsets[at + 1 - self._texts] = name
        for number in range(1, len(self._starts)):
            name_at, info, _ = unpack(data, self._starts[number])
            if name_at in offsets and info >> 24 & 31 == STRUCT:
                found.setdefault(offsets[name_at], self.type(number))
        return found

    def offset_of(self, kind: Type, name: str) -> int | None:
        """Byte offset of a member, looked for in nameless structures too; None when it is not there."""
        for member in self.members(kind):
            if member.name == name:
                return member.bits // 8
            if not member.name:
                inner = self.offset_of(self.type(self.plain(member.type)), name)
                if inner is not None:
                    return member.bits // 8 + inner
        return None

    def enumerators(self, kind: Type) -> Iterator[tuple[str, int]]:
        """Names and values of an enumeration."""
        for index in range(kind.items):
            name, value = struct.unpack_from("<Ii", self._data, kind.details + 8 * index)
            yield self.text(name), value

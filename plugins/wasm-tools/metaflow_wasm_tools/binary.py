"""Reading a module's sections without running or compiling it: imports, exports, types, memory (WebAssembly core spec, 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from metaflow_core.errors import ParseError

__all__ = ["ModuleView", "read_module"]

_TYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x70: "funcref", 0x6F: "externref"}
_KINDS = {0: "func", 1: "table", 2: "memory", 3: "global", 4: "tag"}
_SECTION_TYPE, _SECTION_IMPORT, _SECTION_FUNCTION, _SECTION_MEMORY, _SECTION_EXPORT, _SECTION_START = 1, 2, 3, 5, 7, 8


@dataclass(frozen=True, slots=True)
class ModuleView:
    """What a module declares.

    :ivar imports: ``module.name`` -> type. :ivar exports: name -> type. :ivar memory_pages: initial 64 KiB pages.
    :ivar has_start: it has a function that runs when it is instantiated.
    """

    imports: dict[str, str]
    exports: dict[str, str]
    memory_pages: int
    has_start: bool


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise ParseError(f"the module is cut at byte {len(self.data)}")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self) -> int:
        value = shift = 0
        for _ in range(10):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
        raise ParseError(f"a number at byte {self.at} does not end")

    def name(self) -> str:
        return self.take(self.number()).decode("utf-8", "replace")

    def each(self) -> Iterator[int]:
        return iter(range(min(self.number(), len(self.data))))

    def limits(self) -> int:
        flags = self.take(1)[0]
        low = self.number()
        if flags & 1:
            self.number()
        return low

    def type_name(self) -> str:
        byte = self.take(1)[0]
        return _TYPES.get(byte, f"type {byte:#x}")


def read_module(data: bytes) -> ModuleView:
    """Read a module.

    :raises ParseError: it is not one, or it is cut.
    """
    if data[:8] != b"\0asm\1\0\0\0":
        hint = " (it is a component; a parser is a core module)" if data[:4] == b"\0asm" else ""
        raise ParseError(f"this is not a WebAssembly module: it begins with {data[:8]!r}{hint}")
    sections: dict[int, bytes] = {}
    reader = _Reader(data)
    reader.at = 8
    while reader.at < len(data):
        number = reader.take(1)[0]
        sections[number] = reader.take(reader.number())
    types = _types(sections.get(_SECTION_TYPE, b"\0"))
    functions, imports, pages = _imports(sections.get(_SECTION_IMPORT, b"\0"), types)
    body = _Reader(sections.get(_SECTION_FUNCTION, b"\0"))
    functions += [_of(types, body.number()) for _ in body.each()]
    memory = _Reader(sections.get(_SECTION_MEMORY, b"\0"))
    for _ in memory.each():
        pages = memory.limits()
    exports: dict[str, str] = {}
    body = _Reader(sections.get(_SECTION_EXPORT, b"\0"))
    for _ in body.each():
        name, kind, index = body.name(), body.take(1)[0], body.number()
        exports[name] = _of(functions, index) if kind == 0 else _KINDS.get(kind, f"kind {kind}")
    return ModuleView(imports, exports, pages, _SECTION_START in sections)


def _of(table: list[str], index: int) -> str:
    return table[index] if index < len(table) else "?"


def _types(data: bytes) -> list[str]:
    reader, found = _Reader(data), []
    for _ in reader.each():
        form = reader.take(1)[0]
        if form != 0x60:
            raise ParseError(f"the module uses a type of form {form:#x}, which no parser needs")
        params = [reader.type_name() for _ in reader.each()]
        results = [reader.type_name() for _ in reader.each()]
        found.append(f"({', '.join(params)}) -> {', '.join(results) or '()'}")
    return found


def _imports(data: bytes, types: list[str]) -> tuple[list[str], dict[str, str], int]:
    reader, pages = _Reader(data), 0
    functions: list[str] = []
    imports: dict[str, str] = {}
    for _ in reader.each():
        name = f"{reader.name()}.{reader.name()}"
        kind = reader.take(1)[0]
        if kind == 0:
            functions.append(_of(types, reader.number()))
            imports[name] = functions[-1]
            continue
        imports[name] = _KINDS.get(kind, f"kind {kind}")
        if kind == 1:
            reader.take(1)
            reader.limits()
        elif kind == 2:
            pages = reader.limits()
        elif kind == 3:
            reader.take(2)
        else:
            raise ParseError(f"the module imports {name} of an unknown kind {kind}")
    return functions, imports, pages

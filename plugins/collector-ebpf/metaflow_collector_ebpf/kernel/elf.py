"""ELF files, as far as this collector needs them: sections, symbols, relocations, file offsets of functions (elf(5)).

The bytes may be hostile (any process's libraries are read): every offset is checked, and nothing is trusted to be sorted,
unique or within bounds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["BadElf", "Elf", "Relocation", "Section", "Symbol"]

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQ")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SHT_SYMTAB, _SHT_RELA, _SHT_NOBITS, _SHT_REL, _SHT_DYNSYM = 2, 4, 8, 9, 11
_PT_LOAD, _PT_TLS = 1, 7
_STT_TLS = 6
_MOST_SECTIONS, _MOST_SYMBOLS = 4096, 2_000_000


class BadElf(ValueError):
    """The bytes are no 64-bit little-endian ELF file, or it contradicts itself."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its index, name, type, where its bytes stand, and what it refers to."""

    index: int
    name: str
    type: int
    offset: int
    size: int
    link: int
    info: int
    address: int = 0


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol: name, type (1 object, 2 function, 3 section), section, address (or offset in its section) and size."""

    name: str
    type: int
    section: int
    value: int
    size: int


@dataclass(frozen=True, slots=True)
class Relocation:
    """At ``offset`` of section ``target``, something refers to ``symbol``."""

    target: int
    offset: int
    kind: int
    symbol: Symbol


class Elf:
    """An ELF file over bytes or a memory map.

    :raises BadElf: see there.
    """

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        if len(self._data) < _HEADER.size or bytes(self._data[:6]) != b"\x7fELF\x02\x01":
            raise BadElf("no 64-bit little-endian ELF file")
        header = _HEADER.unpack_from(self._data)
        self.machine = int(header[2])
        self._program_offset, self._section_offset = int(header[5]), int(header[6])
        self._program_size, self._program_count = int(header[9]), int(header[10])
        self.sections = self._read_sections(int(header[11]), int(header[12]), int(header[13]))

    def _read_sections(self, size: int, count: int, names: int) -> list[Section]:
        if not count:
            return []
        if size < _SECTION.size or count > _MOST_SECTIONS or self._section_offset + size * count > len(self._data):
            raise BadElf("the section table lies outside of the file")
        raw = [_SECTION.unpack_from(self._data, self._section_offset + index * size) for index in range(count)]
        if names >= count:
            raise BadElf("the section names lie outside of the section table")
        start, length = int(raw[names][4]), int(raw[names][5])
        return [
            Section(
                index,
                self._text(start + min(int(item[0]), length)),
                item[1],
                item[4],
                item[5],
                item[6],
                item[7],
                item[3],
            )
            for index, item in enumerate(raw)
        ]

    def _text(self, offset: int) -> str:
        piece = bytes(self._data[offset : offset + 512])
        return piece.split(b"\0", 1)[0].decode("utf-8", "replace")

    def section(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((item for item in self.sections if item.name == name), None)

    def content(self, section: Section) -> bytes:
        """A section's bytes; zeros for one that takes no room in the file."""
        if section.type == _SHT_NOBITS:
            return bytes(min(section.size, 1 << 20))
        if section.offset + section.size > len(self._data):
            raise BadElf(f"section {section.name} lies outside of the file")
        return bytes(self._data[section.offset : section.offset + section.size])

    def symbols(self, *, dynamic: bool = False) -> list[Symbol]:
        """The symbols of the symbol table, or of the one for the dynamic linker, in their order."""
        wanted = _SHT_DYNSYM if dynamic else _SHT_SYMTAB
        return [symbol for section in self.sections if section.type == wanted for symbol in self._symbols(section)]

    def _symbols(self, section: Section) -> Iterator[Symbol]:
        if section.link >= len(self.sections):
            raise BadElf(f"the names of {section.name} lie nowhere")
        names = self.sections[section.link]
        content = self.content(section)
        for number, item in enumerate(_SYMBOL.iter_unpack(content[: len(content) // _SYMBOL.size * _SYMBOL.size])):
            if number >= _MOST_SYMBOLS:
                return
            name = self._text(names.offset + item[0]) if item[0] < names.size else ""
            yield Symbol(name, item[1] & 15, item[3], item[4], item[5])

    def relocations(self) -> list[Relocation]:
        """Every relocation without addends (the form that BPF objects have)."""
        found: list[Relocation] = []
        for section in self.sections:
            if section.type != _SHT_REL or section.link >= len(self.sections):
                continue
            symbols = list(self._symbols(self.sections[section.link]))
            content = self.content(section)
            if len(content) % _RELOCATION.size:
                raise BadElf(f"{section.name} holds no whole relocations")
            for offset, info in _RELOCATION.iter_unpack(content):
                if info >> 32 >= len(symbols):
                    raise BadElf(f"a relocation of {section.name} refers to no symbol")
                found.append(Relocation(section.info, offset, info & 0xFFFFFFFF, symbols[info >> 32]))
        return found

    def file_offset(self, address: int) -> int | None:
        """Where the byte of an address stands in the file."""
        for offset, start, size in self._loads():
            if start <= address < start + size:
                return address - start + offset
        return None

    def bytes_at(self, offset: int, size: int) -> bytes:
        """Bytes of the file, as many as there are."""
        return bytes(self._data[offset : offset + size])

    def symbol_address(self, name: str) -> int:
        """The address of a function, 0 when the symbol table does not name it."""
        for section in self.sections:
            if section.type == _SHT_SYMTAB:
                for _, value in self._functions(section, frozenset({name})):
                    return value
        return 0

    def function_offsets(self, names: frozenset[str]) -> dict[str, int]:
        """Where functions begin in the file, for user probes; those that the file does not define are left out."""
        loads = self._loads()
        found: dict[str, int] = {}
        for dynamic in (True, False):
            for section in self.sections:
                if section.type != (_SHT_DYNSYM if dynamic else _SHT_SYMTAB):
                    continue
                for name, value in self._functions(section, names):
                    for offset, address, size in loads:
                        if address <= value < address + size:
                            found.setdefault(name, value - address + offset)
            if len(found) == len(names):
                break
        return found

    def _functions(self, section: Section, names: frozenset[str]) -> Iterator[tuple[str, int]]:
        """Addresses of wanted functions, without making an object for each symbol of a big table."""
        if section.link >= len(self.sections):
            return
        texts = self.content(self.sections[section.link])
        wanted: dict[int, str] = {}
        for name in names:
            at = texts.find(b"\0" + name.encode() + b"\0")
            while at >= 0:
                wanted[at + 1] = name
                at = texts.find(b"\0" + name.encode() + b"\0", at + 1)
        if not wanted:
            return
        content = self.content(section)
        for item in _SYMBOL.iter_unpack(content[: len(content) // _SYMBOL.size * _SYMBOL.size]):
            if item[0] in wanted and item[1] & 15 in (2, 10) and item[3] and item[4]:
                yield wanted[item[0]], item[4]

    def _loads(self) -> list[tuple[int, int, int]]:
        return [(item[2], item[3], item[5]) for item in self._program_table() if item[0] == _PT_LOAD]

    def thread_local(self) -> tuple[int, int] | None:
        """Size and alignment of the block of thread-local variables, None where there is none."""
        for kind, _, _, _, _, _, size, align in self._program_table():
            if kind == _PT_TLS:
                return size, max(1, align)
        return None

    def thread_local_variable(self, name: str) -> int | None:
        """Where a variable stands in that block, None when the symbol table does not tell."""
        for symbol in self.symbols():
            if symbol.name == name and symbol.type == _STT_TLS:
                return symbol.value
        return None

    def _program_table(self) -> Iterator[tuple[int, int, int, int, int, int, int, int]]:
        for index in range(min(self._program_count, _MOST_SECTIONS)):
            at = self._program_offset + index * self._program_size
            if self._program_size < _SEGMENT.size or at + _SEGMENT.size > len(self._data):
                raise BadElf("the program table lies outside of the file")
            yield _SEGMENT.unpack_from(self._data, at)

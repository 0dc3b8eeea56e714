"""Where Go's crypto/tls reads and writes in a Go program, stripped or not.

Found by the table of functions that every Go program carries for its stack traces (``.gopclntab``; runtime/symtab.go, pcHeader
and funcTab). A probe at the return of a function must stand on its return instructions: Go moves stacks, and a
return address that the kernel replaced would be gone.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from metaflow_collector_ebpf.kernel.elf import BadElf, Elf

__all__ = ["GoFunction", "find_go_functions", "is_go"]

_SECTIONS = (".gopclntab", ".data.rel.ro.gopclntab")
# Go 1.18 and 1.20 on: arguments are in registers, offsets are relative to the text's start
_MAGIC = (0xFFFFFFF0, 0xFFFFFFF1)
_HEADER = struct.Struct("<IHBBQQQQQQQQ")
_ENTRY = struct.Struct("<II")
_MOST_FUNCTIONS = 2_000_000
_MOST_BYTES = 1 << 20
_X86_64, _AARCH64 = 62, 183
# the end of a function with a frame: the frame is given back, the frame pointer taken, return
_X86_RETURN = re.compile(rb"\x48(?:\x83[\xc4\xec].|\x81[\xc4\xec].{4})\x5d\xc3", re.DOTALL)
# the beginning: is there enough stack? (a small frame; a big one; a very big one)
_X86_BEGIN = re.compile(rb"\x49\x3b\x66\x10|\x4c\x8d(?:\x64\x24.|\xa4\x24.{4})\x4d\x3b\x66\x10|\x49\x89\xe4", re.DOTALL)
_ARM_RETURN = b"\xc0\x03\x5f\xd6"


@dataclass(frozen=True, slots=True)
class GoFunction:
    """A function: offset of its first instruction in the file, and of each of its returns."""

    name: str
    offset: int
    returns: tuple[int, ...]


def is_go(elf: Elf) -> bool:
    """Whether a program was made by Go's compiler."""
    return any(elf.section(name) for name in _SECTIONS)


def find_go_functions(elf: Elf, names: frozenset[str]) -> list[GoFunction]:
    """Those of the wanted functions that the program has; none where the table is of a Go older than 1.18.

    :raises BadElf: the tables contradict themselves.
    """
    section = next((found for found in map(elf.section, _SECTIONS) if found), None)
    if section is None:
        return []
    table = elf.content(section)
    if len(table) < _HEADER.size:
        raise BadElf("the table of Go functions is cut off")
    magic, _, _, pointer, count, _, start, names_at, _, _, _, functions_at = _HEADER.unpack_from(table)
    if magic not in _MAGIC or pointer != 8:
        return []
    if count > _MOST_FUNCTIONS or functions_at + _ENTRY.size * count + 4 > len(table):
        raise BadElf("the table of Go functions lies outside of its section")
    wanted: dict[int, str] = {}
    for name in names:
        at = table.find(b"\0" + name.encode() + b"\0", max(0, names_at - 1))
        if at >= 0:
            wanted[at + 1 - names_at] = name
    # since Go 1.26 the header does not say where the text begins
    base = start or elf.symbol_address("runtime.text") or getattr(elf.section(".text"), "address", 0)
    found: list[GoFunction] = []
    entries = table[functions_at : functions_at + _ENTRY.size * count]
    for index, (entry, details) in enumerate(_ENTRY.iter_unpack(entries) if wanted else ()):
        at = functions_at + details
        if at + 8 > len(table):
            continue
        (name_at,) = struct.unpack_from("<i", table, at + 4)
        if name_at not in wanted:
            continue
        (following,) = struct.unpack_from("<I", table, functions_at + _ENTRY.size * (index + 1))
        offset = elf.file_offset(base + entry)
        size = min(max(0, following - entry), _MOST_BYTES)
        if offset is not None:
            returns = _returns(elf.machine, elf.bytes_at(offset, size))
            if returns:
                found.append(GoFunction(wanted[name_at], offset, tuple(offset + place for place in returns)))
    return found


def _returns(machine: int, code: bytes) -> list[int]:
    """Places of return instructions; none when this does not look like a function's beginning."""
    if machine == _X86_64:
        if not _X86_BEGIN.match(code):
            return []
        return [match.end() - 1 for match in _X86_RETURN.finditer(code)]
    if machine == _AARCH64:
        return [at for at in range(0, len(code) - 3, 4) if code[at : at + 4] == _ARM_RETURN]
    return []

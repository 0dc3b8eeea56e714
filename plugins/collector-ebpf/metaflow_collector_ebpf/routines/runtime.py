"""Where a Go program's runtime keeps the running goroutine and its number.

The version stands in the section ``.go.buildinfo``, which ``strip`` leaves alone since the program itself reads it
(debug/buildinfo, "inline strings", Go 1.18 and later). Places of members are those that the DWARF of programs made by each version's compiler
says; ``bpf/include/routines.h`` reads them.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from metaflow_collector_ebpf.kernel.elf import BadElf, Elf

__all__ = ["GoRuntime", "go_version", "read_runtime"]

_MAGIC = b"\xff Go buildinf:"
_INLINE = 2
_LONGEST = 256
_VERSION = re.compile(r"go1\.(\d{1,3})(?:\.|rc|beta|\s|-|$)")
# minor version: g.goid, g.parentGoid (0: there is none), m.oldp, p.goidcache
_PLACES = {
    18: (152, 0, 0, 0), 19: (152, 0, 0, 0), 20: (152, 0, 0, 0), 21: (152, 272, 224, 384), 22: (152, 272, 224, 384),
    23: (160, 280, 224, 376), 24: (160, 280, 224, 376), 25: (152, 272, 216, 376), 26: (152, 280, 224, 384),
}  # fmt: skip
# net/http.persistConn.conn; tlsState follows it
_CONNECTION = 80
_WORD = 8
_X86_64 = 62
_PACKED = struct.Struct("<qIIIIII")


@dataclass(frozen=True, slots=True)
class GoRuntime:
    """``struct runtime``.

    :ivar version: as the compiler wrote it, empty where it cannot be told. :ivar local: bytes from the base of thread-local storage to the
        pointer to the running goroutine (amd64). :ivar number: place of a goroutine's number, 0 where it is not known.
    :ivar creator: place of the number of the goroutine that started it, 0 where there is none. :ivar processor: of a thread, where the runtime's processor is that it had when it began its
        system call. :ivar next: of a processor, where the numbers are that it gives to goroutines next (first, and end).
    """

    version: str
    local: int = 0
    number: int = 0
    creator: int = 0
    processor: int = 0
    next: int = 0

    @property
    def is_known(self) -> bool:
        """Whether goroutines can be told apart."""
        return self.number > 0

    def pack(self, generation: int) -> bytes:
        """As the map wants it.

        :param generation: a number of its own for each process that is told of, since numbers of processes come again.
        """
        return _PACKED.pack(
            self.local, self.number, self.creator, _CONNECTION, self.processor, self.next, generation & 0xFFFFFFFF
        )


def go_version(elf: Elf) -> str:
    """What compiler made a program; empty where it does not say so in a form that is known."""
    section = elf.section(".go.buildinfo")
    if section is None:
        return ""
    content = elf.content(section)[:_LONGEST]
    if not content.startswith(_MAGIC) or len(content) < 34 or not content[15] & _INLINE:
        return ""
    length = content[32]  # a varint; versions are shorter than 128 bytes
    if length > 127:
        return ""
    return content[33 : 33 + length].decode("utf-8", "replace")


def read_runtime(elf: Elf) -> GoRuntime:
    """Whatever is known of a Go program. Never guesses: of a version that nobody looked at, nothing is known."""
    try:
        version = go_version(elf)
        local = _place_of_running(elf)
    except BadElf:
        return GoRuntime("")
    found = _VERSION.match(version)
    places = _PLACES.get(int(found[1])) if found else None
    if places is None or local is None:
        return GoRuntime(version)
    return GoRuntime(version, local, *places)


def _place_of_running(elf: Elf) -> int | None:
    """Where the pointer to the running goroutine is, relative to the base of thread-local storage."""
    if elf.machine != _X86_64:
        return 0  # it is in a register
    block = elf.thread_local()
    if block is None:
        return -_WORD  # Go's own linker: always the word below the base
    size, align = block
    end = -(-size // align) * align
    # with C code in the program there may be other variables beside it; without symbols nobody knows which is which
    at = elf.thread_local_variable("runtime.tlsg")
    if at is not None:
        return at - end
    return -end if size == _WORD else None

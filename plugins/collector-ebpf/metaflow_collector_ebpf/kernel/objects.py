"""A compiled BPF object into the kernel: maps made, programs filled in and loaded; the kernel relocates them to itself (CO-RE)."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from metaflow_collector_ebpf.kernel import btf as types
from metaflow_collector_ebpf.kernel.btf import Btf
from metaflow_collector_ebpf.kernel.calls import (
    PROGRAM_KPROBE,
    PROGRAM_TRACEPOINT,
    LoadedProgram,
    Map,
    ProgramRefused,
    create_map,
    load_btf,
    load_program,
)
from metaflow_collector_ebpf.kernel.casting import casting_function, with_casts
from metaflow_collector_ebpf.kernel.elf import BadElf, Elf, Relocation, Section

__all__ = ["Loaded", "load_object"]

_KINDS = {"tracepoint": PROGRAM_TRACEPOINT, "uprobe": PROGRAM_KPROBE}
_LOAD_IMMEDIATE_64 = 0x18
_PSEUDO_MAP_FD, _PSEUDO_FUNCTION = 1, 4
_TASK_STORAGE = 29
_STT_SECTION, _STT_FUNCTION = 3, 2
_SHT_PROGBITS, _SHF_EXECUTABLE = 1, 4
_EXTENSION = struct.Struct("<HBBIIIIIII")


@dataclass(slots=True)
class Loaded:
    """What stands in the kernel now, by name.

    :ivar maps: maps. :ivar programs: descriptors of programs.
    """

    maps: dict[str, Map] = field(default_factory=dict)
    programs: dict[str, int] = field(default_factory=dict)

    def close(self) -> None:
        """Give everything back. Idempotent."""
        programs, self.programs = self.programs, {}
        maps, self.maps = self.maps, {}
        for fd in [*programs.values(), *(item.fd for item in maps.values())]:
            os.close(fd)


def load_object(data: bytes, entries: Mapping[str, int], spared: frozenset[str] = frozenset()) -> Loaded:
    """Load an object.

    :param entries: sizes of maps that replace those in the object. :param spared: names of programs that may be refused.
    :raises BadElf: the object is damaged. :raises ProgramRefused: the kernel refuses a program (with its log).
    :raises OSError: it refuses a map.
    """
    elf = Elf(data)
    description = elf.section(".BTF")
    extension = elf.section(".BTF.ext")
    map_section = elf.section(".maps")
    if description is None or extension is None or map_section is None:
        raise BadElf("the object has no .BTF, .BTF.ext or .maps section")
    raw = elf.content(description)
    own = Btf(raw)
    loaded = Loaded()
    described = -1
    try:
        described = load_btf(_with_sizes(elf, own, raw))
        places = _make_maps(elf, own, map_section, entries, loaded, described)
        functions, relocations = _extension(own, elf.content(extension))
        # a program begins its section; functions that it hands to the kernel stand behind it
        names = {item.section: item.name for item in elf.symbols() if item.type == _STT_FUNCTION and item.value == 0}
        references = elf.relocations()
        found: dict[str, tuple[int, LoadedProgram]] = {}
        for section in elf.sections:
            kind = _KINDS.get(section.name.split("/", 1)[0])
            if kind is None or section.type != _SHT_PROGBITS or section.index not in names:
                continue
            program = LoadedProgram(
                _filled_in(elf, section, map_section, places, references),
                described,
                functions.get(section.name, b""),
                relocations.get(section.name, b""),
            )
            found[names[section.index]] = kind, program
        _load_all(found, loaded.programs, spared)
    except BaseException:
        loaded.close()
        raise
    finally:
        if described >= 0:
            os.close(described)
    return loaded


def _load_all(
    programs: Mapping[str, tuple[int, LoadedProgram]], loaded: dict[str, int], spared: frozenset[str]
) -> None:
    """Load programs into ``loaded``; together, since the verifier takes a tenth of a second for each, on whichever processor."""
    function = casting_function()
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="metaflow-ebpf-load") as pool:
        running = {
            name: pool.submit(_load, kind, name, program, function) for name, (kind, program) in programs.items()
        }
        wait(running.values())
    for name, one in running.items():
        if one.exception() is None:
            loaded[name] = one.result()
    for name, one in running.items():
        if name not in spared or not isinstance(one.exception(), ProgramRefused):
            one.result()


def _load(kind: int, name: str, program: LoadedProgram, function: int) -> int:
    """One program, with the reads that this kernel allows; without them where its verifier thinks otherwise."""

    def made(number: int) -> LoadedProgram:
        return replace(program, instructions=with_casts(program.instructions, number))

    if function:
        with contextlib.suppress(ProgramRefused):
            return load_program(kind, name, made(function))
    return load_program(kind, name, made(0))


def _make_maps(
    elf: Elf, own: Btf, section: Section, entries: Mapping[str, int], loaded: Loaded, described: int
) -> dict[int, Map]:
    """Make the maps that the object declares; by their offset in the section."""
    offsets = {item.name: item.value for item in elf.symbols() if item.section == section.index and item.type == 1}
    places: dict[int, Map] = {}
    number = own.find(types.SECTION, ".maps")
    for variable, _ in own.variables(own.type(number)) if number else ():
        found = own.type(variable)
        values = {"type": 0, "max_entries": 0, "map_flags": 0, "key": 0, "value": 0}
        kinds = {"key": 0, "value": 0}
        for member in own.members(own.type(own.plain(found.size))):
            target = own.type(own.plain(member.type)).size
            if member.name in ("type", "max_entries", "map_flags"):
                values[member.name] = own.elements(own.type(own.plain(target)))[1]
            elif member.name in ("key", "value"):
                values[member.name] = own.size(target)
                kinds[member.name] = target
        size = entries.get(found.name, values["max_entries"])
        made = create_map(
            values["type"], values["key"], values["value"], size, found.name, values["map_flags"],
            (described, kinds["key"], kinds["value"]) if values["type"] == _TASK_STORAGE else (0, 0, 0),
        )  # fmt: skip
        loaded.maps[found.name] = made
        places[offsets[found.name]] = made
    return places


def _filled_in(
    elf: Elf, section: Section, maps: Section, places: Mapping[int, Map], references: list[Relocation]
) -> bytes:
    """A program's instructions with the maps' descriptors in their places, and with the places of its own functions."""
    code = bytearray(elf.content(section))
    for relocation in references:
        if relocation.target != section.index:
            continue
        at = relocation.offset
        own = relocation.symbol.section == section.index
        if (
            not (own or relocation.symbol.section == maps.index)
            or at + 16 > len(code)
            or code[at] != _LOAD_IMMEDIATE_64
        ):
            raise BadElf(
                f"{section.name} refers to {relocation.symbol.name!r}, which is no map and no function of its own"
            )
        (addend,) = struct.unpack_from("<i", code, at + 4)
        place = addend if relocation.symbol.type == _STT_SECTION else relocation.symbol.value + addend
        if own:
            code[at + 1] = (code[at + 1] & 0x0F) | (_PSEUDO_FUNCTION << 4)
            # counted in instructions from the next one
            struct.pack_into("<i", code, at + 4, place // 8 - at // 8 - 1)
            continue
        if place not in places:
            raise BadElf(f"{section.name} refers to the middle of a map")
        code[at + 1] = (code[at + 1] & 0x0F) | (_PSEUDO_MAP_FD << 4)
        struct.pack_into("<i", code, at + 4, places[place].fd)
    return bytes(code)


def _with_sizes(elf: Elf, own: Btf, raw: bytes) -> bytes:
    """The object's BTF with the sizes and offsets that compilers leave to the linker, which nobody ran."""
    data = bytearray(raw)
    offsets = {item.name: item.value for item in elf.symbols() if item.type == 1}
    for number in range(1, len(own)):
        found = own.type(number)
        if found.kind != types.SECTION:
            continue
        section = elf.section(found.name)
        if section is not None:
            struct.pack_into("<I", data, own.start(number) + 8, section.size)
        for index, (variable, _) in enumerate(own.variables(found)):
            name = own.type(variable).name
            struct.pack_into("<I", data, found.details + 12 * index + 4, offsets.get(name, 0))
    return bytes(data)


def _extension(own: Btf, data: bytes) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """By section: records of functions (offsets in instructions, as the kernel wants them) and of relocations."""
    if len(data) < _EXTENSION.size:
        raise BadElf(".BTF.ext is too short")
    _, _, _, header, functions, functions_size, _, _, relocations, relocations_size = _EXTENSION.unpack_from(data)
    found = _records(own, data[header + functions : header + functions + functions_size], 8)
    return (
        {
            name: b"".join(struct.pack("<II", offset // 8, kind) for offset, kind in struct.iter_unpack("<II", records))
            for name, records in found.items()
        },
        _records(own, data[header + relocations : header + relocations + relocations_size], 16),
    )


def _records(own: Btf, data: bytes, expected: int) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    if not data:
        return found
    (size,) = struct.unpack_from("<I", data)
    if size < expected:
        raise BadElf(f".BTF.ext has records of {size} bytes where {expected} were expected")
    at = 4
    while at + 8 <= len(data):
        name, count = struct.unpack_from("<II", data, at)
        at += 8
        records = (data[at + index * size : at + index * size + expected] for index in range(count))
        found[own.text(name)] = b"".join(records)
        at += size * count
    return found

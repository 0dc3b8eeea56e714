"""bpf(2) and perf_event_open(2) through the C library's syscall(2): no libbpf, nothing to install."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "LoadedProgram",
    "Map",
    "ProgramRefused",
    "bpf",
    "create_map",
    "link_probes",
    "load_btf",
    "load_program",
    "perf_probe",
    "perf_tracepoint",
]

# asm/unistd.h of each machine
_NUMBERS = {"x86_64": (321, 298), "aarch64": (280, 241)}
_BPF, _PERF_EVENT_OPEN = _NUMBERS.get(platform.machine(), (-1, -1))
_ATTRIBUTES = 168
_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _MAP_NEXT, _PROG_LOAD, _BTF_LOAD = 0, 1, 2, 3, 4, 5, 18
_LINK_CREATE = 28
_TRACE_UPROBE_MULTI = 48
_UPROBE_MULTI_RETURN = 1
_PERF_IOC_SET_BPF, _PERF_IOC_ENABLE = 0x40042408, 0x2400
_PERF_TYPE_TRACEPOINT = 2
_PERF_FLAG_CLOEXEC = 8
PROGRAM_KPROBE, PROGRAM_TRACEPOINT = 2, 5

_LIBC = ctypes.CDLL(None, use_errno=True)


class ProgramRefused(OSError):
    """The kernel refused a program. :ivar log: what its verifier said."""

    def __init__(self, code: int, name: str, log: str) -> None:
        super().__init__(code, f"the kernel refused the program {name}: {os.strerror(code)}")
        self.log = log


def bpf(command: int, attributes: bytes) -> int:
    """One bpf(2) call. :raises OSError: with the kernel's number."""
    if _BPF < 0:
        raise OSError(errno.ENOSYS, f"no system call numbers are known for {platform.machine()}")
    buffer = ctypes.create_string_buffer(attributes.ljust(_ATTRIBUTES, b"\0"), _ATTRIBUTES)
    ctypes.set_errno(0)
    result = int(_LIBC.syscall(_BPF, command, buffer, _ATTRIBUTES))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"bpf({command}): {os.strerror(code)}")
    return result


@dataclass(frozen=True, slots=True)
class Map:
    """A map in the kernel, by its descriptor."""

    fd: int
    kind: int
    key_size: int
    value_size: int
    entries: int

    def lookup(self, key: bytes, size: int | None = None) -> bytes | None:
        """The value of a key; ``size`` for maps with a value for each processor."""
        keys = ctypes.create_string_buffer(key, len(key))
        value = ctypes.create_string_buffer(size or self.value_size)
        try:
            bpf(_MAP_LOOKUP, struct.pack("<IxxxxQQQ", self.fd, ctypes.addressof(keys), ctypes.addressof(value), 0))
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return value.raw

    def update(self, key: bytes, value: bytes) -> None:
        """Set a key's value."""
        keys, values = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
        bpf(_MAP_UPDATE, struct.pack("<IxxxxQQQ", self.fd, ctypes.addressof(keys), ctypes.addressof(values), 0))

    def delete(self, key: bytes) -> None:
        """Remove a key; one that is not there is fine."""
        keys = ctypes.create_string_buffer(key, len(key))
        try:
            bpf(_MAP_DELETE, struct.pack("<IxxxxQQQ", self.fd, ctypes.addressof(keys), 0, 0))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def keys(self) -> list[bytes]:
        """Every key, as far as the map holds still."""
        found: list[bytes] = []
        last: bytes | None = None
        following = ctypes.create_string_buffer(self.key_size)
        while len(found) <= self.entries:
            previous = ctypes.create_string_buffer(last, self.key_size) if last is not None else None
            address = ctypes.addressof(previous) if previous is not None else 0
            try:
                bpf(_MAP_NEXT, struct.pack("<IxxxxQQQ", self.fd, address, ctypes.addressof(following), 0))
            except OSError as error:
                if error.errno == errno.ENOENT:
                    return found
                raise
            last = following.raw
            found.append(last)
        return found


def create_map(
    kind: int,
    key_size: int,
    value_size: int,
    entries: int,
    name: str,
    flags: int = 0,
    types: tuple[int, int, int] = (0, 0, 0),
) -> Map:
    """BPF_MAP_CREATE. :param types: loaded BTF and the ids of key and value in it, for kinds of maps that must have them."""
    attributes = struct.pack(
        "<IIIIIII16sIIII", kind, key_size, value_size, entries, flags, 0, 0, name.encode()[:15], 0, *types
    )
    return Map(bpf(_MAP_CREATE, attributes), kind, key_size, value_size, entries)


def load_btf(data: bytes) -> int:
    """BPF_BTF_LOAD. :raises ProgramRefused: with the kernel's log."""
    buffer = ctypes.create_string_buffer(data, len(data))
    try:
        return bpf(_BTF_LOAD, struct.pack("<QQIIII", ctypes.addressof(buffer), 0, len(data), 0, 0, 0))
    except OSError:
        log = ctypes.create_string_buffer(1 << 18)
        attributes = struct.pack("<QQIIII", ctypes.addressof(buffer), ctypes.addressof(log), len(data), len(log), 1, 0)
        try:
            return bpf(_BTF_LOAD, attributes)
        except OSError as error:
            raise ProgramRefused(error.errno or 0, "BTF", log.value.decode("utf-8", "replace")) from error


@dataclass(frozen=True, slots=True)
class LoadedProgram:
    """What BPF_PROG_LOAD takes besides the kind and the name.

    :ivar instructions: with the maps' descriptors filled in. :ivar functions: ``struct bpf_func_info`` records.
    :ivar relocations: ``struct bpf_core_relo`` records, applied by the kernel (since Linux 5.17).
    """

    instructions: bytes
    btf: int
    functions: bytes
    relocations: bytes


def load_program(kind: int, name: str, program: LoadedProgram) -> int:
    """BPF_PROG_LOAD; asks for the verifier's log only when the kernel refuses.

    :raises ProgramRefused: the kernel does not take it.
    """
    try:
        return _load_program(kind, name, program, None)
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES) and not _may_load():
            raise ProgramRefused(error.errno, name, "") from error
    log = ctypes.create_string_buffer(1 << 22)
    try:
        return _load_program(kind, name, program, log)
    except OSError as error:
        raise ProgramRefused(error.errno or 0, name, log.value.decode("utf-8", "replace")) from error


def _load_program(kind: int, name: str, program: LoadedProgram, log: ctypes.Array[ctypes.c_char] | None) -> int:
    instructions = ctypes.create_string_buffer(program.instructions, len(program.instructions))
    functions = ctypes.create_string_buffer(program.functions, max(1, len(program.functions)))
    relocations = ctypes.create_string_buffer(program.relocations, max(1, len(program.relocations)))
    licence = ctypes.create_string_buffer(b"Dual BSD/GPL")
    attributes = struct.pack(
        "<IIQQIIQII16sIIIIQIIQIIIIQQI",
        kind, len(program.instructions) // 8, ctypes.addressof(instructions), ctypes.addressof(licence),
        1 if log is not None else 0, len(log) if log is not None else 0, ctypes.addressof(log) if log is not None else 0,
        # kernels before 6.6 do not look at how a probe's program will be attached
        0, 0, name.encode()[:15], 0, _TRACE_UPROBE_MULTI if kind == PROGRAM_KPROBE else 0, program.btf, 8, ctypes.addressof(functions), len(program.functions) // 8,
        0, 0, 0, 0, 0, len(program.relocations) // 16, 0, ctypes.addressof(relocations), 16,
    )  # fmt: skip
    return bpf(_PROG_LOAD, attributes)


def _may_load() -> bool:
    """Whether the smallest program is taken: tells a missing capability from a refused program."""
    try:
        # r0 = 0; exit
        trivial = bytes.fromhex("b7000000000000009500000000000000")
        os.close(_load_program(PROGRAM_TRACEPOINT, "trivial", LoadedProgram(trivial, 0, b"", b""), None))
    except OSError:
        return False
    return True


def _perf(attributes: bytes, program: int, pid: int) -> int:
    size = 112
    buffer = ctypes.create_string_buffer(attributes.ljust(size, b"\0"), size)
    ctypes.set_errno(0)
    fd = int(_LIBC.syscall(_PERF_EVENT_OPEN, buffer, pid, 0 if pid < 0 else -1, -1, _PERF_FLAG_CLOEXEC))
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"perf_event_open: {os.strerror(code)}")
    for request, argument in ((_PERF_IOC_SET_BPF, program), (_PERF_IOC_ENABLE, 0)):
        ctypes.set_errno(0)
        if _LIBC.ioctl(fd, request, argument) < 0:
            code = ctypes.get_errno()
            os.close(fd)
            raise OSError(code, f"attaching to a perf event: {os.strerror(code)}")
    return fd


def perf_tracepoint(number: int, program: int) -> int:
    """Attach a program to a tracepoint by its number; the descriptor is the attachment."""
    attributes = struct.pack("<IIQQQQQIIQQ", _PERF_TYPE_TRACEPOINT, 112, number, 1, 0x400, 0, 0, 1, 0, 0, 0)
    return _perf(attributes, program, -1)


def perf_probe(
    path: str, offset: int, program: int, *, returning: bool, kind: int, return_bit: int, pid: int = -1
) -> int:
    """Attach a program to a place in a file that processes map; in every process or in one."""
    name = ctypes.create_string_buffer(path.encode())
    config = (1 << return_bit) if returning else 0
    attributes = struct.pack("<IIQQQQQIIQQ", kind, 112, config, 1, 0x400, 0, 0, 1, 0, ctypes.addressof(name), offset)
    return _perf(attributes, program, pid)


def link_probes(path: str, offsets: Sequence[int], program: int, *, returning: bool, pid: int = -1) -> int:
    """Attach a program to several places of a file at once; in every process or in one. The descriptor is the attachment.

    Unlike those of :func:`perf_probe`, such attachments do not wait for one another when they are taken away.

    :raises OSError: EINVAL where the kernel is older than 6.6, or the program was not loaded for it.
    """
    name = ctypes.create_string_buffer(path.encode())
    places = ctypes.create_string_buffer(struct.pack(f"<{len(offsets)}Q", *offsets))
    flags = _UPROBE_MULTI_RETURN if returning else 0
    return bpf(
        _LINK_CREATE,
        struct.pack(
            "<IIIIQQQQIII",
            program, 0, _TRACE_UPROBE_MULTI, 0,
            ctypes.addressof(name), ctypes.addressof(places), 0, 0, len(offsets), flags, max(0, pid),
        ),
    )  # fmt: skip

"""Reads of the kernel's memory without a call each: where the kernel has ``bpf_rdonly_cast`` (Linux 6.2), the programs use it.

They call two functions that no kernel has, by the numbers below; here the one becomes the kernel's own function by its number in the
kernel's description of itself, and the other the answer whether it is there, by which the verifier leaves the other way out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from metaflow_collector_ebpf.kernel.btf import FUNCTION, BadBtf, Btf

__all__ = ["casting_function", "with_casts"]

_CALL, _MOVE_IMMEDIATE = 0x85, 0xB7
_PSEUDO_FUNCTION = 2
# bpf/include/helpers.h has the same
_CAST, _CAN_CAST = 0x7FFF0001, 0x7FFF0002
_VMLINUX = Path("/sys/kernel/btf/vmlinux")


def casting_function() -> int:
    """The number of ``bpf_rdonly_cast`` in the running kernel; 0 where it has none, or does not describe itself."""
    try:
        return Btf(_VMLINUX.read_bytes()).find(FUNCTION, "bpf_rdonly_cast")
    except (OSError, BadBtf):
        return 0


def _calls(code: bytes) -> Iterator[tuple[int, int]]:
    """Offsets of call instructions, and what each calls."""
    for at in range(0, len(code), 8):
        if code[at] == _CALL and code[at + 1] == 0:
            yield at, struct.unpack_from("<i", code, at + 4)[0]


def with_casts(code: bytes, function: int) -> bytes:
    """A program for a kernel whose function has this number, or for one without (0)."""
    out = bytearray(code)
    for at, called in _calls(code):
        if called == _CAST:
            struct.pack_into("<BBhi", out, at, _CALL, _PSEUDO_FUNCTION << 4, 0, function)
        elif called == _CAN_CAST:
            struct.pack_into("<BBhi", out, at, _MOVE_IMMEDIATE, 0, 0, int(function != 0))
    return bytes(out)

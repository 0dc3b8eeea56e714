"""The native drain: maps a ring buffer and moves its records into a block (src/; Rust, standard library only)."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_int, c_int32, c_int64, c_size_t, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path

from metaflow_core.api import load_native, native_library
from metaflow_core.errors import StartError

__all__ = ["Drained", "Ring", "load_library"]

_SIGNATURES = {
    "mfk_open": (c_void_p, (c_int32, c_uint64)),
    "mfk_drain": (c_size_t, (c_void_p, c_void_p, c_size_t, c_int64, c_int, POINTER(c_uint64))),
    "mfk_queued": (c_uint64, (c_void_p,)),
    "mfk_close": (None, (c_void_p,)),
}


def load_library() -> ctypes.CDLL:
    """Load the library of this package.

    :raises UnavailableError: the package was installed without it, or it does not load here.
    """
    return load_native(
        native_library(Path(__file__).parent),
        _SIGNATURES,
        what="the native drain",
        distribution="metaflow-collector-ebpf",
        otherwise=", or capture packets with the collector cbpf",
    )


@dataclass(frozen=True, slots=True)
class Drained:
    """A block of records, their number, and the number of those left out because they were damaged."""

    data: bytes
    records: int
    damaged: int


class Ring:
    """A ring buffer, mapped. Used by one thread.

    :param fd: the map's descriptor; may be closed afterwards. :param size: bytes of its data area.
    :raises StartError: it cannot be mapped.
    """

    def __init__(self, library: ctypes.CDLL, fd: int, size: int, *, plain: bool = False, block: int = 1 << 20) -> None:
        self._library = library
        self._plain = plain
        self._handle: int | None = library.mfk_open(fd, size)
        if not self._handle:
            raise StartError(f"the kernel's ring buffer of {size} bytes cannot be mapped; choose a smaller ring_mib")
        self._buffer = ctypes.create_string_buffer(block)
        self._counts = (c_uint64 * 2)()

    def drain(self, to_unix: int) -> Drained:
        """What waits in the ring, as much as a block holds; nothing is waited for.

        :param to_unix: nanoseconds from the kernel's monotonic clock to Unix time.
        """
        size = self._library.mfk_drain(
            self._handle, self._buffer, len(self._buffer), to_unix, self._plain, self._counts
        )
        data = ctypes.string_at(self._buffer, size) if size else b""
        return Drained(data, int(self._counts[0]), int(self._counts[1]))

    def queued(self) -> int:
        """Bytes that wait."""
        return int(self._library.mfk_queued(self._handle))

    def close(self) -> None:
        """Unmap. Idempotent."""
        handle, self._handle = self._handle, None
        self._library.mfk_close(handle)

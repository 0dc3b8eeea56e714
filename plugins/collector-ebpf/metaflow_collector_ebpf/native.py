"""The native drain: maps a ring buffer and moves its records into a block (src/; Rust, standard library only)."""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, c_char, c_int32, c_int64, c_size_t, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path

from metaflow_core.api import load_native, native_library
from metaflow_core.errors import StartError

__all__ = ["Drained", "Ring", "load_library"]

_SIGNATURES = {
    "mfk_open": (c_void_p, (c_int32, c_uint64, c_int32)),
    "mfk_drain": (c_size_t, (c_void_p, c_void_p, c_size_t, c_int64, POINTER(c_uint64))),
    "mfk_queued": (c_uint64, (c_void_p,)),
    "mfk_close": (None, (c_void_p,)),
}
# what is smaller is copied out of its block: it may wait long, and would hold the whole of it
_WORTH_HANDING_ON = 1 << 16
# blocks kept for the next records; as many as are on their way to the engine as a rule
_BLOCKS_KEPT = 8
_HELD_BY_NOBODY_ELSE = 3


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
    """A block of records, their number, and the number of those left out because they were damaged.

    :ivar data: nobody writes to it again as long as somebody holds it.
    """

    data: bytes | memoryview
    records: int
    damaged: int


class Blocks:
    """Memory for blocks, used again when nobody looks at it any more: fresh memory costs a page fault for each 4 KiB of it.

    :param size: bytes of one.
    """

    def __init__(self, size: int) -> None:
        self._kind = c_char * size
        self._kept: list[ctypes.Array[c_char]] = []

    def take(self) -> ctypes.Array[c_char]:
        """One that nobody holds a view of. It goes on being kept here: hold a view for as long as it must not be given out again."""
        for block in self._kept:
            # here, in `block`, and as the argument; each view, and each view of a view, holds it once more
            if sys.getrefcount(block) == _HELD_BY_NOBODY_ELSE:
                return block
        block = self._kind()
        if len(self._kept) < _BLOCKS_KEPT:
            self._kept.append(block)
        return block


class Ring:
    """A ring buffer, mapped. Used by one thread.

    :param fd: the map's descriptor; may be closed afterwards. :param size: bytes of its data area.
    :raises StartError: it cannot be mapped.
    """

    def __init__(self, library: ctypes.CDLL, fd: int, size: int, *, plain: bool = False, block: int = 1 << 20) -> None:
        self._library = library
        self._handle: int | None = library.mfk_open(fd, size, plain)
        if not self._handle:
            raise StartError(f"the kernel's ring buffer of {size} bytes cannot be mapped; choose a smaller ring_mib")
        self._blocks = Blocks(block)
        self._counts = (c_uint64 * 2)()

    def drain(self, to_unix: int) -> Drained:
        """What waits in the ring, as much as a block holds; nothing is waited for.

        :param to_unix: nanoseconds from the kernel's monotonic clock to Unix time.
        """
        block = self._blocks.take()
        size = self._library.mfk_drain(self._handle, block, len(block), to_unix, self._counts)
        view = memoryview(block).cast("B")[:size].toreadonly()
        data = view if size >= _WORTH_HANDING_ON else bytes(view)
        return Drained(data, int(self._counts[0]), int(self._counts[1]))

    def queued(self) -> int:
        """Bytes that wait."""
        return int(self._library.mfk_queued(self._handle))

    def close(self) -> None:
        """Unmap. Idempotent."""
        handle, self._handle = self._handle, None
        self._library.mfk_close(handle)

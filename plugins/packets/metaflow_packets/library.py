"""The native library: found in the package, loaded by ctypes (which releases the GIL during calls)."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_int64, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from functools import lru_cache
from pathlib import Path

from metaflow_core.api import load_native, native_library
from metaflow_core.errors import UnavailableError

__all__ = ["Raw", "RawFlow", "load_library"]

_ABI_VERSION = 1


class Raw(Structure):
    """Bytes of a handle, valid until its next call."""

    _fields_ = (("ptr", c_void_p), ("len", ctypes.c_size_t))

    def copy(self) -> bytes:
        """The bytes."""
        return ctypes.string_at(self.ptr, self.len) if self.ptr and self.len else b""


class RawFlow(Structure):
    """A flow: addresses as 16 bytes (IPv4 mapped into IPv6), times in nanoseconds since 1970."""

    _fields_ = (
        ("one", c_uint8 * 16), ("other", c_uint8 * 16), ("one_port", c_uint16), ("other_port", c_uint16),
        ("protocol", c_uint32), ("from_ns", c_uint64), ("to_ns", c_uint64),
    )  # fmt: skip


_SIGNATURES = {
    "mfk_abi_version": (c_uint32, ()),
    "mfk_new": (c_void_p, (c_uint32,)),
    "mfk_free": (None, (c_void_p,)),
    "mfk_push": (c_int64, (c_void_p, c_uint32, c_uint32, c_uint32, c_uint32, c_void_p, c_uint32)),
    "mfk_waiting": (c_uint64, (c_void_p,)),
    "mfk_take": (None, (c_void_p, POINTER(Raw))),
    "mfk_finder_new": (c_void_p, (POINTER(RawFlow), c_uint64)),
    "mfk_finder_free": (None, (c_void_p,)),
    "mfk_finder_add": (c_int64, (c_void_p, ctypes.c_char_p, c_uint64, POINTER(c_uint64))),
    "mfk_finder_file": (c_uint64, (c_void_p, POINTER(Raw))),
}


@lru_cache(maxsize=1)
def load_library() -> ctypes.CDLL:
    """The library with its functions declared.

    :raises UnavailableError: there is none for this platform, it cannot be loaded, or it is of another version.
    """
    path = native_library(Path(__file__).parent)
    library = load_native(path, _SIGNATURES, what="the native library", distribution="metaflow-packets")
    if library.mfk_abi_version() != _ABI_VERSION:
        raise UnavailableError(f"the native library {path} is of another version; reinstall metaflow-packets")
    return library

"""The native engine library: found in the package, loaded by ctypes (which releases the GIL during calls)."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_char_p, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from pathlib import Path

from metaflow_core.api import load_native, native_library
from metaflow_core.errors import UnavailableError

ABI_VERSION = 1


class Raw(Structure):
    """Bytes of the engine, valid until the next call."""

    _fields_ = (("ptr", c_void_p), ("len", ctypes.c_size_t))


class Work(Structure):
    """A batch for an external parser."""

    _fields_ = (("parser", c_uint32), ("op", c_uint32), ("ptr", c_void_p), ("len", c_uint32))


_SIGNATURES = {
    "mfe_abi_version": (c_uint32, ()),
    "mfe_new": (c_void_p, (c_char_p, c_uint32)),
    "mfe_free": (None, (c_void_p,)),
    "mfe_add_parser": (c_int32, (c_void_p, c_char_p, c_uint32, c_void_p)),
    "mfe_push_part": (
        c_int64,
        (c_void_p, c_uint32, c_uint32, c_uint32, c_uint32, c_void_p, c_uint32, POINTER(c_uint32)),
    ),
    "mfe_work": (c_int32, (c_void_p, POINTER(Work))),
    "mfe_complete": (c_int32, (c_void_p, c_void_p, c_uint32)),
    "mfe_tick": (None, (c_void_p, c_uint64)),
    "mfe_finish": (None, (c_void_p,)),
    "mfe_ready": (c_uint64, (c_void_p, c_uint32)),
    "mfe_take": (c_int32, (c_void_p, c_uint32, c_void_p, c_void_p)),
    "mfe_take_raw": (c_int32, (c_void_p, c_uint32, POINTER(Raw))),
    "mfe_counters": (None, (c_void_p, POINTER(Raw))),
    "mfe_explain": (None, (c_void_p, c_uint64, POINTER(Raw))),
    "mfe_last_error": (None, (c_void_p, POINTER(Raw))),
}


def library_path() -> Path | None:
    """The native library in this package, None when it was installed without one."""
    return native_library(Path(__file__).parent)


def load_library(path: Path | None = None) -> ctypes.CDLL:
    """Load the native library and declare its functions.

    :raises UnavailableError: there is none for this platform, it cannot be loaded, or it has another ABI version.
    """
    path = path or library_path()
    library = load_native(
        path,
        _SIGNATURES,
        what="the native engine",
        distribution="metaflow-engine-flow",
        otherwise=", or use the WebAssembly build (engine: wasm)",
    )
    version = library.mfe_abi_version()
    if version != ABI_VERSION:
        raise UnavailableError(
            f"the native engine {path} speaks ABI version {version}, this package speaks {ABI_VERSION}"
        )
    return library

"""The few calls of libpcap that compile a filter, by ctypes (pcap_compile(3PCAP)). A binding of all of it would load 15 MiB of other things."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache

__all__ = ["Pcap", "Program", "load_pcap"]

_NAMES = ("libpcap.A.dylib",) if sys.platform == "darwin" else ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so")


class Instruction(ctypes.Structure):
    """``struct bpf_insn``."""

    _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint32))


class Program(ctypes.Structure):
    """``struct bpf_program``."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.POINTER(Instruction)))


class Pcap:
    """The library with its signatures set.

    :raises OSError: it is not there. :raises AttributeError: it is another library.
    """

    def __init__(self, name: str) -> None:
        library = ctypes.CDLL(name)
        self.open_dead = library.pcap_open_dead
        self.open_dead.restype, self.open_dead.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_int]
        self.compile = library.pcap_compile
        self.compile.restype = ctypes.c_int
        self.compile.argtypes = [
            ctypes.c_void_p, ctypes.POINTER(Program), ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32,
        ]  # fmt: skip
        self.geterr = library.pcap_geterr
        self.geterr.restype, self.geterr.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
        self.close = library.pcap_close
        self.close.restype, self.close.argtypes = None, [ctypes.c_void_p]
        self.freecode = library.pcap_freecode
        self.freecode.restype, self.freecode.argtypes = None, [ctypes.POINTER(Program)]


@lru_cache(maxsize=1)
def load_pcap() -> Pcap:
    """Load it, once.

    :raises OSError: no name that it has anywhere is found.
    """
    tried: list[str] = []
    for name in _NAMES:
        try:
            return Pcap(name)
        except (OSError, AttributeError) as error:
            tried.append(str(error))
    raise OSError("; ".join(tried))

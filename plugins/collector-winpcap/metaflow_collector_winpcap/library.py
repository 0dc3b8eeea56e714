"""The pcap library by ctypes: only the calls that WinPcap, Npcap and libpcap share (pcap(3PCAP))."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metaflow_core.errors import UnavailableError

__all__ = ["ERRBUF_SIZE", "BpfProgram", "Interface", "PcapStat", "devices", "load_library"]

ERRBUF_SIZE = 256


class Interface(ctypes.Structure):
    """``pcap_if_t``; addresses are not looked at."""


Interface._fields_ = [  # a structure that points to itself gets its fields afterwards
    ("next", ctypes.POINTER(Interface)),
    ("name", ctypes.c_char_p),
    ("description", ctypes.c_char_p),
    ("addresses", ctypes.c_void_p),
    ("flags", ctypes.c_uint32),
]


class BpfProgram(ctypes.Structure):
    """``struct bpf_program``."""

    _fields_ = [("length", ctypes.c_uint), ("instructions", ctypes.c_void_p)]


class PcapStat(ctypes.Structure):
    """``struct pcap_stat``; the tail is WinPcap's."""

    _fields_ = [
        ("received", ctypes.c_uint),
        ("dropped", ctypes.c_uint),
        ("interface_dropped", ctypes.c_uint),
        ("captured", ctypes.c_uint),
        ("sent", ctypes.c_uint),
        ("network_dropped", ctypes.c_uint),
    ]


_VOID, _INT, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
_SIGNATURES: dict[str, tuple[Any, Sequence[Any]]] = {
    "pcap_lib_version": (_TEXT, ()),
    "pcap_findalldevs": (_INT, (ctypes.POINTER(ctypes.POINTER(Interface)), _TEXT)),
    "pcap_freealldevs": (None, (ctypes.POINTER(Interface),)),
    "pcap_open_live": (_VOID, (_TEXT, _INT, _INT, _INT, _TEXT)),
    "pcap_close": (None, (_VOID,)),
    "pcap_datalink": (_INT, (_VOID,)),
    "pcap_compile": (_INT, (_VOID, ctypes.POINTER(BpfProgram), _TEXT, _INT, ctypes.c_uint32)),
    "pcap_setfilter": (_INT, (_VOID, ctypes.POINTER(BpfProgram))),
    "pcap_freecode": (None, (ctypes.POINTER(BpfProgram),)),
    "pcap_setnonblock": (_INT, (_VOID, _INT, _TEXT)),
    "pcap_dispatch": (_INT, (_VOID, _INT, _VOID, _VOID)),
    "pcap_dump_open": (_VOID, (_VOID, _TEXT)),
    "pcap_dump_close": (None, (_VOID,)),
    "pcap_dump": (None, (_VOID, _VOID, _VOID)),
    "pcap_stats": (_INT, (_VOID, ctypes.POINTER(PcapStat))),
    "pcap_geterr": (_TEXT, (_VOID,)),
}


def load_library(path: str | None = None) -> ctypes.CDLL:
    """Load the pcap library with its signatures set.

    :raises UnavailableError: it is not there; the sentence says what to install.
    """
    tried: list[str] = []
    for name in (path,) if path else _candidates():
        try:
            library = ctypes.CDLL(name)
            for symbol, (result, arguments) in _SIGNATURES.items():
                function = getattr(library, symbol)
                function.restype, function.argtypes = result, list(arguments)
        except (OSError, AttributeError) as error:
            tried.append(f"{name}: {error}")
            continue
        return library
    remedy = (
        "install Npcap (with 'WinPcap API-compatible mode')"
        if sys.platform == "win32"
        else "install libpcap (Debian: apt-get install libpcap0.8)"
    )
    raise UnavailableError(f"the pcap library cannot be loaded ({'; '.join(tried) or 'not found'}); {remedy}")


def _candidates() -> list[str]:
    if sys.platform == "win32":
        folder = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32"
        # Npcap keeps out of WinPcap's way in a folder of its own
        return [str(folder / "Npcap" / "wpcap.dll"), "wpcap.dll"]
    found = ctypes.util.find_library("pcap")
    return [name for name in (found, "libpcap.so.1", "libpcap.so.0.8", "libpcap.dylib") if name]


def devices(library: ctypes.CDLL) -> list[tuple[str, str]]:
    """``(name, description)`` of every device that this user may open.

    :raises UnavailableError: the library cannot list them.
    """
    first = ctypes.POINTER(Interface)()
    errors = ctypes.create_string_buffer(ERRBUF_SIZE)
    if library.pcap_findalldevs(ctypes.byref(first), errors) != 0:
        raise UnavailableError(f"the capture devices cannot be listed: {errors.value.decode(errors='replace')}")
    found: list[tuple[str, str]] = []
    item = first
    try:
        while bool(item):  # a null pointer is false
            entry = item.contents
            found.append(((entry.name or b"").decode(), (entry.description or b"").decode(errors="replace")))
            item = entry.next
    finally:
        library.pcap_freealldevs(first)
    return found

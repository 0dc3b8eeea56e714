"""Capture filters on files: compiled and run by libpcap, in this process, without a shell."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

from metaflow_core.errors import InputError, UnavailableError

__all__ = ["CaptureFilter"]


class CaptureFilter:
    """A filter expression, compiled once per link type.

    :param expression: in libpcap's language, e.g. ``tcp port 80``.
    :raises InputError: the expression is wrong; the sentence is libpcap's own.
    """

    # libpcap's grammar was not reentrant before 1.8; compiling is rare, so one at a time is no loss
    _compiling = threading.Lock()

    def __init__(self, expression: str) -> None:
        try:
            import libpcap
        except (ImportError, OSError) as error:
            raise UnavailableError(
                f"a capture filter needs libpcap, which cannot be loaded here ({error}); "
                "install it (Debian: apt-get install libpcap0.8) or leave the filter out"
            ) from error
        self._libpcap = libpcap
        self._expression = expression
        self._programs: dict[int, Any] = {}
        self._header = libpcap.pkthdr()
        self._program(1)

    def matches(self, link_type: int, wire_len: int, data: bytes) -> bool:
        """Whether a frame passes."""
        program = self._programs.get(link_type)
        if program is None:
            program = self._program(link_type)
        self._header.caplen = len(data)
        self._header.len = wire_len
        buffer = ctypes.cast(ctypes.c_char_p(data), ctypes.POINTER(ctypes.c_ubyte))
        return bool(self._libpcap.offline_filter(ctypes.byref(program), ctypes.byref(self._header), buffer))

    def _program(self, link_type: int) -> Any:
        libpcap = self._libpcap
        program = libpcap.bpf_program()
        with self._compiling:
            handle = libpcap.open_dead(link_type, 262_144)
            try:
                # PCAP_NETMASK_UNKNOWN, since a file has no network mask
                code = libpcap.compile(handle, ctypes.byref(program), self._expression.encode(), 1, 0xFFFF_FFFF)
                if code != 0:
                    reason = libpcap.geterr(handle).decode(errors="replace")
                    raise InputError(
                        f"the capture filter {self._expression!r} is wrong: {reason}; "
                        "'man pcap-filter' describes the language, e.g. 'tcp port 80 and host 10.0.0.1'"
                    )
            finally:
                libpcap.close(handle)
        self._programs[link_type] = program
        return program

    def close(self) -> None:
        """Free the compiled programs. Idempotent."""
        for program in self._programs.values():
            self._libpcap.freecode(ctypes.byref(program))
        self._programs.clear()

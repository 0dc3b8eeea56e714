"""Opening capture files: what they are is told by their first bytes, never by their name."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from metaflow_collector_pcap.tolerant import Tolerant, gunzip, unzstd
from metaflow_core.api import BlockFlag, BlockFormat
from metaflow_core.errors import InputError

__all__ = ["MAGICS", "SUFFIXES", "OpenCapture", "open_capture"]

SUFFIXES = (".pcap", ".cap", ".dmp", ".pcapng", ".pcap.gz", ".pcapng.gz", ".pcap.zst", ".pcapng.zst")

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PCAPNG = b"\x0a\x0d\x0d\x0a"
# https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html, section 4
_PCAP = {
    b"\xd4\xc3\xb2\xa1": BlockFlag.NONE,
    b"\xa1\xb2\xc3\xd4": BlockFlag.BIG_ENDIAN,
    b"\x4d\x3c\xb2\xa1": BlockFlag.NANOSECONDS,
    b"\xa1\xb2\x3c\x4d": BlockFlag.BIG_ENDIAN | BlockFlag.NANOSECONDS,
}
MAGICS = (*_PCAP, _PCAPNG, _GZIP, _ZSTD)
_PCAP_HEADER = 24
# formats that people mistake for captures, so that the sentence can name them
_KNOWN_OTHERS = {
    b"\x34\xcd\xb2\xa1": "a Kuznetzov-modified pcap (from very old Linux tools); convert it: editcap -F pcap IN OUT",
    b"\xa1\xb2\xcd\x34": "a Kuznetzov-modified pcap (from very old Linux tools); convert it: editcap -F pcap IN OUT",
    b"snoo": "a Solaris snoop capture; convert it: editcap -F pcap IN OUT",
    b"RTSS": "a Windows netmon capture; convert it: editcap -F pcap IN OUT",
    b"GMBU": "a Windows netmon capture; convert it: editcap -F pcap IN OUT",
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"\xfd7zX": "xz-compressed; unpack it first: xz -d FILE",
    b"BZh9": "bzip2-compressed; unpack it first: bunzip2 FILE",
}


@dataclass(slots=True)
class OpenCapture:
    """A capture file, open and recognised.

    :ivar name: as the user gave it. :ivar stream: behind the file header for pcap, at the first block for pcapng.
    :ivar format: how frames stand in it. :ivar flags: byte order and resolution (pcap).
    :ivar link_type: of the whole file (pcap).
    """

    name: str
    stream: BinaryIO
    format: BlockFormat
    flags: BlockFlag
    link_type: int
    _file: BinaryIO
    _packed: Tolerant | None = None

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes; empty at the end.

        A damaged compressed file ends where the damage begins.

        :raises EOFError: the compressed stream is cut or damaged; what came before was returned already.
        """
        data = self.stream.read(size)
        if not data and self._packed is not None and self._packed.damage:
            raise EOFError(f"{self.name}: the compressed file is damaged or cut short: {self._packed.damage}")
        return data

    def close(self) -> None:
        """Close the file; idempotent. Standard input itself stays open."""
        self.stream.close()
        self._file.close()


def open_capture(name: str) -> OpenCapture:
    """Open a capture by path, or standard input by ``-``.

    :raises InputError: it is missing, unreadable, empty, or not a capture; the sentence says which and what to do.
    """
    file = _open_file(name)
    try:
        return _recognise(name, file)
    except BaseException:
        file.close()
        raise


def _open_file(name: str) -> BinaryIO:
    if name == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("standard input is a terminal; pipe a capture into it: tcpdump -w - | mflow read -")
        # a descriptor of our own without a buffer: an interrupt during a read must not find the interpreter's buffer locked
        return cast("BinaryIO", os.fdopen(os.dup(0), "rb", buffering=0))
    try:
        return Path(name).open("rb")
    except FileNotFoundError:
        raise InputError(f"{name}: there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"{name}: is a folder; give the capture files in it, e.g. {name.rstrip('/')}/*.pcap") from None
    except PermissionError:
        raise InputError(f"{name}: permission denied; you may not read this file") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be opened: {error.strerror}") from error


def _recognise(name: str, file: BinaryIO) -> OpenCapture:
    stream: BinaryIO = cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", file), 1 << 20))
    head = _peek(stream, 4)
    packed: Tolerant | None = None
    if head.startswith(_GZIP):
        packed = gunzip(stream)
    elif head == _ZSTD:
        packed = unzstd(stream)
    if packed is not None:
        stream = cast("BinaryIO", io.BufferedReader(packed, 1 << 20))
    magic = _peek(stream, 4)
    if packed is not None and packed.damage and len(magic) < 4:
        raise InputError(f"{name}: the compressed file is damaged: {packed.damage}")
    if magic == _PCAPNG:
        return OpenCapture(name, stream, BlockFormat.PCAPNG, BlockFlag.NONE, 0, file, packed)
    if magic not in _PCAP:
        raise InputError(f"{name}: {_what(magic)}")
    header = stream.read(_PCAP_HEADER)
    if len(header) < _PCAP_HEADER:
        raise InputError(f"{name}: ends inside the pcap file header (24 bytes); the capture is empty")
    flags = _PCAP[magic]
    order: Literal["big", "little"] = "big" if flags & BlockFlag.BIG_ENDIAN else "little"
    # the upper bits carry the frame check sequence's length, not the link type
    link_type = int.from_bytes(header[20:24], order) & 0xFFFF
    return OpenCapture(name, stream, BlockFormat.PCAP, flags, link_type, file, packed)


def _peek(stream: BinaryIO, size: int) -> bytes:
    peeked: bytes = cast("io.BufferedReader", stream).peek(size)[:size]
    return peeked


def _what(magic: bytes) -> str:
    if not magic:
        return "is empty; a capture begins with a pcap or pcapng header"
    other = _KNOWN_OTHERS.get(magic)
    if other:
        return f"is {other}"
    return (
        f"is not a capture: it begins with {magic.hex(' ')}, expected is pcap (d4 c3 b2 a1 and its variants) "
        "or pcapng (0a 0d 0d 0a), plain, gzip or zstd"
    )

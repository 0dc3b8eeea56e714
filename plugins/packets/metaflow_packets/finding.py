"""The packets of one flow, out of the files of a store."""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from metaflow_core.errors import InputError
from metaflow_packets.files import listed
from metaflow_packets.library import Raw, RawFlow, load_library

__all__ = ["FOREVER_NS", "PROTOCOLS", "Flow", "Found", "find", "kept_since_s", "why_none"]

PROTOCOLS = {"ICMP": 1, "TCP": 6, "UDP": 17, "ICMPV6": 58, "SCTP": 132}
"""IP protocols by the names that rows have for them."""

FOREVER_NS = (1 << 63) - 1
_SLACK_S = 60.0
"""A file's time is that of the clock, a packet's that of the capture; and a chunk is written after its packets."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Two ends in any order, the IP protocol, and a time in nanoseconds since 1970."""

    one: str
    one_port: int
    other: str
    other_port: int
    protocol: int
    from_ns: int = 0
    to_ns: int = FOREVER_NS

    def to_json(self) -> dict[str, Any]:
        """For another machine; :meth:`from_json` reads it there."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Flow:
        """What another machine told.

        :raises InputError: it is no flow.
        """
        numbers = ("one_port", "other_port", "protocol", "from_ns", "to_ns")
        try:
            found = {name: told[name] for name in ("one", "other", *numbers)}
        except KeyError as error:
            raise InputError(f"the question about packets lacks {error}") from None
        limits = (65_535, 65_535, 255, FOREVER_NS, FOREVER_NS)
        for name, most in zip(numbers, limits, strict=True):
            if type(found[name]) is not int or not 0 <= found[name] <= most:
                raise InputError(f"{name} is a number of 0 to {most} in a question about packets")
        return cls(**{**found, "one": str(found["one"]), "other": str(found["other"])})

    def raw(self) -> RawFlow:
        """As the library takes it.

        :raises InputError: an address is none.
        """
        return RawFlow(
            _packed(self.one), _packed(self.other), self.one_port, self.other_port, self.protocol, self.from_ns, self.to_ns
        )  # fmt: skip

    def __str__(self) -> str:
        name = next(
            (name for name, number in PROTOCOLS.items() if number == self.protocol), f"protocol {self.protocol}"
        )
        one, other = (f"[{each}]" if ":" in each else each for each in (self.one, self.other))
        return f"{name} {one}:{self.one_port} - {other}:{self.other_port}"


@dataclass(frozen=True, slots=True)
class Found:
    """A capture file with a flow's packets.

    :ivar pcap: the file; its header alone when nothing was found. :ivar packets: in it. :ivar left_out: packets that did not fit, or came
        over a link of another type. :ivar damaged: files of the store with bytes that are no chunk.
    """

    pcap: bytes
    packets: int
    left_out: int
    damaged: int


def find(folder: Path, flow: Flow, max_bytes: int, is_wanted: Callable[[], bool] = lambda: True) -> Found:
    """Look through the store. Blocks; call it in a thread.

    :param max_bytes: of the capture file, about. :param is_wanted: asked before each file; what was found so far is given when it is not.
    :raises UnavailableError: the native library is missing. :raises InputError: an address is none.
    """
    library = load_library()
    finder = library.mfk_finder_new(ctypes.byref(flow.raw()), max_bytes)
    packets = damaged = 0
    found = ctypes.c_uint64()
    try:
        files = listed(folder)
        for file in files:
            if not is_wanted():
                break
            if file.written_s + _SLACK_S < flow.from_ns / 1e9:
                continue
            try:
                chunks = file.path.read_bytes()
            except FileNotFoundError:
                # it was the oldest, and went meanwhile
                continue
            end = library.mfk_finder_add(finder, chunks, len(chunks), ctypes.byref(found))
            packets += found.value if end >= 0 else 0
            # the last chunk of the newest file may be on its way to the disk
            damaged += end < len(chunks) and file is not files[-1]
        raw = Raw()
        left_out = library.mfk_finder_file(finder, ctypes.byref(raw))
        return Found(raw.copy(), packets, left_out, damaged)
    finally:
        library.mfk_finder_free(finder)


def kept_since_s(folder: Path) -> float | None:
    """Seconds since 1970 of the oldest packet that is kept; None when none is."""
    for file in listed(folder):
        with contextlib.suppress(OSError), file.path.open("rb") as handle:
            head = handle.read(24)
            if len(head) == 24 and head.startswith(b"MFK1"):
                return int.from_bytes(head[16:24], "little") / 1e9
    return None


def why_none(folder: Path, flow: Flow) -> str:
    """Why no packet of a flow is there, as a sentence."""
    since = kept_since_s(folder)
    if since is None:
        return "no packet is kept yet"
    kept = datetime.datetime.fromtimestamp(since, datetime.UTC).isoformat(sep=" ", timespec="seconds")
    if flow.to_ns / 1e9 < since:
        return f"the packets of {flow} are not kept any more: the oldest packet that is kept is of {kept}"
    return f"no packet of {flow} is kept; the oldest that is kept is of {kept}. What only processes (eBPF) saw has no packets"


def _packed(text: str) -> ctypes.Array[ctypes.c_uint8]:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise InputError(f"{text!r} is no IP address") from None
    packed = address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed
    return (ctypes.c_uint8 * 16).from_buffer_copy(packed)

"""Kernel segments as a collector would hand them over, for tests: the layout of docs/explanation/kernel-segments.md.

>>> client = SegmentSocket(1, local=("10.0.0.1", 40000), remote=("10.0.0.2", 80), role=ROLE_CLIENT, pid=100, comm="curl")
>>> block = segment_block([client.send(b"GET / HTTP/1.1\\r\\n\\r\\n"), client.receive(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")])
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from metaflow_core.api import SegmentBlock

__all__ = [
    "CIPHERTEXT",
    "CONCURRENT",
    "MID_STREAM",
    "PLAINTEXT",
    "ROLE_CLIENT",
    "ROLE_SERVER",
    "ROLE_UNKNOWN",
    "TRUNCATED",
    "SegmentSocket",
    "segment_block",
]

DATA, CLOSE, OPEN, LOST = range(4)
ROLE_UNKNOWN, ROLE_CLIENT, ROLE_SERVER = range(3)
TRUNCATED, PLAINTEXT, MID_STREAM, CONCURRENT, CIPHERTEXT = 1, 2, 4, 8, 16

_HEADER = struct.Struct("<I4B6Q6I I2H4BI 16s16s16s2Q")
_START_NS = 1_700_000_000_000_000_000
_STEP_NS = 1_000_000


def segment_block(records: Iterable[bytes]) -> SegmentBlock:
    """Records, one after another, as a block."""
    return SegmentBlock(b"".join(records))


@dataclass(slots=True, kw_only=True)
class SegmentSocket:
    """A socket of a process; every method returns one record and moves the socket's counters on.

    :ivar local: address and port of the process's end. :ivar remote: of the other end.
    :ivar role: what the process is: :data:`ROLE_CLIENT`, :data:`ROLE_SERVER` or unknown.
    :ivar now_ns: Unix time of the next call; a millisecond later with each.
    :ivar seq: next TCP sequence numbers, received and sent.
    :ivar flags: set on every record beside its own.
    """

    socket_id: int = field(kw_only=False)
    local: tuple[str, int]
    remote: tuple[str, int]
    role: int = ROLE_UNKNOWN
    protocol: int = 6
    pid: int = 100
    tid: int = 0
    comm: str = "app"
    source: int = 0
    flags: int = 0
    now_ns: int = _START_NS
    cap_seq: int = 1
    seq: list[int] = field(default_factory=lambda: [5000, 1000])

    def send(self, data: bytes, **details: int) -> bytes:
        """The process sent bytes. ``details`` as of :meth:`record`."""
        return self.record(DATA, 1, data, **details)

    def receive(self, data: bytes, **details: int) -> bytes:
        """The process received bytes."""
        return self.record(DATA, 0, data, **details)

    def opened(self) -> bytes:
        """connect or accept succeeded."""
        return self.record(OPEN, 1)

    def lost(self, direction: int, length: int) -> bytes:
        """Bytes of a direction (0 received, 1 sent) were not seen."""
        return self.record(LOST, direction, wire_len=length)

    def closed(self) -> bytes:
        """Both directions are closed: two records."""
        return self.record(CLOSE, 0) + self.record(CLOSE, 1)

    def record(
        self,
        kind: int,
        direction: int,
        data: bytes = b"",
        *,
        captured: int | None = None,
        wire_len: int | None = None,
        flags: int = 0,
        trace_id: int = 0,
        tid: int | None = None,
        coroutine_id: int = 0,
    ) -> bytes:
        """One record.

        :param captured: so many bytes of ``data`` are kept, the rest is cut.
        :param wire_len: bytes of the call when ``data`` does not say it.
        """
        length = len(data) if wire_len is None else wire_len
        kept = data if captured is None else data[:captured]
        if len(kept) < length and kind == DATA:
            flags |= TRUNCATED
        pad = -len(kept) % 8
        stream = self.protocol == 6
        header = _HEADER.pack(
            _HEADER.size + len(kept) + pad, kind, direction, self.role, self.flags | flags,
            self.now_ns, self.now_ns, self.socket_id, trace_id, coroutine_id, 1,
            self.pid, tid or self.tid or self.pid, 4026531840, self.seq[direction] if stream else 0, length, len(kept),
            self.cap_seq, self.local[1], self.remote[1], ip_address(self.local[0]).version, self.protocol, self.source, 0, 0,
            ip_address(self.local[0]).packed.ljust(16, b"\0"), ip_address(self.remote[0]).packed.ljust(16, b"\0"),
            self.comm.encode()[:15].ljust(16, b"\0"), 0, 12345,
        )  # fmt: skip
        self.now_ns += _STEP_NS
        self.cap_seq += 1
        if stream and kind in (DATA, LOST):
            self.seq[direction] = (self.seq[direction] + length) % (1 << 32)
        return header + kept + bytes(pad)

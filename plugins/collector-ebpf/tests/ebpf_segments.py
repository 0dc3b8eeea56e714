"""A reader of segment blocks (docs/explanation/kernel-segments.md), for the tests."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = struct.Struct("<IBBBBQQQQQQIIIIIIIHHBBBBI16s16s16sQQ")
assert _HEADER.size == 160
DATA, CLOSE, OPEN, LOST, RETRANSMIT = range(5)
IN, OUT = 0, 1
UNKNOWN, CLIENT, SERVER = range(3)
TRUNCATED, PLAINTEXT, MIDSTREAM, CONCURRENT, CIPHERTEXT = 1, 2, 4, 8, 16


@dataclass(frozen=True)
class Segment:
    kind: int
    direction: int
    role: int
    flags: int
    time_ns: int
    enter_ns: int
    socket_id: int
    trace_id: int
    coroutine_id: int
    cgroup_id: int
    pid: int
    tid: int
    netns: int
    tcp_seq: int
    wire_len: int
    cap_len: int
    cap_seq: int
    local_port: int
    remote_port: int
    family: int
    protocol: int
    source: int
    rtt_us: int
    local: str
    remote: str
    comm: str
    uid: int
    process_start: int
    payload: bytes

    @property
    def ports(self) -> set[int]:
        return {self.local_port, self.remote_port}

    @property
    def way(self) -> tuple[str, int, str, int]:
        """From where to where the bytes went."""
        near, far = (self.local, self.local_port), (self.remote, self.remote_port)
        return (*near, *far) if self.direction == OUT else (*far, *near)


def read_block(data: bytes) -> Iterator[Segment]:
    at = 0
    while at < len(data):
        (size, kind, direction, role, flags, time_ns, enter_ns, socket_id, trace_id, coroutine_id, cgroup_id, pid, tid, netns, tcp_seq, wire_len,
         cap_len, cap_seq, local_port, remote_port, family, protocol, source, _, rtt_us, local, remote, comm, uid_gid,
         start) = _HEADER.unpack_from(data, at)  # fmt: skip
        assert size % 8 == 0
        assert at + size <= len(data)
        assert cap_len <= size - 160
        width = 4 if family == 4 else 16
        yield Segment(
            kind, direction, role, flags, time_ns, enter_ns, socket_id, trace_id, coroutine_id, cgroup_id, pid, tid, netns, tcp_seq,
            wire_len, cap_len, cap_seq, local_port, remote_port, family, protocol, source, rtt_us,
            str(ipaddress.ip_address(local[:width])), str(ipaddress.ip_address(remote[:width])),
            comm.split(b"\0")[0].decode(errors="replace"), uid_gid & 0xFFFFFFFF, start, data[at + 160 : at + 160 + cap_len],
        )  # fmt: skip
        at += size

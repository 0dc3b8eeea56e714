"""One AF_PACKET socket with its memory-mapped TPACKET_V3 ring (packet(7); Documentation/networking/packet_mmap.rst)."""

from __future__ import annotations

import ctypes
import mmap
import select
import socket
import struct
from dataclasses import dataclass

from metaflow_collector_cbpf.interfaces import Interface
from metaflow_core.errors import StartError, UnavailableError

__all__ = ["Ring", "RingStatistics"]

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP, _PACKET_RX_RING, _PACKET_STATISTICS = 1, 5, 6
_PACKET_VERSION, _PACKET_FANOUT = 10, 18
_PACKET_MR_PROMISC = 1
_TPACKET_V3 = 2
_SO_ATTACH_FILTER = 26
# PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG << 8: fragments follow their flow
_FANOUT_HASH_DEFRAG = 0x0000 | 0x8000
_FRAME = 2048
_OFF_STATUS, _OFF_PACKETS, _OFF_LENGTH = 8, 12, 20
_TP_STATUS_USER = 1
_U32 = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class RingStatistics:
    """What the kernel counted since the last look: frames it put into the ring or dropped, and times the ring was full."""

    packets: int
    drops: int
    freezes: int


class Ring:
    """A ring on one interface. Used by one thread.

    :param program: ``struct sock_filter`` bytes, empty for everything.
    :param fanout: group number that several rings of one interface share, None for one ring.
    :raises UnavailableError: the privilege or the kernel feature is missing.
    :raises StartError: the interface is gone or the ring does not fit into memory.
    """

    def __init__(
        self,
        interface: Interface,
        program: bytes,
        *,
        ring_bytes: int,
        block_bytes: int,
        retire_ms: int,
        promiscuous: bool,
        fanout: int | None,
    ) -> None:
        self.interface = interface
        self._block_bytes = block_bytes
        self._blocks = max(2, ring_bytes // block_bytes)
        self._next = 0
        self._map: mmap.mmap | None = None
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError:
            raise UnavailableError(
                "capturing packets needs CAP_NET_RAW, which this process lacks; run as root, or: "
                "setcap cap_net_raw+ep on the Python interpreter"
            ) from None
        except (AttributeError, OSError) as error:
            raise UnavailableError(f"this system has no AF_PACKET sockets: {error}") from error
        try:
            self._set_up(program, retire_ms, promiscuous, fanout)
        except OSError as error:
            self.close()
            raise StartError(f"interface {interface.name}: the capture ring cannot be set up: {error}") from error

    def _set_up(self, program: bytes, retire_ms: int, promiscuous: bool, fanout: int | None) -> None:
        sock = self._socket
        sock.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        # the filter stands before the socket is bound, so that no frame slips in unfiltered
        if program:
            buffer = ctypes.create_string_buffer(program, len(program))
            header = struct.pack("HxxxxxxQ" if ctypes.sizeof(ctypes.c_void_p) == 8 else "HxxI", len(program) // 8,
                                 ctypes.addressof(buffer))  # fmt: skip
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)
        frames = self._block_bytes // _FRAME * self._blocks
        request = struct.pack("=7I", self._block_bytes, self._blocks, _FRAME, frames, retire_ms, 0, 0)
        sock.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
        self._map = mmap.mmap(
            sock.fileno(), self._block_bytes * self._blocks, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE
        )
        sock.bind((self.interface.name, _ETH_P_ALL))
        if promiscuous:
            membership = struct.pack("=iHH8s", self.interface.index, _PACKET_MR_PROMISC, 0, b"")
            sock.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
        if fanout is not None:
            arguments = (fanout & 0xFFFF) | (_FANOUT_HASH_DEFRAG << 16)
            sock.setsockopt(_SOL_PACKET, _PACKET_FANOUT, _U32.pack(arguments))
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN | select.POLLERR)

    def take(self, timeout_ms: int) -> tuple[bytes, int] | None:
        """The next block that the kernel has filled, copied out, with its number of packets; None after the timeout.

        :raises OSError: the interface went away.
        """
        ring = self._map
        if ring is None:
            return None
        start = self._next * self._block_bytes
        if not _U32.unpack_from(ring, start + _OFF_STATUS)[0] & _TP_STATUS_USER:
            events = self._poll.poll(timeout_ms)
            if any(event & (select.POLLERR | select.POLLHUP) for _, event in events):
                code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    raise OSError(code, f"interface {self.interface.name} went away")
            if not _U32.unpack_from(ring, start + _OFF_STATUS)[0] & _TP_STATUS_USER:
                return None
        packets = int(_U32.unpack_from(ring, start + _OFF_PACKETS)[0])
        length = min(int(_U32.unpack_from(ring, start + _OFF_LENGTH)[0]), self._block_bytes)
        # one copy of a megabyte (about 0.1 ms) buys that the kernel has its block back at once, whoever reads ours
        data = ring[start : start + length]
        _U32.pack_into(ring, start + _OFF_STATUS, 0)
        self._next = (self._next + 1) % self._blocks
        return data, packets

    def statistics(self) -> RingStatistics:
        """Counts since the last call (the kernel resets them)."""
        raw = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12)
        return RingStatistics(*struct.unpack("=3I", raw))

    def close(self) -> None:
        """Give the ring and the socket back. Idempotent."""
        if self._map is not None:
            self._map.close()
            self._map = None
        self._socket.close()

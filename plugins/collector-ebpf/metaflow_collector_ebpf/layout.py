"""Numbers and structures that the kernel programs and this side share (bpf/include/types.h)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["ALLOW", "COUNTERS", "DENY", "EXEC", "EXIT", "ProgramConfig", "position"]

# enum { COUNT_... } of types.h, in its order: (counter, reason, unit)
COUNTERS: tuple[tuple[str, str, str], ...] = (
    ("calls", "", "calls"),
    ("captured", "", "records"),
    ("captured", "", "bytes"),
    ("dropped", "ring_full", "records"),
    ("dropped", "too_many_calls", "calls"),
    ("dropped", "too_many_sockets", "calls"),
    ("truncated", "page_not_in_memory", "calls"),
    ("left_out", "ciphertext", "calls"),
    ("tls", "", "calls"),
    ("dropped", "tls_socket_unknown", "calls"),
    ("dropped", "many_messages_in_one_call", "datagrams"),
    ("left_out", "filtered", "calls"),
    ("threads", "concurrent", "times"),
    ("retransmitted", "", "segments"),
    ("dropped", "process_ring_full", "events"),
    ("left_out", "io_uring", "calls"),
    ("self_check", "seen", "calls"),
    ("dropped", "go_client_socket_unknown", "calls"),
)

ALLOW, DENY = 1, 2
EXEC, EXIT = 0, 1

_CONFIG = struct.Struct("<IIIIIIIIIIIIIIQQ")
# no address of the kernel's: until the programs know what a socket is, no file is one
_NO_SOCKETS = 1


def position(stage: str, reason: str = "", unit: str = "calls") -> int:
    """Where a counter stands in :data:`COUNTERS`."""
    return COUNTERS.index((stage, reason, unit))


@dataclass(slots=True)
class ProgramConfig:
    """``struct config``: what the programs ask at each call."""

    magic: int
    capture: int
    wakeup: int
    id_base: int
    own_socket: int
    self_pid: int = 0
    only_processes: bool = False
    only_ports: bool = False
    only_cgroups: bool = False
    check_processes: bool = False
    check_ports: bool = False
    check_cgroups: bool = False
    check_names: bool = False
    check_coroutines: bool = False

    def pack(self) -> bytes:
        """As the map wants it."""
        return _CONFIG.pack(
            self.self_pid, self.magic, self.capture, self.wakeup, self.only_processes, self.only_ports, self.only_cgroups,
            self.check_processes, self.check_ports, self.check_cgroups, self.check_names, self.check_coroutines,
            self.own_socket, 0, self.id_base, _NO_SOCKETS,
        )  # fmt: skip

    @staticmethod
    def with_coroutines(raw: bytes) -> bytes:
        """The same with ``check_coroutines``; what the programs found out themselves stays."""
        values = list(_CONFIG.unpack(raw))
        values[11] = 1
        return _CONFIG.pack(*values)

    @staticmethod
    def knows_sockets(raw: bytes) -> bool:
        """Whether the programs know what a socket is."""
        return int(_CONFIG.unpack(raw)[-1]) != _NO_SOCKETS

    @staticmethod
    def self_pid_of(raw: bytes) -> int:
        """The collector's own process number as the kernel sees it, 0 while unknown."""
        return int(_CONFIG.unpack(raw)[0])

"""Numbers and structures that the kernel programs and this side share (bpf/include/types.h)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["ALLOW", "COUNTERS", "DENY", "EXEC", "EXIT", "ProgramConfig"]

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
)

ALLOW, DENY = 1, 2
EXEC, EXIT = 0, 1

_CONFIG = struct.Struct("<IIIIIIIIIIIIQQ")


@dataclass(slots=True)
class ProgramConfig:
    """``struct config``: what the programs ask at each call."""

    magic: int
    capture: int
    wakeup: int
    id_base: int
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
            self.check_processes, self.check_ports, self.check_cgroups, self.check_names, self.check_coroutines, self.id_base, 0,
        )  # fmt: skip

    @staticmethod
    def with_coroutines(raw: bytes) -> bytes:
        """The same with ``check_coroutines``; what the programs found out themselves stays."""
        values = list(_CONFIG.unpack(raw))
        values[11] = 1
        return _CONFIG.pack(*values)

    @staticmethod
    def self_pid_of(raw: bytes) -> int:
        """The collector's own process number as the kernel sees it, 0 while unknown."""
        return int(_CONFIG.unpack(raw)[0])

"""Classic BPF programs for kernel sockets, compiled by libpcap in this process."""

from __future__ import annotations

import ctypes
import struct
import threading
from collections.abc import Sequence

from metaflow_collector_cbpf.pcap import Program, load_pcap
from metaflow_core.errors import ConfigError, Problem, UnavailableError

__all__ = ["compile_filter", "expression", "without_outgoing"]

_COMPILING = threading.Lock()


def expression(user: str | None, exclude_ports: Sequence[int]) -> str:
    """The user's filter without MetaFlow's own ports; empty for "everything"."""
    own = " or ".join(f"port {port}" for port in exclude_ports)
    if not own:
        return user or ""
    return f"({user}) and not ({own})" if user else f"not ({own})"


def compile_filter(text: str, link_type: int) -> bytes:
    """Instructions (``struct sock_filter``, 8 bytes each) for a filter expression; empty for an empty expression.

    :raises ConfigError: the expression is wrong; the sentence is libpcap's own.
    :raises UnavailableError: libpcap cannot be loaded.
    """
    if not text:
        return b""
    try:
        pcap = load_pcap()
    except OSError as error:
        raise UnavailableError(
            f"a capture filter needs libpcap, which cannot be loaded here ({error}); "
            "install it (Debian: apt-get install libpcap0.8) or leave the filter out"
        ) from error
    program = Program()
    # PCAP_NETMASK_UNKNOWN: a filter must not depend on the address that an interface has just now
    with _COMPILING:
        handle = pcap.open_dead(link_type, 262_144)
        try:
            if pcap.compile(handle, ctypes.byref(program), text.encode(), 1, 0xFFFF_FFFF) != 0:
                reason = (pcap.geterr(handle) or b"").decode(errors="replace")
                raise ConfigError(
                    [Problem("filter", f"the capture filter {text!r} is wrong: {reason}; see pcap-filter(7)")]
                )
        finally:
            pcap.close(handle)
    try:
        return b"".join(
            struct.pack("=HBBI", item.code, item.jt, item.jf, item.k)
            for item in (program.instructions[index] for index in range(program.length))
        )
    finally:
        pcap.freecode(ctypes.byref(program))


def without_outgoing(program: bytes) -> bytes:
    """A program that also refuses what this machine sends, for the loopback interface: there each packet comes in again.

    PACKET_IGNORE_OUTGOING would do, but is lost when sockets join a fanout group.
    """
    # ld [skb->pkt_type]; jeq PACKET_OUTGOING; ret 0  (linux/filter.h: SKF_AD_OFF + SKF_AD_PKTTYPE)
    head = struct.pack("=HBBI", 0x30, 0, 0, 0xFFFF_F004) + struct.pack("=HBBI", 0x15, 0, 1, 4)
    everything = struct.pack("=HBBI", 0x06, 0, 0, 0x0004_0000)
    return head + struct.pack("=HBBI", 0x06, 0, 0, 0) + (program or everything)

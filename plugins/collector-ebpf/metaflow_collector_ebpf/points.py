"""Which program is attached where."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GO", "GO_ASKS", "LIBRARIES", "SPARED", "TRACEPOINTS", "LibraryPoint", "Tracepoint"]


@dataclass(frozen=True, slots=True)
class Tracepoint:
    """A tracepoint and its program; ``needed`` says that the collector is of no use without it, ``layout`` what must stand in its format."""

    group: str
    name: str
    program: str
    needed: bool = False
    layout: str = ""


def _receiving(name: str, leave: str = "leave_buffer", *, needed: bool = False) -> tuple[Tracepoint, ...]:
    """Looked at when it returns, which is when there is something to see."""
    return (Tracepoint("syscalls", f"sys_exit_{name}", leave, needed),)


def _sending(name: str, leave: str = "leave_buffer", *, needed: bool = False) -> tuple[Tracepoint, ...]:
    """Its time is that of its beginning."""
    return (
        *_receiving(name, leave, needed=needed),
        Tracepoint("syscalls", f"sys_enter_{name}", "enter_send_call", needed),
    )


TRACEPOINTS: tuple[Tracepoint, ...] = (
    Tracepoint("sock", "inet_sock_set_state", "sock_state"),
    Tracepoint("tcp", "tcp_retransmit_skb", "tcp_retransmit"),
    Tracepoint("io_uring", "io_uring_complete", "io_uring_complete", layout="int res;\toffset:32;"),
    Tracepoint("sched", "sched_process_exec", "process_exec"),
    Tracepoint("sched", "sched_process_exit", "process_exit"),
    Tracepoint("syscalls", "sys_enter_close", "enter_close_call", needed=True),
    Tracepoint("syscalls", "sys_enter_shutdown", "enter_shutdown"),
    Tracepoint("syscalls", "sys_exit_connect", "leave_connect"),
    Tracepoint("syscalls", "sys_exit_accept", "leave_accept"),
    Tracepoint("syscalls", "sys_exit_accept4", "leave_accept"),
    *_receiving("read", needed=True),
    *_sending("write", needed=True),
    *_receiving("recvfrom", needed=True),
    *_sending("sendto", needed=True),
    *_receiving("readv", "leave_vector"),
    *_sending("writev", "leave_vector"),
    *_receiving("recvmsg", "leave_vector"),
    *_sending("sendmsg", "leave_vector"),
    *_sending("sendfile64", "leave_file"),
    *_sending("splice", "leave_file"),
    *_receiving("recvmmsg", "leave_messages_call"),
    *_sending("sendmmsg", "leave_messages_call"),
)


# what the collector is of use without: a kernel that refuses them loses what they tell, and nothing else
SPARED: frozenset[str] = frozenset(
    {item.program for item in TRACEPOINTS} - {item.program for item in TRACEPOINTS if item.needed}
)


@dataclass(frozen=True, slots=True)
class LibraryPoint:
    """A function of a library with the programs at its entry and its return (empty: none)."""

    function: str
    enter: str
    leave: str


# where net/http's client hands a request to the goroutines of a connection
GO_ASKS = LibraryPoint("net/http.(*persistConn).roundTrip", "go_asks_enter", "")

GO: dict[str, LibraryPoint] = {
    item.function: item
    for item in (
        LibraryPoint("crypto/tls.(*Conn).Read", "go_read_enter", "go_read_leave"),
        LibraryPoint("crypto/tls.(*Conn).Write", "go_write_enter", "go_write_leave"),
    )
}

LIBRARIES: dict[str, tuple[LibraryPoint, ...]] = {
    "openssl": (
        LibraryPoint("SSL_read", "openssl_enter", "tls_read_leave"),
        LibraryPoint("SSL_write", "openssl_enter", "tls_write_leave"),
        LibraryPoint("SSL_read_ex", "openssl_ex_enter", "tls_read_leave"),
        LibraryPoint("SSL_write_ex", "openssl_ex_enter", "tls_write_leave"),
        LibraryPoint("SSL_do_handshake", "handshake_enter", "tls_read_leave"),
    ),
    "gnutls": (
        LibraryPoint("gnutls_record_recv", "gnutls_enter", "tls_read_leave"),
        LibraryPoint("gnutls_record_send", "gnutls_enter", "tls_write_leave"),
        LibraryPoint("gnutls_handshake", "handshake_enter", "tls_read_leave"),
    ),
}

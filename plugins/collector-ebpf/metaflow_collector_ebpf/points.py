"""Which program is attached where."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LIBRARIES", "TRACEPOINTS", "LibraryPoint", "Tracepoint"]


@dataclass(frozen=True, slots=True)
class Tracepoint:
    """A tracepoint and its program; ``needed`` says that the collector is of no use without it."""

    group: str
    name: str
    program: str
    needed: bool = False


def _call(name: str, program: str, leave: str = "leave_call", *, needed: bool = False) -> tuple[Tracepoint, Tracepoint]:
    # the return first: a call that is entered in between is seen whole or not at all
    return (
        Tracepoint("syscalls", f"sys_exit_{name}", leave, needed),
        Tracepoint("syscalls", f"sys_enter_{name}", program, needed),
    )


TRACEPOINTS: tuple[Tracepoint, ...] = (
    Tracepoint("sock", "inet_sock_set_state", "sock_state"),
    Tracepoint("tcp", "tcp_retransmit_skb", "tcp_retransmit"),
    Tracepoint("sched", "sched_process_exec", "process_exec"),
    Tracepoint("sched", "sched_process_exit", "process_exit"),
    Tracepoint("syscalls", "sys_enter_close", "enter_close_call", needed=True),
    Tracepoint("syscalls", "sys_enter_shutdown", "enter_shutdown"),
    *_call("connect", "enter_connect", "leave_opened_call"),
    *_call("accept", "enter_accept", "leave_opened_call"),
    *_call("accept4", "enter_accept", "leave_opened_call"),
    *_call("read", "enter_read", needed=True),
    *_call("write", "enter_write", needed=True),
    *_call("recvfrom", "enter_recvfrom", needed=True),
    *_call("sendto", "enter_sendto", needed=True),
    *_call("readv", "enter_readv"),
    *_call("writev", "enter_writev"),
    *_call("recvmsg", "enter_recvmsg"),
    *_call("sendmsg", "enter_sendmsg"),
    *_call("sendfile64", "enter_sendfile"),
    *_call("recvmmsg", "enter_recvmmsg", "leave_messages_call"),
    *_call("sendmmsg", "enter_sendmmsg", "leave_messages_call"),
)


@dataclass(frozen=True, slots=True)
class LibraryPoint:
    """A function of a TLS library with the programs at its entry and its return."""

    function: str
    enter: str
    leave: str


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

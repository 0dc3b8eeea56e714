"""Addresses with ports, and whether they are this machine's alone."""

from __future__ import annotations

import ipaddress

__all__ = ["address", "is_loopback"]


def address(text: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[v6]:port``.

    :raises ValueError: it is neither, with a sentence.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is no address and port such as 127.0.0.1:20133 or [::1]:20133")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

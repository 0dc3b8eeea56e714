"""Which ends of a conversation are meant: addresses, networks, ports, and names given to them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["End", "Names", "read_end"]

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class End:
    """An address or network, a port, or both; nothing of either is everybody.

    :ivar network: None for any address. :ivar port: 0 for any port.
    """

    network: _Network | None
    port: int

    def matches(self, address: str, port: int) -> bool:
        """Whether an end is meant; a port of 0 is that of a client, which nobody means."""
        if self.port and self.port != port:
            return False
        if self.network is None:
            return True
        try:
            return ipaddress.ip_address(address) in self.network
        except ValueError:
            return False


def read_end(text: str) -> End:
    """``10.0.0.5``, ``10.0.0.0/8``, ``10.0.0.5:3306``, ``[::1]:80``, ``:3306`` or ``*``.

    :raises ValueError: it is none of these.
    """
    said = f"{text!r} is no address, network or port, such as 10.0.0.5, 10.0.0.0/8, 10.0.0.5:3306, [::1]:80 or :3306"
    host, port = text.strip(), 0
    if host == "*":
        return End(None, 0)
    head, colon, tail = host.rpartition(":")
    bracketed = head.startswith("[") and head.endswith("]")
    if colon and (bracketed or ":" not in head) and tail.isdecimal():
        host, port = head.removeprefix("[").removesuffix("]"), int(tail)
        if not 1 <= port <= 65535:
            raise ValueError(f"{text!r}: a port is 1 to 65535")
    if not host and port:
        return End(None, port)
    try:
        plain = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        return End(ipaddress.ip_network(plain, strict=False), port)
    except ValueError:
        raise ValueError(said) from None


class Names:
    """Names for ends, the first that matches counts.

    :param given: name -> ends as text.
    """

    def __init__(self, given: Mapping[str, Sequence[str]]) -> None:
        self._ends = {name: tuple(map(read_end, ends)) for name, ends in given.items()}
        self._clients: dict[str, str] = {}
        self._servers: dict[tuple[str, int], str] = {}

    def ends(self, text: str) -> tuple[End, ...]:
        """The ends of a name, or of an address.

        :raises ValueError: it is neither.
        """
        if text in self._ends:
            return self._ends[text]
        try:
            return (read_end(text),)
        except ValueError as error:
            import difflib

            near = difflib.get_close_matches(text, self._ends, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; names are: {', '.join(self._ends) or 'none'}"
            raise ValueError(f"{error}, and no name under 'names'{hint}") from None

    def client(self, address: str) -> str:
        """What a client is called."""
        found = self._clients.get(address)
        if found is None:
            found = self._named(address, 0) or address
            self._clients[address] = found
        return found

    def server(self, address: str, port: int) -> str:
        """What a server is called: its name, or ``address:port``."""
        found = self._servers.get((address, port))
        if found is None:
            plain = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            found = self._servers[address, port] = self._named(address, port) or plain
        return found

    def _named(self, address: str, port: int) -> str:
        for name, ends in self._ends.items():
            if any(end.matches(address, port) for end in ends):
                return name
        return ""

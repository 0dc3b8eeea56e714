"""Connections that are used again, by any thread, as many as there are at most."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, Generic, TypeVar

from metaflow_demo.shop.plan import Spot

__all__ = ["Pool", "Stream", "connect"]

T = TypeVar("T")
Stream = tuple[socket.socket, BinaryIO]
_MOST = 16


class Pool(Generic[T]):
    """:param make: makes a connection."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._idle: list[T] = []
        self._free = threading.Semaphore(_MOST)

    @contextlib.contextmanager
    def one(self) -> Iterator[T]:
        """A connection of one's own for a while; one with which something went wrong is not used again."""
        with self._free:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._make()
            yield connection
            self._idle.append(connection)


def connect(client: str, server: Spot) -> Stream:
    """A connection from an address, and what is read from it.

    :raises OSError: the server is not there.
    """
    made = socket.create_connection((server.host, server.port), source_address=(client, 0))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made, made.makefile("rb")

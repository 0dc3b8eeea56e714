"""Listening for HTTP inside somebody else's event loop: where, for whom, with or without TLS.

For services and receivers that listen themselves. The server is uvicorn; a plugin that uses :class:`HttpListener` depends on it, the core does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from metaflow_core.api.config import SecretStr
from metaflow_core.errors import StartError

__all__ = ["AsgiApp", "HttpListener", "host_and_port", "is_bearer", "is_loopback", "joined"]

AsgiApp: TypeAlias = Callable[..., Awaitable[None]]
"""An ASGI 3 callable."""

_BACKLOG = 128
_START_LOOKS_S = 0.005


def host_and_port(text: str, example: int = 8088) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[v6]:port``.

    :param example: a port for the sentence.
    :raises ValueError: it is neither, with a sentence.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise ValueError(f"{text!r} is no address and port such as 127.0.0.1:{example} or [::1]:{example}")
    return host, int(port)


def joined(host: str, port: int) -> str:
    """``host:port``, with the brackets that an IPv6 address wants (RFC 3986)."""
    return f"{f'[{host}]' if ':' in host else host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_bearer(header: str | bytes, token: SecretStr) -> bool:
    """Whether an Authorization header gives this token (RFC 6750), compared in constant time."""
    sent = header.encode("utf-8", "surrogateescape") if isinstance(header, str) else header
    scheme, _, given = sent.partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), token.get_secret_value().encode())


class HttpListener:
    """A port that an ASGI application answers on. Signals and logging stay the program's; the port is bound before anything serves.

    :param host: address or name to listen on. :param port: 0 takes a free one.
    :param certificate: PEM file with the certificate and its chain, for HTTPS. :param key: PEM file with its key.
    :param advice: what to do when the port cannot be had; ends the sentence.
    :param name: of the task that serves. :param grace_s: seconds that answers under way have when it stops.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        advice: str = "choose another port",
        name: str = "http",
        grace_s: int = 2,
    ) -> None:
        self._host, self._port = host, port
        self._certificate, self._key = certificate, key
        self._advice = advice
        self._name = name
        self._grace_s = grace_s
        self._socket: socket.socket | None = None
        self._server: Any = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Lock()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are really listened on; what was asked for while it is not bound."""
        if self._socket is None:
            return self._host, self._port
        name = self._socket.getsockname()
        return str(name[0]), int(name[1])

    @property
    def url(self) -> str:
        """Without a slash at the end; empty while it is not bound."""
        scheme = "http" if self._certificate is None else "https"
        return "" if self._socket is None else f"{scheme}://{joined(*self.address)}"

    def bind(self) -> None:
        """Take the port; who connects waits until something serves. Nothing happens when it is bound.

        :raises StartError: the port cannot be had, or a file of TLS is not there.
        """
        if self._socket is not None:
            return
        for file in (self._certificate, self._key):
            if file is not None and not file.is_file():
                raise StartError(f"TLS cannot be set up: there is no file {file}")
        self._socket = _bound(self._host, self._port, self._advice)

    async def start(self, app: AsgiApp) -> None:
        """Bind and serve; returns when requests are answered.

        :raises StartError: the port cannot be had, or TLS cannot be set up.
        """
        self.bind()
        assert self._socket is not None
        self._server = self._made(app)
        self._task = asyncio.create_task(self._server.serve([self._socket]), name=self._name)
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise StartError(f"the HTTP server on {joined(*self.address)} ended while it started")
            await asyncio.sleep(_START_LOOKS_S)

    async def serve(self, app: AsgiApp) -> None:
        """Serve until cancelled, or until :meth:`stop`."""
        try:
            # who cancels it while it starts wants the port back too
            await self.start(app)
            assert self._task is not None
            await asyncio.shield(self._task)
        finally:
            await self.stop()

    async def stop(self) -> None:
        """End it, gracefully for a moment, and give the port back. Idempotent."""
        # serve() and the owner may both want it; the port is closed when the server has let go of it
        async with self._stopping:
            server, task = self._server, self._task
            self._server = self._task = None
            if server is not None and task is not None:
                server.should_exit = True
                done, _ = await asyncio.wait([task], timeout=self._grace_s + 1)
                if not done:
                    server.force_exit = True
                    task.cancel()
                    await asyncio.wait([task], timeout=1)
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def _made(self, app: AsgiApp) -> Any:
        import uvicorn

        class _Quiet(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                # signals belong to the program that the app runs in
                yield

        try:
            settings = uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                ws="none",
                timeout_keep_alive=30,
                timeout_graceful_shutdown=self._grace_s,
                h11_max_incomplete_event_size=64 * 1024,
                ssl_certfile=self._certificate,
                ssl_keyfile=None if self._key is None else str(self._key),
            )
            settings.load()
        except OSError as error:
            # ssl.SSLError is one too: a key that is not the certificate's
            raise StartError(
                f"TLS cannot be set up from {self._certificate} and {self._key}: {error.strerror or error}"
            ) from error
        return _Quiet(settings)


def _bound(host: str, port: int, advice: str) -> socket.socket:
    where = joined(host, port)
    try:
        family, kind, protocol, _, name = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartError(f"cannot listen on {where}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(name)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on {where}: {error.strerror or error}; {advice}") from error
    return listener

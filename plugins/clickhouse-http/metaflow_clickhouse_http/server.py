"""A uvicorn server inside somebody else's event loop: no signal handlers, no logging of its own, a socket bound before it starts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from metaflow_clickhouse_http.config import ClickHouseHttpConfig, address
from metaflow_core.errors import StartError

__all__ = ["Server"]

_GRACE_S = 2.0


class _Quiet(uvicorn.Server):
    """Signals belong to the program that the app runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing."""
        yield


class Server:
    """Serves an ASGI application."""

    def __init__(self, app: ASGIApp, config: ClickHouseHttpConfig) -> None:
        self._app = app
        self._config = config
        self._server: _Quiet | None = None
        self._task: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are really listened on."""
        if self._socket is None:
            return address(self._config.listen)
        name = self._socket.getsockname()
        return str(name[0]), int(name[1])

    async def start(self) -> None:
        """Binds and serves.

        :raises StartError: the address cannot be had, or TLS cannot be set up.
        """
        try:
            settings = uvicorn.Config(
                self._app,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                ws="none",
                timeout_keep_alive=30,
                timeout_graceful_shutdown=int(_GRACE_S),
                h11_max_incomplete_event_size=64 * 1024,
                ssl_certfile=self._config.tls_certificate,
                ssl_keyfile=self._config.tls_key,
            )
            settings.load()
        except OSError as error:
            raise StartError(
                f"TLS cannot be set up from {self._config.tls_certificate} and {self._config.tls_key}: {error.strerror or error}"
            ) from error
        self._socket = _bind(self._config.listen)
        self._server = _Quiet(settings)
        self._task = asyncio.create_task(self._server.serve([self._socket]), name="clickhouse-http")
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise StartError(f"the HTTP server on {self._config.listen} ended while it started")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Ends it, gracefully for a moment."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        done, _ = await asyncio.wait([self._task], timeout=_GRACE_S + 1)
        if not done:
            self._server.force_exit = True
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1)
        if self._socket is not None:
            self._socket.close()
        self._server = self._task = self._socket = None


def _bind(listen: str) -> socket.socket:
    host, port = address(listen)
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise StartError(f"cannot listen on {listen}: {error.strerror or error}") from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
        bound.listen(128)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise StartError(
            f"cannot listen on {listen}: {error.strerror or error}; choose another with 'listen'"
        ) from error
    return bound

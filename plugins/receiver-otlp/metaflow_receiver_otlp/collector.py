"""The collector: two listeners, whose answers wait for the pipeline."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable, Iterator
from typing import Any

from metaflow_core.api import BuildContext, Emit, Resource
from metaflow_core.errors import StartError
from metaflow_receiver_otlp.config import OtlpConfig
from metaflow_receiver_otlp.grpc_server import GrpcServer
from metaflow_receiver_otlp.http import application
from metaflow_receiver_otlp.intake import Intake

__all__ = ["OtlpReceiver"]


class OtlpReceiver:
    """Takes OTLP. A sender hears of success when the pipeline has taken the rows."""

    def __init__(self, context: BuildContext, config: OtlpConfig) -> None:
        self._config = config
        self._intake = Intake(context, config)
        self._grpc = GrpcServer(self._intake, config) if config.grpc_port is not None else None
        self._socket: socket.socket | None = None

    def resources(self) -> Iterable[Resource]:
        """The ports."""
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        ports = (self._config.grpc_port, self._config.http_port)
        return tuple(Resource("tcp", f"{host}:{port}") for port in ports if port)

    @property
    def http_port(self) -> int:
        """The port of HTTP, once started."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else self._config.http_port or 0

    @property
    def grpc_port(self) -> int:
        """The port of gRPC, once started."""
        return self._grpc.port if self._grpc is not None else 0

    async def start(self) -> None:
        """Bind the ports.

        :raises StartError: one is taken, or the certificate cannot be read.
        """
        for file in (self._config.tls_cert, self._config.tls_key):
            if file is not None and not file.is_file():
                raise StartError(f"there is no file {file} (options tls_cert and tls_key)")
        if self._config.http_port is not None:
            self._socket = _listen(self._config.host, self._config.http_port)
        if self._grpc is not None:
            try:
                await self._grpc.start()
            except StartError:
                await self.stop()
                raise

    async def stop(self) -> None:
        """Give the ports back."""
        if self._grpc is not None:
            await self._grpc.stop()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def run(self, emit: Emit) -> None:
        """Serve until cancelled."""
        self._intake.emit = emit
        try:
            if self._socket is None:
                await asyncio.Event().wait()
            else:
                await self._serve(self._socket)
        finally:
            self._intake.emit = None

    async def _serve(self, listener: socket.socket) -> None:
        import uvicorn

        class _Server(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                # Signals are the app's business.
                yield

        cert, key = self._config.tls_cert, self._config.tls_key
        options: dict[str, Any] = {"lifespan": "off", "log_config": None, "access_log": False, "server_header": False}
        server = _Server(
            uvicorn.Config(
                application(self._intake, self._config),
                timeout_graceful_shutdown=5,
                ssl_certfile=None if cert is None else str(cert),
                ssl_keyfile=None if key is None else str(key),
                **options,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            with contextlib.suppress(Exception):
                await asyncio.wait_for(serving, 8)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}; choose another http_port") from None
    listener.setblocking(False)
    return listener

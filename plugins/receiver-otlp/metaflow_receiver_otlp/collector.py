"""The collector: two listeners, whose answers wait for the pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from metaflow_core.api import BuildContext, Emit, HttpListener, Resource, joined
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
        self._http = (
            HttpListener(
                config.host, config.http_port, certificate=config.tls_cert, key=config.tls_key,
                advice="choose another http_port", name="otlp", grace_s=5,
            )
            if config.http_port is not None
            else None
        )  # fmt: skip

    def resources(self) -> Iterable[Resource]:
        """The ports."""
        ports = (self._config.grpc_port, self._config.http_port)
        return tuple(Resource("tcp", joined(self._config.host, port)) for port in ports if port)

    @property
    def http_port(self) -> int:
        """The port of HTTP, once started."""
        return self._http.address[1] if self._http is not None else 0

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
        if self._http is not None:
            self._http.bind()
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
        if self._http is not None:
            await self._http.stop()

    async def run(self, emit: Emit) -> None:
        """Serve until cancelled."""
        self._intake.emit = emit
        try:
            if self._http is None:
                await asyncio.Event().wait()
            else:
                await self._http.serve(application(self._intake, self._config))
        finally:
            self._intake.emit = None

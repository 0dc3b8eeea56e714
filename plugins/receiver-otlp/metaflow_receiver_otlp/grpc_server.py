"""OTLP over gRPC: one unary method ``Export`` a signal.

The bytes of a request reach the intake as they came, because their digest is what a repetition is recognised by.
"""

from __future__ import annotations

from typing import Any

from metaflow_core.api import is_bearer
from metaflow_core.errors import ParseError, StartError
from metaflow_receiver_otlp.config import OtlpConfig
from metaflow_receiver_otlp.intake import Busy, Intake, NotTaken, Signal, signals

__all__ = ["GrpcServer"]


class GrpcServer:
    """Listens for OTLP over gRPC."""

    def __init__(self, intake: Intake, config: OtlpConfig) -> None:
        self._intake = intake
        self._config = config
        self._server: Any = None
        self.port = config.grpc_port or 0

    async def start(self) -> None:
        """Bind the port and serve.

        :raises StartError: it is taken, or the certificate cannot be read.
        """
        import grpc

        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._config.max_message_bytes),
                # Another process on the same port would take half of the requests.
                ("grpc.so_reuseport", 0),
            ],
            maximum_concurrent_rpcs=4 * self._config.max_requests,
        )
        server.add_generic_rpc_handlers(
            tuple(
                grpc.method_handlers_generic_handler(each.service, {"Export": self._handler(each)})
                for each in signals()
            )
        )
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        address = f"{host}:{self._config.grpc_port}"
        try:
            credentials = self._credentials()
            self.port = (
                server.add_insecure_port(address)
                if credentials is None
                else server.add_secure_port(address, credentials)
            )
        except RuntimeError:
            raise StartError(f"cannot listen on {address} for gRPC; choose another grpc_port") from None
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Give the port back; requests in work have a moment to end."""
        if self._server is not None:
            server, self._server = self._server, None
            await server.stop(1.0)

    def _credentials(self) -> Any:
        import grpc

        cert, key = self._config.tls_cert, self._config.tls_key
        if cert is None or key is None:
            return None
        return grpc.ssl_server_credentials([(key.read_bytes(), cert.read_bytes())])

    def _handler(self, signal: Signal) -> Any:
        import grpc

        async def export(body: bytes, call: Any) -> bytes:
            if not self._known(call):
                self._intake.refused("token")
                await call.abort(
                    grpc.StatusCode.UNAUTHENTICATED, "this receiver wants its token as 'authorization: Bearer ...'"
                )
            try:
                answer = await self._intake.take(signal, body)
            except ParseError as error:
                await call.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
                raise
            except (Busy, NotTaken) as error:
                await call.abort(grpc.StatusCode.UNAVAILABLE, str(error))
                raise
            told: bytes = answer.SerializeToString()
            return told

        return grpc.unary_unary_rpc_method_handler(export)

    def _known(self, call: Any) -> bool:
        if self._config.token is None:
            return True
        given = next((value for name, value in call.invocation_metadata() if name == "authorization"), "")
        return is_bearer(given, self._config.token)

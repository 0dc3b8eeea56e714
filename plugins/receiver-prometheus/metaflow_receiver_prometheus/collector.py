"""The collector: an HTTP listener whose answers wait for the pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from metaflow_core.api import BuildContext, Emit, HttpListener, RecordBatch, Resource, is_bearer, joined
from metaflow_core.errors import ParseError
from metaflow_receiver_prometheus.config import PrometheusConfig
from metaflow_receiver_prometheus.decode import Decoder, Received

__all__ = ["PrometheusReceiver"]

TABLE = "prometheus.samples"
_V2 = "io.prometheus.write.v2.Request"
_PROTOS = {"": 1, "prometheus.WriteRequest": 1, _V2: 2}


class _Refused(Exception):
    """An answer other than success. :ivar status: of HTTP."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


class PrometheusReceiver:
    """Takes remote write 1.0 and 2.0. A sender hears of success when the pipeline has taken the rows."""

    def __init__(self, context: BuildContext, config: PrometheusConfig) -> None:
        self._context = context
        self._config = config
        self._counters = context.counters
        self._decoder = Decoder(config.max_labels)
        self._listener = HttpListener(
            config.host, config.port, certificate=config.tls_cert, key=config.tls_key, name="prometheus", grace_s=5
        )
        self._emit: Emit | None = None
        self._busy = 0

    def resources(self) -> Iterable[Resource]:
        """The port."""
        if self._config.port == 0:
            return ()
        return (Resource("tcp", joined(self._config.host, self._config.port)),)

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._listener.address[1]

    def integrations(self) -> Iterable[tuple[str, str]]:
        """What to write into prometheus.yml."""
        scheme = "http" if self._config.tls_cert is None else "https"
        url = f"{scheme}://{joined(self._config.host, self.port)}{self._config.path}"
        return [("Prometheus", f"remote_write: [{{url: {url}}}]")]

    async def start(self) -> None:
        """Bind the port.

        :raises StartError: it is taken, or the certificate cannot be read.
        """
        self._listener.bind()

    async def stop(self) -> None:
        """Give the port back."""
        await self._listener.stop()

    async def run(self, emit: Emit) -> None:
        """Serve until cancelled."""
        self._emit = emit
        try:
            await self._listener.serve(self.application())
        finally:
            self._emit = None

    def application(self) -> Any:
        """The ASGI application."""
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse, Response
        from starlette.routing import Route

        async def write(request: Request) -> Response:
            try:
                received = await self._take(request)
            except _Refused as refused:
                self._counters.add("refused", reason=refused.reason, unit="requests")
                wait = {"Retry-After": "1"} if refused.status in (429, 503) else {}
                return PlainTextResponse(f"{refused}\n", refused.status, headers={**_written(None), **wait})
            if received.refused:
                return PlainTextResponse(_sentence(received), 400, headers=_written(received))
            return Response(status_code=204, headers=_written(received))

        return Starlette(routes=[Route(self._config.path, write, methods=["POST"])])

    async def _take(self, request: Any) -> Received:
        """One request, from its headers to the pipeline."""
        self._authorise(request)
        version = _version(request)
        if self._busy >= self._config.max_requests:
            raise _Refused(429, "busy", f"{self._busy} requests are being worked on already; send again later")
        self._busy += 1
        try:
            body = await self._body(request)
            received = await asyncio.to_thread(self._decode, body, version)
            await self._hand_over(received, body)
        finally:
            self._busy -= 1
        for reason, count in received.refused.items():
            self._counters.add("dropped", count, reason=reason.replace(" ", "_")[:60])
        return received

    def _authorise(self, request: Any) -> None:
        if self._config.token is None:
            return
        if not is_bearer(request.headers.get("authorization", ""), self._config.token):
            raise _Refused(401, "token", "this receiver wants its token as 'Authorization: Bearer ...'")

    async def _body(self, request: Any) -> bytes:
        limit = self._config.max_body_bytes
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise _Refused(413, "body_too_large", f"the body has more than {limit} bytes (option max_body_bytes)")
            parts.append(part)
        self._counters.add("received", size, unit="bytes")
        return b"".join(parts)

    def _decode(self, body: bytes, version: int) -> Received:
        import cramjam

        limit = self._config.max_message_bytes
        try:
            if cramjam.snappy.decompress_raw_len(body) > limit:
                raise _Refused(
                    413, "message_too_large", f"the body unpacks to more than {limit} bytes (max_message_bytes)"
                )
            plain = bytes(cramjam.snappy.decompress_raw(body))
        except cramjam.DecompressionError as error:
            raise _Refused(400, "snappy", f"the body is not packed with snappy (block format): {error}") from None
        try:
            return self._decoder.decode(plain, version, self._context.clock.time_ns() // 1_000_000)
        except ParseError as error:
            raise _Refused(400, "protobuf", str(error)) from None

    async def _hand_over(self, received: Received, body: bytes) -> None:
        batch = received.batch()
        if batch is None:
            return
        if self._emit is None:
            raise _Refused(503, "stopping", "the receiver is not running; send again later")
        try:
            # The same bytes again are the same rows: a sender that missed the answer may repeat the request.
            await self._emit(RecordBatch(TABLE, batch, blake2b(body, digest_size=16).hexdigest()))
        except Exception as error:
            self._decoder.forget()
            self._context.logger.warning("The pipeline did not take a request: %s", error)
            raise _Refused(503, "pipeline", f"the rows were not taken: {error}; send again later") from error
        self._counters.add("received", batch.num_rows)


def _version(request: Any) -> int:
    """1 or 2, by the content type; version headers are only told to old receivers."""
    packed = request.headers.get("content-encoding", "snappy").strip().lower()
    if packed != "snappy":
        raise _Refused(415, "encoding", f"the body is packed with {packed!r}; remote write is packed with snappy")
    kind, _, rest = request.headers.get("content-type", "application/x-protobuf").partition(";")
    if kind.strip().lower() != "application/x-protobuf":
        raise _Refused(415, "content_type", f"the body is {kind!r}; remote write is application/x-protobuf")
    proto = next((p.split("=", 1)[1].strip() for p in rest.split(";") if p.strip().startswith("proto=")), "")
    if proto not in _PROTOS:
        raise _Refused(
            415, "content_type", f"the message {proto!r} is not known; send prometheus.WriteRequest or {_V2}"
        )
    return _PROTOS[proto]


def _written(received: Received | None) -> dict[str, str]:
    """What remote write 2.0 asks every answer to tell; a sender takes absent ones for zero."""
    samples = received.samples if received is not None else 0
    exemplars = received.exemplars if received is not None else 0
    return {
        "X-Prometheus-Remote-Write-Samples-Written": str(samples),
        "X-Prometheus-Remote-Write-Histograms-Written": "0",
        "X-Prometheus-Remote-Write-Exemplars-Written": str(exemplars),
    }


def _sentence(received: Received) -> str:
    reasons = "; ".join(f"{count} because of: {reason}" for reason, count in received.refused.items())
    return f"{received.samples} samples and {received.exemplars} exemplars were taken, others not: {reasons}\n"

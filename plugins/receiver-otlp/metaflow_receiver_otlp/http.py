"""OTLP over HTTP: ``POST /v1/traces``, ``/v1/metrics``, ``/v1/logs``, protobuf or JSON, answered in the same form.

Source: OpenTelemetry specification, "OTLP/HTTP".
"""

from __future__ import annotations

import zlib
from typing import Any

from metaflow_core.api import is_bearer
from metaflow_core.errors import ParseError
from metaflow_receiver_otlp.config import OtlpConfig
from metaflow_receiver_otlp.intake import Busy, Intake, NotTaken, Signal, signals
from metaflow_receiver_otlp.json_form import read_json, write_json

__all__ = ["application"]

_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
# Codes of google.rpc.Status, which errors are told in.
_CODES = {400: 3, 401: 16, 413: 8, 415: 3, 429: 8, 503: 14}


class _Refused(Exception):
    """An answer other than success. :ivar status: of HTTP. :ivar reason: the counter's."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


def application(intake: Intake, config: OtlpConfig) -> Any:
    """The ASGI application."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    def endpoint(signal: Signal) -> Any:
        async def export(request: Request) -> Response:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            form = _JSON if kind == _JSON else _PROTOBUF
            try:
                answer = await _export(request, signal, kind, intake, config)
            except _Refused as refused:
                if refused.reason:
                    intake.refused(refused.reason)
                wait = {"Retry-After": "1"} if refused.status in (429, 503) else {}
                return Response(_status(refused, form), refused.status, headers=wait, media_type=form)
            return Response(write_json(answer) if form == _JSON else answer.SerializeToString(), media_type=form)

        return export

    return Starlette(routes=[Route(f"/v1/{each.name}", endpoint(each), methods=["POST"]) for each in signals()])


async def _export(request: Any, signal: Signal, kind: str, intake: Intake, config: OtlpConfig) -> Any:
    if config.token is not None and not is_bearer(request.headers.get("authorization", ""), config.token):
        raise _Refused(401, "token", "this receiver wants its token as 'Authorization: Bearer ...'")
    if kind not in (_PROTOBUF, _JSON):
        raise _Refused(415, "content_type", f"the body is {kind!r}; OTLP over HTTP is {_PROTOBUF} or {_JSON}")
    body = _unpacked(await _body(request, config.max_body_bytes), request.headers, config.max_message_bytes)
    try:
        message = read_json(body, signal.request()) if kind == _JSON else None
    except ParseError as error:
        raise _Refused(400, "json", str(error)) from None
    try:
        return await intake.take(signal, body, message)
    except ParseError as error:
        raise _Refused(400, "", str(error)) from None
    except Busy as error:
        raise _Refused(429, "", str(error)) from None
    except NotTaken as error:
        raise _Refused(503, "", str(error)) from None


async def _body(request: Any, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _Refused(413, "body_too_large", f"the body has more than {limit} bytes (option max_body_bytes)")
        parts.append(part)
    return b"".join(parts)


def _unpacked(body: bytes, headers: Any, limit: int) -> bytes:
    packed = headers.get("content-encoding", "identity").strip().lower()
    if packed in ("", "identity"):
        return body
    if packed not in ("gzip", "deflate"):
        raise _Refused(415, "encoding", f"the body is packed with {packed!r}; send it with gzip, deflate or unpacked")
    found = bytearray()
    while True:
        # gzip may come in several members one after another (RFC 1952, 2.2)
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16 if packed == "gzip" else zlib.MAX_WBITS)
        try:
            found += unpacker.decompress(body, limit + 1 - len(found))
        except zlib.error as error:
            raise _Refused(400, "encoding", f"the body is not packed with {packed}: {error}") from None
        if len(found) > limit:
            raise _Refused(413, "message_too_large", f"the body unpacks to more than {limit} bytes (max_message_bytes)")
        if not unpacker.eof:
            raise _Refused(400, "encoding", f"the body ends in the middle of its {packed} data")
        body = unpacker.unused_data
        if not body:
            return bytes(found)


def _status(refused: _Refused, form: str) -> bytes:
    from google.rpc.status_pb2 import Status

    status = Status(code=_CODES.get(refused.status, 2), message=str(refused))
    return write_json(status) if form == _JSON else status.SerializeToString()

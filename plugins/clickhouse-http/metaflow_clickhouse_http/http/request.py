"""What a client of ClickHouse sends: the question in the URL, the body or both; parameters, settings, who it is."""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.requests import Request

from metaflow_clickhouse_http.config import ClickHouseHttpConfig
from metaflow_clickhouse_http.http.errors import Refusal
from metaflow_clickhouse_http.http.packing import unpack

__all__ = ["Asked", "admit", "read_asked"]

_OWN = frozenset(
    [
        "query",
        "database",
        "default_format",
        "query_id",
        "user",
        "password",
        "quota_key",
        "role",
        "session_id",
        "session_timeout",
        "session_check",
        "compress",
        "decompress",
        "client_protocol_version",
        "buffer_size",
        "wait_end_of_query",
        "stacktrace",
        "enable_http_compression",
        "http_write_exception_in_output_format",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "http_zlib_compression_level",
        "http_wait_end_of_query",
        "add_http_cors_header",
        "http_response_buffer_size",
        "cancel_http_readonly_queries_on_client_close",
        "readonly",
        "log_queries",
        "log_comment",
        "max_query_size",
        "priority",
        "connect_timeout",
        "receive_timeout",
        "send_timeout",
        "send_receive_timeout",
        "output_format_parallel_formatting",
        "workload",
        "http_response_headers",
        "log_profile_events",
        "log_query_threads",
    ]
)
"""Parameters of the interface, and settings that change nothing here: taken, and not handed on."""
_OWN_PREFIXES = (
    "param_",
    "input_format_",
    "insert_",
    "async_insert",
    "date_time_input_format",
    "http_",
    "wait_for_async_insert",
)
_MAX_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """A question. :ivar native_revision: of the protocol that the Native form is wanted in; 0 for the plain one."""

    text: str
    database: str = ""
    form: str = ""
    query_id: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    native_revision: int = 0
    packs: bool = False


def admit(request: Request, config: ClickHouseHttpConfig) -> None:
    """Lets the client in.

    :raises Refusal: user or password are wrong.
    """
    if config.password is None:
        return
    wanted = config.password.get_secret_value().encode()
    user, password = _credentials(request)
    if user is None:
        if hmac.compare_digest(password.encode(), wanted):
            return
    elif hmac.compare_digest(user.encode(), config.user.encode()) & hmac.compare_digest(password.encode(), wanted):
        return
    said = f"{user or 'default'}: Authentication failed: password is incorrect, or there is no user with such name"
    raise Refusal(516, said, 401 if not password else 403)


def _credentials(request: Request) -> tuple[str | None, str]:
    """User (None for a bearer token) and password, from where ClickHouse's clients put them."""
    headers, query = request.headers, request.query_params
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user") or "default", headers.get("x-clickhouse-key", "")
    scheme, _, sent = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return None, sent.strip()
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(sent.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "default", ""
        return user or "default", password
    return query.get("user") or "default", query.get("password", "")


async def read_asked(request: Request, config: ClickHouseHttpConfig) -> Asked:
    """Reads a request.

    :raises Refusal: it is none that can be answered here.
    """
    raw = request.scope.get("query_string", b"")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise Refusal(36, f"the URL's parameters cannot be read: {error}") from None
    fields = dict(pairs)
    body = await _body(request, config.max_body_bytes)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        fields.update(_form(body, request.headers.get("content-type", "")))
        body = b""
    if fields.get("decompress") == "1" and body:
        raise Refusal(48, "a body in ClickHouse's own compression (decompress=1) is not taken; use Content-Encoding")
    if fields.get("compress") == "1":
        raise Refusal(
            48,
            "answers in ClickHouse's own compression (compress=1) are not given; use Accept-Encoding with enable_http_compression=1",
        )
    body = unpack(body, request.headers.get("content-encoding", ""), config.max_body_bytes)
    try:
        text = "\n".join(part for part in (fields.get("query", ""), body.decode("utf-8")) if part.strip())
    except UnicodeDecodeError as error:
        raise Refusal(62, f"the question is no UTF-8: {error}") from None
    headers = request.headers
    return Asked(
        text=text,
        database=fields.get("database") or headers.get("x-clickhouse-database", ""),
        form=headers.get("x-clickhouse-format", "") or fields.get("default_format", ""),
        query_id=_query_id(fields.get("query_id") or headers.get("x-clickhouse-query-id", "")),
        variables={name.removeprefix("param_"): value for name, value in fields.items() if name.startswith("param_")},
        settings={
            name: value for name, value in fields.items() if name not in _OWN and not name.startswith(_OWN_PREFIXES)
        },
        native_revision=_whole(fields.get("client_protocol_version", "")),
        packs=fields.get("enable_http_compression", "") not in ("", "0"),
    )


def _query_id(text: str) -> str:
    if len(text) > 200 or not text.isprintable():
        raise Refusal(36, "a query_id has at most 200 printable characters")
    return text or str(uuid.uuid4())


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0


async def _body(request: Request, limit: int) -> bytes:
    said = f"the body is larger than {limit} bytes"
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise Refusal(36, said, 413)
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > limit:
            raise Refusal(36, said, 413)
    return bytes(parts)


def _form(body: bytes, content_type: str) -> dict[str, str]:
    """The fields of a form; a file in it would be external data, which is not taken."""
    from email.parser import BytesParser
    from email.policy import HTTP

    message = BytesParser(policy=HTTP).parsebytes(
        b"content-type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n" + body
    )
    found: dict[str, str] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        if part.get_filename() is not None:
            raise Refusal(48, "external data is not taken: this reads only what is stored")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            found[name] = payload.decode("utf-8", "replace").removesuffix("\r\n")
    return found

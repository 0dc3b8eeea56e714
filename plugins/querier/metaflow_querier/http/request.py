"""The body of a question: JSON or a form, bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

__all__ = ["Asked", "BadRequest", "read_asked"]

_FLAGS = ("raw", "debug")
_SAYS = re.compile("[A-Za-z0-9]")
"""What a question holds at least; the same in the description of the service."""
_TYPES: Mapping[str, tuple[tuple[type, ...], str]] = MappingProxyType(
    {
        **dict.fromkeys(("db", "data_precision", "format"), ((str,), "a text")),
        **dict.fromkeys(_FLAGS, ((bool,), "true or false")),
        "max_rows": ((int,), "a whole number"),
        "timeout_s": ((int, float), "a number"),
    }
)
"""Types in JSON; null is the same as none. In a form everything is a text."""


class BadRequest(Exception):
    """The request is not what it must be. :ivar status: of the answer. :ivar code: for machines."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        self.status = status
        self.code = code
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was sent: the question, and how it is to be answered."""

    sql: str
    params: Mapping[str, Any]
    format: str = ""
    debug: bool = False
    max_rows: int | None = None
    timeout_s: float | None = None


async def read_asked(request: Request, max_bytes: int) -> Asked:
    """Reads ``db``, ``sql``, ``data_precision``, ``raw``, ``debug``, ``format``, ``max_rows``, ``timeout_s``; anything else is passed over.

    :raises BadRequest: with the status and a sentence.
    """
    body = await _body(request, max_bytes)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("application/x-www-form-urlencoded", ""):
        fields: Mapping[str, Any] = dict(_form(body))
    elif kind == "application/json" or kind.endswith("+json"):
        fields = _json(body)
    else:
        raise BadRequest(
            415,
            "media-type",
            f"{kind} is not taken; send a form (application/x-www-form-urlencoded) or application/json",
        )
    fields = {**dict(request.query_params), **fields}
    sql = fields.get("sql")
    if not isinstance(sql, str) or not _SAYS.search(sql):
        raise BadRequest(400, "bad-request", "the field 'sql' is missing or empty: it holds the question as a text")
    params = {
        name: fields[name] for name in ("db", "data_precision") if isinstance(fields.get(name), str) and fields[name]
    }
    flags = {name: _flag(fields.get(name), name) for name in _FLAGS}
    if flags["raw"]:
        params["raw"] = True
    form = fields.get("format") or ""
    if not isinstance(form, str):
        raise BadRequest(400, "bad-request", "the field 'format' is json, csv or arrow")
    max_rows = _number(fields.get("max_rows"), "max_rows", whole=True)
    return Asked(
        sql,
        params,
        form.lower(),
        flags["debug"],
        None if max_rows is None else int(max_rows),
        _number(fields.get("timeout_s"), "timeout_s"),
    )


async def _body(request: Request, max_bytes: int) -> bytes:
    said = f"the body is larger than {max_bytes} bytes"
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise BadRequest(413, "too-large", said)
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > max_bytes:
            raise BadRequest(413, "too-large", said)
    return bytes(parts)


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=100
        )
    except ValueError as error:
        raise BadRequest(400, "bad-request", f"the form cannot be read: {error}") from None


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(400, "bad-request", f"the body is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadRequest(400, "bad-request", "the body is a JSON object with the field 'sql'")
    for name, (types, said) in _TYPES.items():
        value = document.get(name)
        if isinstance(value, float) and value.is_integer() and types == (int,):
            document[name] = value = int(value)
        if value is not None and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
            raise BadRequest(400, "bad-request", f"the field {name!r} is {said}")
    return document


def _flag(value: object, name: str) -> bool:
    if value in (None, "", False, 0, "0", "false"):
        return False
    if value in (True, 1, "1", "true"):
        return True
    raise BadRequest(400, "bad-request", f"the field {name!r} is true or false")


def _number(value: object, name: str, *, whole: bool = False) -> float | int | None:
    if value is None or value == "":
        return None
    try:
        number = int(str(value)) if whole else float(str(value))
    except ValueError:
        number = 0
    if isinstance(value, bool) or not 0.1 <= number < 10**9:
        raise BadRequest(
            400,
            "bad-request",
            f"the field {name!r} is a {'whole ' if whole else ''}number from {1 if whole else 0.1} on",
        )
    return number

"""What goes in and comes out: parameters of a request, Prometheus' envelopes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response

from metaflow_core.api import QueryResult
from metaflow_core.errors import MetaFlowError, QueryError, QuerySyntaxError
from metaflow_dialect_promql.errors import BadParameter, QueryTimeout
from metaflow_dialect_promql.numbers import go_float

__all__ = ["BodyTooLarge", "Parameters", "failure", "label_sets", "read_body", "result_data", "success"]

_CODES = {"bad_data": 400, "execution": 422, "timeout": 503, "internal": 500, "not_found": 404, "unavailable": 503}


class BodyTooLarge(QueryError):
    """A request's body is larger than allowed."""


async def read_body(request: Request, limit: int) -> bytes:
    """The body, read no further than allowed.

    :raises BodyTooLarge: there is more.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise BodyTooLarge(f"the body has more than {limit} bytes, which is the limit (option max_body_bytes)")
        parts.append(part)
    return b"".join(parts)


class Parameters:
    """Parameters of the URL and of a form together, as Prometheus takes them."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    @classmethod
    async def of(cls, request: Request, limit: int) -> Parameters:
        """Of a request.

        :raises BadParameter: the form is no form. :raises BodyTooLarge: it is too large.
        """
        pairs = list(request.query_params.multi_items())
        if request.method == "POST":
            body = await read_body(request, limit)
            kind = request.headers.get("content-type", "").partition(";")[0].strip()
            if body and kind == "application/x-www-form-urlencoded":
                try:
                    text = body.decode("ascii")
                    pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=10_000) + pairs
                except ValueError as error:
                    raise BadParameter(f"error parsing form values: {error}") from None
        return cls(pairs)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value; an empty one counts as none."""
        found = self._values.get(name)
        return found[0] if found and found[0] else default

    def all(self, name: str) -> list[str]:
        """Every value."""
        return self._values.get(name, [])

    def need(self, name: str) -> str:
        """The first value, empty when there is none."""
        return self.get(name) or ""

    def limit(self) -> int:
        """``limit``; 0 for none.

        :raises BadParameter: it is no number of things.
        """
        text = self.get("limit")
        if text is None:
            return 0
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise BadParameter(f'invalid parameter "limit": cannot parse "{text}" to a non-negative integer')
        return int(text)


def success(data: Any, warnings: Sequence[str] = (), infos: Sequence[str] = ()) -> Response:
    """The envelope of an answer."""
    body: dict[str, Any] = {"status": "success", "data": data}
    if warnings:
        body["warnings"] = list(warnings)
    if infos:
        body["infos"] = list(infos)
    return Response(json.dumps(body, ensure_ascii=False, separators=(",", ":")), media_type="application/json")


def failure(error: Exception) -> Response:
    """The envelope of an error, with the type and status that Prometheus gives it."""
    match error:
        case BodyTooLarge():
            return _failure(413, "bad_data", str(error))
        case QuerySyntaxError():
            # The column is in the sentence where Prometheus has it; its own texts begin with "parse error".
            text = str(error)
            return _failure(400, "bad_data", f'invalid parameter "query": {text}' if "parse error" in text else text)
        case BadParameter():
            return _failure(400, "bad_data", str(error))
        case QueryTimeout():
            return _failure(503, "timeout", str(error))
        case QueryError():
            timed_out = "was not answered within" in str(error)
            return _failure(503, "timeout", str(error)) if timed_out else _failure(422, "execution", str(error))
        case MetaFlowError():
            return _failure(500, "internal", str(error))
        case _:
            return _failure(500, "internal", "an unexpected error; the log of MetaFlow has the details")


def _failure(status: int, kind: str, text: str) -> Response:
    body = {"status": "error", "errorType": kind, "error": text}
    return Response(json.dumps(body, ensure_ascii=False), status_code=status, media_type="application/json")


def label_sets(table: pa.Table) -> list[dict[str, str]]:
    """The label sets of an answer."""
    return [dict(each) for each in table["labels"].to_pylist()]


def _points(table: pa.Table) -> list[list[list[Any]]]:
    """The points of each series as ``[seconds, "number"]``."""
    out: list[list[list[Any]]] = []
    for times, values in zip(table["times"].chunks, table["values"].chunks, strict=True):
        moments = times.flatten().cast(pa.int64()).to_pylist()
        numbers = values.flatten().to_pylist()
        points = [
            [at / 1000 if at % 1000 else at // 1000, go_float(number)]
            for at, number in zip(moments, numbers, strict=True)
        ]
        bounds = times.offsets.to_pylist()
        first = bounds[0] if bounds else 0
        out += [points[a - first : b - first] for a, b in itertools.pairwise(bounds)]
    return out


def result_data(result: QueryResult, moment_ms: int, limit: int) -> tuple[dict[str, Any], bool]:
    """``resultType`` and ``result`` of an answer, and whether it was cut at the limit of series."""
    kind = result.kind
    if kind == "string":
        return {"resultType": "string", "result": [moment_ms / 1000, result.table["value"][0].as_py()]}, False
    labels, points = label_sets(result.table), _points(result.table)
    if kind == "scalar":
        return {"resultType": "scalar", "result": points[0][0]}, False
    cut = bool(limit) and len(labels) > limit
    if cut:
        labels = labels[:limit]
    rows: list[Mapping[str, Any]] = []
    for index, each in enumerate(labels):
        if kind == "vector":
            rows.append({"metric": each, "value": points[index][0]})
        else:
            rows.append({"metric": each, "values": points[index]})
    return {"resultType": kind, "result": rows}, cut

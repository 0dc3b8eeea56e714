"""What goes in and comes out: parameters of a request, Prometheus' envelopes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from starlette.requests import Request
from starlette.responses import Response

from metaflow_core.api import QueryResult
from metaflow_core.errors import MetaFlowError, QueryError, QuerySyntaxError
from metaflow_dialect_promql.errors import BadParameter, QueryTimeout
from metaflow_dialect_promql.numbers import go_float

__all__ = ["BodyTooLarge", "Parameters", "failure", "label_sets", "read_body", "result_json", "success", "written"]

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
    return written(json.dumps(data, ensure_ascii=False, separators=(",", ":")), warnings, infos)


def written(data: str, warnings: Sequence[str] = (), infos: Sequence[str] = ()) -> Response:
    """The envelope of an answer whose data is JSON already."""
    further = "".join(
        f',"{name}":{json.dumps(list(texts), ensure_ascii=False)}'
        for name, texts in (("warnings", warnings), ("infos", infos))
        if texts
    )
    return Response(f'{{"status":"success","data":{data}{further}}}', media_type="application/json")


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


def result_json(result: QueryResult, moment_ms: int, limit: int) -> tuple[str, bool]:
    """The JSON of ``data`` of an answer, and whether it was cut at the limit of series.

    Written by whole columns: an object a point would take longer than the query.
    """
    kind = result.kind
    if kind == "string":
        value = json.dumps(result.table["value"][0].as_py(), ensure_ascii=False)
        return f'{{"resultType":"string","result":[{moment_ms / 1000:.15g},{value}]}}', False
    table = result.table
    cut = bool(limit) and kind != "scalar" and table.num_rows > limit
    if cut:
        table = table.slice(0, limit)
    points = _points(table, "," if kind == "matrix" else "")
    if kind == "scalar":
        return f'{{"resultType":"scalar","result":{points[0]}}}', False
    ends = ('"values":[', "]}") if kind == "matrix" else ('"value":', "}")
    rows = (
        f'{{"metric":{json.dumps(labels, ensure_ascii=False, separators=(",", ":"))},{ends[0]}{text}{ends[1]}'
        for labels, text in zip(label_sets(table), points, strict=True)
    )
    return f'{{"resultType":"{kind}","result":[{",".join(rows)}]}}', cut


def _points(table: pa.Table, between: str) -> list[str]:
    """The points of each series as ``[seconds,"number"]``."""
    out: list[str] = []
    for times, values in zip(table["times"].chunks, table["values"].chunks, strict=True):
        moments, numbers = times.flatten(), values.flatten()
        texts = pc.binary_join_element_wise("[", _seconds(moments), ',"', _numbers(numbers), '"]', "")
        lengths = pc.list_value_length(times).to_numpy(zero_copy_only=False)
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        out += pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), texts), between).to_pylist()
    return out


def _seconds(moments: pa.Array) -> pa.Array:
    """Milliseconds as seconds, with a fraction where there is one."""
    encoded = moments.cast(pa.int64()).dictionary_encode()
    texts = [str(at // 1000) if at % 1000 == 0 else f"{at / 1000:.3f}" for at in encoded.dictionary.to_pylist()]
    return pa.array(texts, pa.utf8()).take(encoded.indices)


def _numbers(numbers: pa.Array) -> pa.Array:
    """Numbers as Prometheus writes them."""
    values = numbers.to_numpy(zero_copy_only=False)
    size = np.abs(values)
    with np.errstate(invalid="ignore"):
        whole = (values == np.rint(values)) & (size < 1e15)
        plain = whole | ((size >= 1e-4) & (size < 1e15))
    # Arrow writes the shortest text that reads back, too; only the very large and very small look otherwise.
    out = numbers.cast(pa.utf8())
    if whole.any():
        integers = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(pa.utf8())
        out = pc.if_else(pa.array(whole & ~((values == 0) & np.signbit(values))), integers, out)
    odd = np.flatnonzero(~plain | ((values == 0) & np.signbit(values)))
    if len(odd):
        texts = pa.array([go_float(value) for value in values[odd].tolist()], pa.utf8())
        mask = np.zeros(len(values), np.bool_)
        mask[odd] = True
        out = pc.replace_with_mask(out, pa.array(mask), texts)
    return out

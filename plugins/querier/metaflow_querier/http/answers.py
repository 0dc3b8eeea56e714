"""Forms of an answer: JSON as the reference model has it, CSV, Arrow."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from starlette.responses import Response

from metaflow_core.api import QueryResult

__all__ = ["ARROW", "CSV", "FORMATS", "JSON", "choose", "render"]

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
FORMATS: Mapping[str, str] = {"json": JSON, "csv": CSV, "arrow": ARROW}
"""Names of forms in the field ``format``, and their media types."""


def choose(accept: str, form: str) -> str | None:
    """The media type to answer in; None when there is none that is wanted.

    :param accept: the header. :param form: the field ``format``, which is stronger.
    """
    if form:
        return FORMATS.get(form)
    best, quality = None, 0.0
    for part in accept.split(",") if accept.strip() else ["*/*"]:
        kind, *settings = (each.strip().lower() for each in part.split(";"))
        weight = next((_weight(each[2:]) for each in settings if each.startswith("q=")), 1.0)
        for offered in (JSON, CSV, ARROW):
            if kind in (offered, "*/*", offered.partition("/")[0] + "/*") and weight > quality:
                best, quality = offered, weight
                break
    return best


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def render(result: QueryResult, media: str, *, debug: Mapping[str, Any] | None = None) -> Response:
    """The answer as a response."""
    if media == ARROW:
        return Response(_arrow(result), media_type=ARROW)
    if media == CSV:
        headers = {"x-metaflow-warnings": json.dumps(result.warnings)} if result.warnings else {}
        return Response(_csv(result.table), media_type="text/csv; charset=utf-8", headers=headers)
    return Response(_json(result, debug), media_type=JSON)


def _json(result: QueryResult, debug: Mapping[str, Any] | None) -> bytes:
    columns = [_plain(result.table.column(name)) for name in result.table.column_names]
    schemas = [
        {
            "name": field.name,
            "unit": result.units.get(field.name, ""),
            "type": 1 if field.name in result.units or pa.types.is_floating(field.type) else 0,
            "value_type": _value_type(field.type),
            "pre_as": "",
            "label_type": "",
        }
        for field in result.table.schema
    ]
    document = {
        "OPT_STATUS": "SUCCESS",
        "DESCRIPTION": "",
        "result": {
            "columns": result.table.column_names,
            "values": [list(row) for row in zip(*columns, strict=True)],
            "schemas": schemas,
        },
        "warnings": list(result.warnings),
        "debug": dict(debug) if debug is not None else None,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _value_type(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "int"
    if pa.types.is_floating(kind):
        return "float64"
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_timestamp(kind):
        return "time"
    return "list" if pa.types.is_list(kind) else "string"


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Values that JSON has: times as ISO 8601, no NaN, bytes as base64."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        texts = pc.strftime(column.cast(pa.timestamp(kind.unit)), format="%Y-%m-%dT%H:%M:%S").to_pylist()
        return [None if text is None else f"{text}Z" for text in texts]
    values: list[Any] = column.to_pylist()
    if (
        pa.types.is_floating(kind)
        or pa.types.is_nested(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    ):
        return [_value(value) for value in values]
    return values


def _value(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, list):
        return [_value(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _value(each) for key, each in value.items()}
    return value


def _csv(table: pa.Table) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(table.column_names)
    columns = [_plain(table.column(name)) for name in table.column_names]
    for row in zip(*columns, strict=True):
        writer.writerow(
            [json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | dict) else cell for cell in row]
        )
    return out.getvalue().encode()


def _arrow(result: QueryResult) -> bytes:
    """An IPC stream; units stand in the fields' metadata, warnings in the schema's."""
    fields = [
        field.with_metadata({"unit": unit}) if (unit := result.units.get(field.name, "")) else field.remove_metadata()
        for field in result.table.schema
    ]
    schema = pa.schema(fields, metadata={"warnings": json.dumps(result.warnings)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(result.table.replace_schema_metadata(None).cast(schema))
    return sink.getvalue()

"""Decoded batches as plain Python values and as text, for JSON Lines, CSV and tables on a terminal."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from metaflow_core.model.catalog.catalog import Catalog
from metaflow_core.model.catalog.decode import decode
from metaflow_core.model.catalog.values import Column, Table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["cell_text", "render_rows"]


def render_rows(batch: pa.RecordBatch, table: Table, catalog: Catalog) -> Iterator[dict[str, Any]]:
    """Each row as a dictionary that :func:`json.dumps` takes: names for numbers, texts for times, objects for maps.

    Times are ISO 8601 in UTC with a ``Z``, but a time in nanoseconds is an integer. Not-a-number and infinity are missing,
    bytes are base64, JSON columns are what they hold.
    """
    import pyarrow as pa

    decoded = decode(batch, table, catalog)
    names = decoded.schema.names
    columns: list[list[Any]] = []
    for index, name in enumerate(names):
        array = decoded.column(index)
        column = table.by_name.get(name)
        is_json = isinstance(column, Column) and column.type == "json"
        if pa.types.is_timestamp(array.type):
            columns.append(_times(array))
        elif is_json:
            columns.append([_json(value) for value in array.to_pylist()])
        elif pa.types.is_floating(array.type) or pa.types.is_binary(array.type) or pa.types.is_nested(array.type):
            columns.append([_plain(value) for value in array.to_pylist(maps_as_pydicts="lossy")])
        else:
            columns.append(array.to_pylist())
    for values in zip(*columns, strict=True):
        yield dict(zip(names, values, strict=True))


def cell_text(value: Any) -> str:
    """A value of :func:`render_rows` as the text of one cell; a missing value is an empty text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=False) if value else ""
    return str(value)


def _times(array: pa.Array) -> list[str | None]:
    """ISO 8601 texts; whole seconds without a fraction, else with as many digits as the column has."""
    import pyarrow as pa
    import pyarrow.compute as pc

    unit = array.type.unit
    if unit == "ns":
        array = array.cast(pa.timestamp("us", "UTC"), safe=False)
    # strftime writes the fraction that the column's unit has.
    texts: list[str | None] = pc.strftime(
        array.cast(pa.timestamp(array.type.unit)), format="%Y-%m-%dT%H:%M:%S"
    ).to_pylist()
    return [None if text is None else f"{text}Z" for text in texts]


def _json(text: str | None) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value

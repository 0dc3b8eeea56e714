"""Rows as files and streams: Parquet, Arrow, CSV, JSON Lines. Batch by batch, in memory that does not grow."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "WRITERS", "cell"]

FORMATS: Mapping[str, str] = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
"""File suffixes and the formats they stand for."""


class Source(Protocol):
    """What is written: :class:`metaflow_core.sdk.rows.Rows`."""

    def with_schema(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema, and batches that all have it."""
        ...

    def __iter__(self) -> Iterator[dict[str, Any]]: ...


def _parquet(rows: Source, stream: BinaryIO) -> int:
    import pyarrow.parquet as pq

    schema, batches = rows.with_schema()
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        return _count(batches, writer.write_batch)


def _arrow(rows: Source, stream: BinaryIO) -> int:
    """The IPC file format where the stream can seek, else the IPC stream format: readers take both."""
    import pyarrow as pa

    schema, batches = rows.with_schema()
    make = pa.ipc.new_file if stream.seekable() else pa.ipc.new_stream
    with make(stream, schema) as writer:
        return _count(batches, writer.write_batch)


def _csv(rows: Source, stream: BinaryIO) -> int:
    schema, batches = rows.with_schema()
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(schema.names)

    def put(batch: pa.RecordBatch) -> None:
        columns = [[cell(value) for value in column.to_pylist()] for column in batch.columns]
        writer.writerows(zip(*columns, strict=True))

    try:
        return _count(batches, put)
    finally:
        text.detach()


def _jsonl(rows: Source, stream: BinaryIO) -> int:
    count = 0
    for row in rows:
        stream.write(json.dumps(row, ensure_ascii=False, default=cell).encode() + b"\n")
        count += 1
    return count


WRITERS: Mapping[str, Callable[[Source, BinaryIO], int]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "csv": _csv,
    "jsonl": _jsonl,
}
"""Format -> what writes it to a binary stream and returns the number of rows."""


def _count(batches: Iterator[pa.RecordBatch], write: Callable[[pa.RecordBatch], object]) -> int:
    rows = 0
    for batch in batches:
        write(batch)
        rows += batch.num_rows
    return rows


def cell(value: object) -> object:
    """A value as CSV and JSON can hold it."""
    import datetime

    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, dict, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value

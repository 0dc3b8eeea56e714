"""Answers on a terminal, in a pipe, in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from metaflow_core.api import QueryResult
from metaflow_core.cli.output import print_table
from metaflow_core.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMATS", "show", "write"]

FORMATS = ("table", "csv", "jsonl", "arrow", "parquet")
_BINARY = frozenset({"arrow", "parquet"})
_SUFFIXES = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".parquet": "parquet",
}


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table as the core's writers take it."""

    table: pa.Table

    def with_schema(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema and the batches."""
        return self.table.schema, iter(self.table.to_batches())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.table.to_pylist())


def show(result: QueryResult, layout: str | None) -> None:
    """Prints an answer; without a layout a table for a terminal and JSON Lines for a pipe."""
    _warn(result)
    layout = layout or ("table" if sys.stdout.isatty() else "jsonl")
    if layout == "table":
        heads = [f"{name} ({unit})" if (unit := result.units.get(name)) else name for name in result.table.column_names]
        print_table(heads, ([_cell(value) for value in row.values()] for row in result.table.to_pylist()))
        return
    if layout in _BINARY and sys.stdout.isatty():
        raise click.UsageError(f"{layout} is binary; write it to a file with --out, or into a pipe.")
    _write(result, sys.stdout.buffer, layout)


def write(result: QueryResult, out: str, layout: str | None) -> None:
    """Writes an answer to a file; its suffix chooses the format.

    :raises InputError: the file cannot be written, or its suffix is unknown.
    """
    _warn(result)
    target = Path(out)
    chosen = layout or _SUFFIXES.get(target.suffix.lower())
    if chosen == "table":
        raise click.UsageError("--format table is for terminals; choose csv, jsonl, arrow or parquet for --out.")
    if chosen is None:
        raise InputError(f"{target}: this suffix is not known; suffixes are {', '.join(_SUFFIXES)}, or give --format")
    try:
        with target.open("wb") as file:
            _write(result, file, chosen)
    except OSError as error:
        raise InputError(f"{target}: cannot be written: {error.strerror or error}") from error
    print(f"{result.table.num_rows} rows written to {target}.", file=sys.stderr)


def _write(result: QueryResult, stream: BinaryIO, layout: str) -> None:
    from metaflow_core.sdk.writers import WRITERS

    WRITERS[layout](_Rows(_plain_times(result.table) if layout in ("csv", "jsonl") else result.table), stream)
    stream.flush()


def _plain_times(table: pa.Table) -> pa.Table:
    """Times as ISO 8601 in UTC with a Z, as everywhere else."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            texts = pc.strftime(table.column(index).cast(pa.timestamp(field.type.unit)), format="%Y-%m-%dT%H:%M:%S")
            table = table.set_column(index, field.name, pc.binary_join_element_wise(texts, "Z", ""))
    return table


def _warn(result: QueryResult) -> None:
    for sentence in result.warnings:
        print(f"mflow: {sentence}.", file=sys.stderr)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(sep=" ").replace("+00:00", "")
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 10**15 else f"{value:g}"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return str(value)

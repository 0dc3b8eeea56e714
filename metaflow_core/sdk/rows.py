"""Rows of one table, for people and their libraries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflow_core.errors import InputError, UnavailableError, UnsupportedQuery
from metaflow_core.model.catalog import Catalog, Table
from metaflow_core.model.expression import Expr

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]  # optional, its stubs too
    import polars  # type: ignore[import-not-found,unused-ignore]  # optional
    import pyarrow as pa

__all__ = ["FORMATS", "Rows"]

FORMATS: Mapping[str, str] = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
"""File suffixes and the formats they stand for."""


@dataclass(frozen=True)
class Rows:
    """Rows of a table; nothing is read or converted before it is asked for, and every use begins anew.

    :ivar name: the table's full name.
    :ivar source: makes an iterator over the stored batches.
    :ivar table: the catalogue's table, None for one that it does not know.
    :ivar condition: keeps only rows for which it is true.
    """

    name: str
    source: Callable[[], Iterator[pa.RecordBatch]]
    catalog: Catalog
    table: Table | None = None
    condition: Expr | None = None
    chosen: tuple[str, ...] = ()
    limit: int | None = None

    def where(self, text: str) -> Rows:
        """Only rows for which a condition is true, e.g. ``"response_code >= 500 and endpoint like '/api/*'"``.

        :raises QuerySyntaxError: with the column in the text; the sentence suggests the nearest name.
        """
        if self.table is None:
            raise UnsupportedQuery(f"{self.name} is not in the catalogue, so its columns cannot be asked for by name")
        from metaflow_core.model.expression import And
        from metaflow_core.query.bind import bind
        from metaflow_core.query.scope import Scope
        from metaflow_core.query.where import parse_where

        bound = bind(parse_where(text, self.table, self.catalog), Scope.of_table(self.table, self.catalog))
        return replace(self, condition=bound if self.condition is None else And((self.condition, bound)))

    def select(self, *columns: str) -> Rows:
        """Only these columns, as they are named for people, in this order."""
        return replace(self, chosen=columns)

    def head(self, rows: int = 10) -> Rows:
        """Only the first rows."""
        return replace(self, limit=rows if self.limit is None else min(rows, self.limit))

    def stored(self) -> Iterator[pa.RecordBatch]:
        """Batches as they are stored: numbers for enumerations, addresses as integers."""
        left = self.limit
        for batch in self.source():
            kept = batch
            if self.condition is not None and self.table is not None:
                kept = _keep(batch, self.condition, self.table)
            if left is not None:
                kept = kept.slice(0, left)
                left -= kept.num_rows
            if kept.num_rows:
                yield kept
            if left == 0:
                return

    def _decode(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.table is None:
            return batch
        from metaflow_core.model.catalog.decode import decode

        return decode(batch, self.table, self.catalog)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Batches for people: names for numbers, text for addresses."""
        for batch in self.stored():
            decoded = self._decode(batch)
            if self.chosen:
                missing = [name for name in self.chosen if name not in decoded.schema.names]
                if missing:
                    known = ", ".join(decoded.schema.names)
                    raise UnsupportedQuery(f"{self.name} has no column {missing[0]!r}; it has {known}")
                decoded = decoded.select(list(self.chosen))
            yield decoded

    def to_arrow(self, *, stored: bool = False) -> pa.Table:
        """An Arrow table.

        :param stored: numbers and integers as they are stored, in place of names and text.
        """
        import pyarrow as pa

        batches = list(self.stored() if stored else self.batches())
        if batches:
            return pa.Table.from_batches(_one_schema(batches))
        schema = self._empty()
        if not stored and self.table is not None:
            empty = self._decode(pa.RecordBatch.from_pylist([], schema=schema))
            schema = (empty.select(list(self.chosen)) if self.chosen else empty).schema
        return schema.empty_table()

    def _empty(self) -> pa.Schema:
        import pyarrow as pa

        if self.table is None:
            return pa.schema([])
        from metaflow_core.model.catalog.arrow import arrow_schema

        return arrow_schema(self.table)

    def to_pandas(self) -> pandas.DataFrame:
        """A pandas data frame.

        :raises UnavailableError: pandas is not installed.
        """
        try:
            import pandas as _  # noqa: F401
        except ImportError:
            raise UnavailableError("pandas is not installed; run: pip install pandas") from None
        return self.to_arrow().to_pandas()

    def to_polars(self) -> polars.DataFrame:
        """A polars data frame.

        :raises UnavailableError: polars is not installed.
        """
        try:
            import polars
        except ImportError:
            raise UnavailableError("polars is not installed; run: pip install polars") from None
        frame = polars.from_arrow(self.to_arrow())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Rows as dictionaries."""
        import pyarrow as pa

        for batch in self.batches():
            maps = [field.name for field in batch.schema if pa.types.is_map(field.type)]
            for row in batch.to_pylist():
                for name in maps:
                    row[name] = dict(row[name] or ())
                yield row

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self.stored())

    def write(self, path: str | Path, format: str | None = None) -> int:
        """Write to a file, batch by batch; returns the number of rows.

        :param format: ``parquet``, ``arrow``, ``csv`` or ``jsonl``; default by the file's suffix.
        :raises InputError: the format is unknown or the file cannot be written.
        """
        target = Path(path)
        chosen = format or FORMATS.get(target.suffix.lower(), "")
        writers: Mapping[str, Callable[[Path], int]] = {
            "parquet": self._write_parquet,
            "arrow": self._write_arrow,
            "csv": self._write_csv,
            "jsonl": self._write_jsonl,
        }
        if chosen not in writers:
            raise InputError(
                f"{target}: {('the format ' + repr(format)) if format else 'this suffix'} is not known; "
                f"formats are {', '.join(writers)}, suffixes {', '.join(FORMATS)}"
            )
        try:
            return writers[chosen](target)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise InputError(f"{target}: cannot be written: {error.strerror or error}") from error

    def _with_schema(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        batches = self.batches()
        first = next(batches, None)
        if first is None:
            return self.to_arrow().schema, iter(())

        def all_() -> Iterator[pa.RecordBatch]:
            yield first
            for batch in batches:
                yield _fit(batch, first.schema)

        return first.schema, all_()

    def _write_parquet(self, target: Path) -> int:
        import pyarrow.parquet as pq

        schema, batches = self._with_schema()
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            return _count(batches, writer.write_batch)

    def _write_arrow(self, target: Path) -> int:
        import pyarrow as pa

        schema, batches = self._with_schema()
        with pa.OSFile(str(target), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            return _count(batches, writer.write_batch)

    def _write_csv(self, target: Path) -> int:
        import csv

        schema, batches = self._with_schema()
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(schema.names)

            def put(batch: pa.RecordBatch) -> None:
                columns = [[_cell(value) for value in column.to_pylist()] for column in batch.columns]
                writer.writerows(zip(*columns, strict=True))

            return _count(batches, put)

    def _write_jsonl(self, target: Path) -> int:
        count = 0
        with target.open("w", encoding="utf-8") as file:
            for row in self:
                file.write(json.dumps(row, ensure_ascii=False, default=_cell) + "\n")
                count += 1
        return count


def _keep(batch: pa.RecordBatch, condition: Expr, table: Table) -> pa.RecordBatch:
    import pyarrow.compute as pc

    from metaflow_core.query.columns import Frame, mask

    # a row for which the condition is missing is not kept
    return batch.filter(pc.fill_null(mask(condition, Frame.of_batch(batch, table)), False))


def _count(batches: Iterator[pa.RecordBatch], write: Callable[[pa.RecordBatch], object]) -> int:
    rows = 0
    for batch in batches:
        write(batch)
        rows += batch.num_rows
    return rows


def _fit(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return batch if batch.schema.equals(schema) else batch.cast(schema)


def _one_schema(batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    return [_fit(batch, batches[0].schema) for batch in batches]


def _cell(value: object) -> object:
    import datetime

    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, dict, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value

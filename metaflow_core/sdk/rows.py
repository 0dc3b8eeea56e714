"""Rows of one table, for people and their libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from metaflow_core.errors import InputError, UnavailableError, UnsupportedQuery
from metaflow_core.model.catalog import Catalog, Table
from metaflow_core.model.expression import Expr
from metaflow_core.sdk.writers import FORMATS, WRITERS

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped,import-not-found,unused-ignore]  # optional, its stubs too
    import polars  # type: ignore[import-not-found,unused-ignore]  # optional
    import pyarrow as pa

__all__ = ["FORMATS", "Rows"]


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
        if chosen not in WRITERS:
            raise InputError(
                f"{target}: {('the format ' + repr(format)) if format else 'this suffix'} is not known; "
                f"formats are {', '.join(WRITERS)}, suffixes {', '.join(FORMATS)}"
            )
        try:
            with target.open("wb") as file:
                return self.write_to(file, chosen)
        except OSError as error:
            raise InputError(f"{target}: cannot be written: {error.strerror or error}") from error

    def write_to(self, stream: BinaryIO, format: str) -> int:
        """Write to a binary stream, which need not seek; returns the number of rows.

        :param format: ``parquet``, ``arrow``, ``csv`` or ``jsonl``.
        """
        return WRITERS[format](self, stream)

    def with_schema(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema for people, and batches that all have it."""
        batches = self.batches()
        first = next(batches, None)
        if first is None:
            return self.to_arrow().schema, iter(())

        def all_() -> Iterator[pa.RecordBatch]:
            yield first
            for batch in batches:
                yield _fit(batch, first.schema)

        return first.schema, all_()


def _keep(batch: pa.RecordBatch, condition: Expr, table: Table) -> pa.RecordBatch:
    import pyarrow.compute as pc

    from metaflow_core.query.columns import Frame, mask

    # a row for which the condition is missing is not kept
    return batch.filter(pc.fill_null(mask(condition, Frame.of_batch(batch, table)), False))


def _fit(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return batch if batch.schema.equals(schema) else batch.cast(schema)


def _one_schema(batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    return [_fit(batch, batches[0].schema) for batch in batches]

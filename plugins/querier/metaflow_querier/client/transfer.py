"""``mflow export`` and ``mflow import``: rows of a table between a store and Parquet files."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from metaflow_core.cli.exits import OK

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.model.catalog import Table
    from metaflow_core.query import Plan, TimeRange
    from metaflow_core.sdk import Store

__all__ = ["export_rows", "import_rows"]

_ROWS_A_BATCH = 65_536
_ROWS_A_SLICE = 2_000_000
_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@click.command("export")
@click.argument("table")
@click.option("--data", metavar="DIR", required=True, type=click.Path(path_type=Path), help="The store.")
@click.option("--out", metavar="FILE", required=True, type=click.Path(path_type=Path), help="The Parquet file.")
@click.option("--where", metavar="EXPR", help='Only rows for which this is true, e.g. "response_code >= 500".')
@click.option("--from", "start", metavar="TIME", help="Only rows from this time on, e.g. 2026-11-21T06:00:00Z.")
@click.option("--to", "end", metavar="TIME", help="Only rows before this time.")
@click.option(
    "--storage", metavar="TYPE", default="", help="The storage that DIR belongs to; default the best that is installed."
)
def export_rows(
    table: str, *, data: Path, out: Path, where: str | None, start: str | None, end: str | None, storage: str
) -> int:
    """Write the rows of a table to a Parquet file, as they are stored (numbers of tags, not their names).

    \b
    mflow export l7_flow_log --data store --out requests.parquet
    mflow export network.1m --data store --out network.parquet --from 2026-11-21T00:00:00Z
    """
    from metaflow_core.errors import InputError
    from metaflow_core.sdk import open_store

    with open_store(data, storage=storage, make=False) as store:
        found = _table(store, table)
        span = _asked(start, end)
        import pyarrow.parquet as pq

        from metaflow_core.model.catalog.arrow import arrow_schema

        schema = arrow_schema(found)
        count = 0
        try:
            with pq.ParquetWriter(
                out, schema.with_metadata({"metaflow.table": found.name}), compression="zstd"
            ) as writer:
                for part in _slices(store, found, span, where):
                    for batch in part.to_batches(max_chunksize=_ROWS_A_BATCH):
                        writer.write_batch(_as(batch, schema))
                    count += part.num_rows
        except OSError as error:
            raise InputError(f"{out}: cannot be written: {error.strerror or error}") from error
    print(f"{count} rows of {found.name} written to {out}.", file=sys.stderr)
    return OK


def _table(store: Store, name: str) -> Table:
    """A table of the store by name.

    :raises QueryError: there is none; where no name is near, the sentence has all that there are.
    """
    from metaflow_core.errors import QueryError

    try:
        return store.catalog.table(name)
    except QueryError as error:
        if "did you mean" in str(error):
            raise
        raise QueryError(f"{error}; the tables are {', '.join(sorted(store.catalog.tables))}") from error


def _asked(start: str | None, end: str | None) -> TimeRange | None:
    from datetime import UTC, datetime

    from metaflow_core.query import TimeRange

    def moment(text: str) -> int:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise click.UsageError(f"{text!r} is no time such as 2026-11-21T06:00:00Z.") from None
        return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1e9)

    if start is None and end is None:
        return None
    return TimeRange(moment(start) if start else 0, moment(end) if end else 1 << 62)


def _slices(store: Store, table: Table, span: TimeRange | None, where: str | None) -> Iterator[pa.Table]:
    """The rows in the order of time, so many at once as fit into memory easily."""
    from metaflow_core.model.expression import Ref
    from metaflow_core.query import Aggregate, Filter, Fold, Scan, TimeRange, parse_where

    def of(span: TimeRange | None) -> Plan:
        scan = Scan(table.name, tuple(column.name for column in table.columns), span)
        return Filter(scan, parse_where(where, table, store.catalog)) if where else scan

    time = Ref(table.time)
    folds = (Fold("n", "count"), Fold("low", "min", time), Fold("high", "max", time))
    whole = store.execute(Aggregate(of(span), (), folds))
    total = int(whole["n"][0].as_py())
    if not total:
        return
    import pyarrow as pa

    unit = _NS[whole["low"].type.unit]
    low, high = (int(whole[name].cast(pa.int64())[0].as_py()) * unit for name in ("low", "high"))
    if span is not None:
        low, high = max(low, span.start_ns), min(high, span.end_ns - 1)
    waiting = [(TimeRange(low, high + unit), total)]
    while waiting:
        part, count = waiting.pop()
        middle = (part.start_ns + part.end_ns) // 2 // unit * unit
        if count > _ROWS_A_SLICE and part.start_ns < middle < part.end_ns:
            halves = (TimeRange(part.start_ns, middle), TimeRange(middle, part.end_ns))
            counts = [int(store.execute(Aggregate(of(each), (), folds[:1]))["n"][0].as_py()) for each in halves]
            # the later half waits below the earlier
            waiting += [each for each in reversed(list(zip(halves, counts, strict=True))) if each[1]]
            continue
        yield store.execute(of(part))


def _as(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch in the catalogue's types: a storage may answer in wider ones."""
    import pyarrow as pa

    arrays = [batch.column(field.name).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option(
    "--into", metavar="DIR", required=True, type=click.Path(path_type=Path), help="The store; made where there is none."
)
@click.option(
    "--table", help="The table that the rows belong to; default the one that mflow export wrote into the file."
)
@click.option("--storage", metavar="TYPE", default="", help="The storage of DIR; default the best that is installed.")
def import_rows(files: tuple[Path, ...], *, into: Path, table: str | None, storage: str) -> int:
    """Store the rows of Parquet files. A file that was imported before is not stored twice.

    \b
    mflow import requests.parquet --into store
    mflow import samples.parquet --into store --table prometheus.samples
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from metaflow_core.api import RecordBatch
    from metaflow_core.errors import InputError
    from metaflow_core.sdk import open_store

    with open_store(into, storage=storage) as store:
        for file in files:
            try:
                source = pq.ParquetFile(file)
                digest = _digest(file)
            except (OSError, pa.ArrowInvalid) as error:
                raise InputError(f"{file}: is no Parquet file that can be read: {error}") from error
            name = table or (source.schema_arrow.metadata or {}).get(b"metaflow.table", b"").decode()
            if not name:
                raise click.UsageError(f"{file} does not say which table its rows belong to; name it with --table.")
            found = _table(store, name)
            rows = 0
            for number, batch in enumerate(source.iter_batches(_ROWS_A_BATCH)):
                store.write(RecordBatch(found.name, batch, f"import-{digest}-{found.name}-{number}"))
                rows += batch.num_rows
            print(f"{rows} rows of {file} are in {found.name}.", file=sys.stderr)
    return OK


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        held: Any = hashlib.file_digest(stream, "sha256")
    return str(held.hexdigest()[:32])

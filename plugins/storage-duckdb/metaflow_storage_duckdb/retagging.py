"""Tags that came after their rows: what the rows are about is read once, and updated by that."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from metaflow_core.model.catalog.arrow import arrow_type
from metaflow_core.query import Retold, Subject
from metaflow_storage_duckdb import literals
from metaflow_storage_duckdb.schema import table_sql
from metaflow_storage_duckdb.types import restore, stored_array

__all__ = ["open_ends", "put_tags"]

_MOST = 200_000


def open_ends(cursor: duckdb.DuckDBPyConnection, subject: Subject, start_s: int, end_s: int) -> pa.RecordBatch:
    """The different ends of the rows that something is not known of; of very many the latest."""
    names = ", ".join(literals.identifier(name) for name in subject.columns)
    time = literals.identifier(subject.table.time)
    missing = " OR ".join(f"{literals.identifier(name)} = 0" for name in subject.missing)
    unit = subject.per_second
    held = cursor.sql(
        f"SELECT DISTINCT {names} FROM {table_sql(subject.table.name)} WHERE {time} >= {start_s * unit} AND {time} < {end_s * unit} "
        f"AND ({missing}) ORDER BY {time} DESC LIMIT {_MOST}"
    ).to_arrow_table()
    columns = {
        name: restore(held.column(name), arrow_type(subject.table.column(name).type)).combine_chunks()
        for name in subject.columns
    }
    return pa.RecordBatch.from_pydict(columns)


def put_tags(writer: duckdb.DuckDBPyConnection, subject: Subject, ends: pa.RecordBatch, found: Retold) -> int:
    """Updates the rows of these ends; tells how many there were."""
    of = ends.take(found.rows)
    columns = {f"of_{name}": stored_array(of.column(name)) for name in subject.columns}
    columns |= {f"to_{name}": found.tags.column(name) for name in subject.tags}
    table = table_sql(subject.table.name)
    changes = ", ".join(
        f"{literals.identifier(name)} = said.{literals.identifier('to_' + name)}" for name in subject.tags
    )
    same = " AND ".join(
        f"{table}.{literals.identifier(name)} = said.{literals.identifier('of_' + name)}" for name in subject.columns
    )
    writer.register("said", pa.table(columns))
    try:
        row = writer.execute(f"UPDATE {table} SET {changes} FROM said WHERE {same}").fetchone()
    finally:
        writer.unregister("said")
    return int(row[0]) if row else 0

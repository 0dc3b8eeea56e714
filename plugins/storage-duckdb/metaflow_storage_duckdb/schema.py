"""Tables of the catalogue in DuckDB: made when a batch first needs them, with columns added as the catalogue grows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

import duckdb

from metaflow_core.errors import StorageError
from metaflow_core.model.catalog import Catalog, Column, Table
from metaflow_core.model.catalog.arrow import arrow_type
from metaflow_core.query import labels_of
from metaflow_storage_duckdb import literals
from metaflow_storage_duckdb.types import sql_type

__all__ = [
    "BATCHES_TABLE",
    "NAMES_TABLE",
    "SERIES_TABLE",
    "VERSION",
    "Stored",
    "default_sql",
    "prepare_file",
    "prepare_table",
    "table_sql",
]

VERSION = 2
"""Version of the layout of the file; a file of a greater one is refused."""

BATCHES_TABLE = '"metaflow.batches"'
NAMES_TABLE = '"metaflow.names"'
SERIES_TABLE = '"metaflow.series"'
_VERSION_TABLE = '"metaflow.version"'

Stored: TypeAlias = Mapping[str, frozenset[str]]
"""The tables of a file by the catalogue's name, and the columns of each."""


def table_sql(name: str) -> str:
    """A table of the catalogue as SQL: one name with its dots, since a schema could be named like the file, which DuckDB refuses."""
    return literals.identifier(name)


def default_sql(column: Column) -> str:
    """What a row without the column holds."""
    if column.absent == "null":
        return "NULL"
    if column.type.startswith("list_"):
        return "[]"
    if column.type == "ip6":
        return literals.blob(bytes(16))
    return {
        "string": "''",
        "json": "''",
        "lowcard": "''",
        "binary": "unhex('')",
        "bool": "false",
        "f64": "0.0",
    }.get(column.type, "0")


def prepare_file(connection: duckdb.DuckDBPyConnection, catalog: Catalog, *, read_only: bool) -> Stored:
    """Checks whose file it is, makes our own tables in a new one, changes those of an earlier version, and tells what tables there are.

    :raises StorageError: the file belongs to something else, or to a newer version.
    """
    tables = stored(connection)
    if "metaflow.version" in tables:
        row = connection.execute(f"SELECT max(version) FROM {_VERSION_TABLE}").fetchone()
        found = row[0] if row else None
        if found is None or found > VERSION:
            raise StorageError(
                f"the file was written by a newer version of this storage (layout {found}, this one knows up to {VERSION}); "
                "update metaflow-storage-duckdb, or give another path"
            )
        if found == VERSION:
            return tables
        if read_only:
            raise StorageError(
                f"the file was written by an earlier version of this storage (layout {found}, this one has {VERSION}); open it once "
                "without read_only, and it is changed in place"
            )
        connection.execute("BEGIN")
        _second(connection, catalog, tables)
        connection.execute(f"UPDATE {_VERSION_TABLE} SET version = {VERSION}")
        connection.execute("COMMIT")
        return stored(connection)
    if tables:
        raise StorageError(
            f"the file holds tables of something else ({', '.join(sorted(tables)[:3])}, ...) and none of ours; give another path"
        )
    if read_only:
        raise StorageError("the file is empty; write to it first, without read_only")
    connection.execute("BEGIN")
    connection.execute(f"CREATE TABLE {BATCHES_TABLE} (batch_id VARCHAR PRIMARY KEY, number BIGINT NOT NULL)")
    _names_tables(connection)
    connection.execute(f"CREATE TABLE {_VERSION_TABLE} (version INTEGER NOT NULL)")
    connection.execute(f"INSERT INTO {_VERSION_TABLE} VALUES ({VERSION})")
    connection.execute("COMMIT")
    return stored(connection)


def _names_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        f"CREATE TABLE {NAMES_TABLE} (dictionary VARCHAR, id UBIGINT, valid_from BIGINT, valid_to BIGINT NOT NULL, "
        "name VARCHAR NOT NULL, PRIMARY KEY (dictionary, id, valid_from))"
    )
    connection.execute(
        f"CREATE TABLE {SERIES_TABLE} (dictionary VARCHAR, id UBIGINT, name VARCHAR NOT NULL, label_names VARCHAR[] NOT NULL, "
        "label_values VARCHAR[] NOT NULL, PRIMARY KEY (dictionary, id))"
    )


def _second(connection: duckdb.DuckDBPyConnection, catalog: Catalog, tables: Stored) -> None:
    """Names get a history, and labels of series go from the rows to the series."""
    from metaflow_storage_duckdb.naming import FOREVER, move_labels

    connection.execute(f"CREATE TEMP TABLE held AS SELECT * FROM {NAMES_TABLE}")
    connection.execute(f"DROP TABLE {NAMES_TABLE}")
    _names_tables(connection)
    word = "CAST(CAST(id AS HUGEINT) + CASE WHEN id < 0 THEN 18446744073709551616 ELSE 0 END AS UBIGINT)"
    connection.execute(f"INSERT INTO {NAMES_TABLE} SELECT dictionary, {word}, 0, {FOREVER}, name FROM held")
    connection.execute("DROP TABLE held")
    for table in catalog.tables.values():
        labels = labels_of(table)
        if labels is not None and labels.names in tables.get(table.name, ()):
            move_labels(connection, table)


def stored(connection: duckdb.DuckDBPyConnection) -> Stored:
    """What tables a file has, with their columns."""
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND database_name = current_database()"
    ).fetchall():
        found.setdefault(table, set()).add(column)
    return MappingProxyType({name: frozenset(columns) for name, columns in found.items()})


def prepare_table(connection: duckdb.DuckDBPyConnection, table: Table, known: Stored) -> bool:
    """Makes the table, or the columns that the catalogue has more; in the transaction of the batch that needs them.

    :returns: whether something was changed.
    """
    present = known.get(table.name)
    labels = labels_of(table)
    elsewhere = () if labels is None else (labels.names, labels.values)
    wanted = [column for column in table.columns if column.name not in elsewhere]
    if present is None:
        columns = ", ".join(f"{literals.identifier(column.name)} {_definition(column)}" for column in wanted)
        connection.execute(f"CREATE TABLE {table_sql(table.name)} ({columns})")
        return True
    new = [column for column in wanted if column.name not in present]
    for column in new:
        name = literals.identifier(column.name)
        connection.execute(f"ALTER TABLE {table_sql(table.name)} ADD COLUMN {name} {_definition(column)}")
    return bool(new)


def _definition(column: Column) -> str:
    type_ = sql_type(arrow_type(column.type))
    return f"{type_} DEFAULT CAST({default_sql(column)} AS {type_})"

"""What the file keeps besides rows: names with their history, and labels of series."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from metaflow_core.model.catalog import Table
from metaflow_core.query import Histories, Labelled, Labels, Told, labels_of
from metaflow_storage_duckdb import literals
from metaflow_storage_duckdb.schema import NAMES_TABLE, SERIES_TABLE, table_sql

__all__ = ["FOREVER", "Known", "keep_names", "load_names", "move_labels"]

FOREVER = (1 << 63) - 1
"""The second until which the last name of a number is valid."""
_REMEMBERED = 1_000_000


def load_names(connection: duckdb.DuckDBPyConnection) -> Histories:
    """The names in the file."""
    histories = Histories()
    rows = connection.execute(
        f"SELECT dictionary, id, valid_from, name FROM {NAMES_TABLE} ORDER BY dictionary, id, valid_from"
    ).fetchall()
    by_dictionary: dict[str, list[Told]] = {}
    for dictionary, number, start, name in rows:
        by_dictionary.setdefault(dictionary, []).append((number, start, name))
    for dictionary, told in by_dictionary.items():
        histories.load(dictionary, told)
    return histories


def keep_names(writer: duckdb.DuckDBPyConnection, dictionary: str, told: Sequence[Told], histories: Histories) -> None:
    """Writes what is new, each name with the second until which it is valid; in the transaction of the caller."""
    rows: list[tuple[int, int, int, str]] = []
    for number, start, name in told:
        history = sorted([*(each for each in histories.of(dictionary, number) if each[0] != start), (start, name)])
        ends = [*(each[0] for each in history[1:]), FOREVER]
        rows += [(number, since, end, text) for (since, text), end in zip(history, ends, strict=True)]
    columns = list(zip(*rows, strict=True))
    types = (pa.uint64(), pa.int64(), pa.int64(), pa.utf8())
    table = pa.table([pa.array(each, type_) for each, type_ in zip(columns, types, strict=True)], ["id", "a", "b", "n"])
    # Starts are the key, and none of a history goes: what is there gets its new end.
    _put(writer, "INSERT OR REPLACE", NAMES_TABLE, dictionary, table)


def _put(writer: duckdb.DuckDBPyConnection, verb: str, into: str, dictionary: str, table: pa.Table) -> None:
    """Rows of a dictionary; their columns in the order of the table's, behind the dictionary's name."""
    writer.register("incoming", table)
    try:
        writer.execute(f"{verb} INTO {into} SELECT {literals.text(dictionary)}, * FROM incoming")
    finally:
        writer.unregister("incoming")


class Known:
    """Which series have their labels in the file."""

    def __init__(self) -> None:
        self._numbers: dict[str, set[int]] = {}

    def forget(self) -> None:
        """What was written in a transaction that failed is not there."""
        self._numbers.clear()

    def keep(self, writer: duckdb.DuckDBPyConnection, labels: Labels, split: Labelled) -> None:
        """Writes the labels of series that were not seen before; in the transaction of the caller."""
        seen = self._numbers.setdefault(labels.dictionary, set())
        fresh = [each for each in split.numbers.tolist() if each not in seen]
        if fresh:
            _insert(writer, labels.dictionary, split.texts(fresh))
            if len(seen) > _REMEMBERED:
                seen.clear()
            seen.update(fresh)


def _insert(writer: duckdb.DuckDBPyConnection, dictionary: str, texts: Mapping[int, str]) -> None:
    held = [json.loads(each) for each in texts.values()]
    lists = pa.list_(pa.utf8())
    table = pa.table(
        {
            "id": pa.array(list(texts), pa.uint64()),
            "name": pa.array(list(texts.values()), pa.utf8()),
            "keys": pa.array([list(each) for each in held], lists),
            "held": pa.array([list(each.values()) for each in held], lists),
        }
    )
    _put(writer, "INSERT OR IGNORE", SERIES_TABLE, dictionary, table)


def move_labels(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Labels that an earlier version kept on every row go to their series; in the transaction of the caller."""
    labels = labels_of(table)
    assert labels is not None
    number, names, values = (literals.identifier(each) for each in (labels.number, labels.names, labels.values))
    where = table_sql(table.name)
    found: pa.Table = connection.sql(
        f"SELECT {number}, any_value({names}) AS a, any_value({values}) AS b FROM {where} GROUP BY {number}"
    ).to_arrow_table()
    batch = pa.RecordBatch.from_arrays(
        [pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0) for column in found.columns],
        names=[labels.number, labels.names, labels.values],
    )
    if batch.num_rows:
        Known().keep(connection, labels, labels.split(batch))
    for column in (names, values):
        connection.execute(f"ALTER TABLE {where} DROP COLUMN IF EXISTS {column}")

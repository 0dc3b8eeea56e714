"""Labels of series: once a series in a dictionary of ClickHouse, not on every row.

Each dictionary of labels stands over a table ``flow_tag.<dictionary>_rows``. A series is written there before its first row is; again each day
that it has rows, so that labels may expire when the rows have. The dictionary is read anew when something is asked, not when something is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pyarrow as pa

from metaflow_core.model.catalog import Catalog, Table
from metaflow_core.query import Labels, labels_of
from metaflow_storage_clickhouse.engines.base import Engine, Insert
from metaflow_storage_clickhouse.native import encode_block
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.sql.quote import identifier, table_name, text

__all__ = ["DATABASE", "SeriesBook", "list_columns", "make_series", "move_labels"]

DATABASE = "flow_tag"
_DAY = 86_400
_REMEMBERED = 2_000_000


class SeriesBook:
    """Which series were told, and whether the dictionaries know them. Safe from any thread."""

    def __init__(self, engine: Engine, catalog: Catalog, layout: Layout) -> None:
        self._engine = engine
        self._layout = layout
        found = {table.name: labels_of(table) for table in catalog.tables.values()}
        self._labels = {name: labels for name, labels in found.items() if labels is not None}
        self._dictionaries = frozenset(labels.dictionary for labels in self._labels.values())
        self._lock = threading.Lock()
        self._told: dict[str, dict[int, int]] = {}
        self._stale: set[str] = set()

    def take(self, table: Table, data: pa.RecordBatch) -> pa.RecordBatch:
        """The rows without their labels; those of series that are new are stored.

        :raises ClickHouseError: they could not be; nothing is remembered then.
        """
        labels = self._labels.get(table.name)
        if labels is None:
            return data
        split, today = labels.split(data), int(time.time()) // _DAY
        with self._lock:
            told = self._told.setdefault(labels.dictionary, {})
            fresh = [each for each in split.numbers.tolist() if told.get(each) != today]
            if fresh:
                texts = split.texts(fresh)
                block = encode_block(
                    [
                        ("id", "UInt64", pa.array(list(texts), pa.uint64())),
                        ("name", "String", pa.array(list(texts.values()), pa.utf8())),
                    ],
                    len(texts),
                )
                self._engine.insert(Insert(_rows(labels.dictionary), ["id", "name"], [[block]]))
                if any(each not in told for each in fresh):
                    self._stale.add(labels.dictionary)
                if len(told) > _REMEMBERED:
                    told.clear()
                told.update(dict.fromkeys(fresh, today))
        return split.data

    def __contains__(self, dictionary: str) -> bool:
        return dictionary in self._dictionaries

    def refresh(self) -> None:
        """Have the dictionaries read what was told since the last question.

        :raises ClickHouseError: they could not.
        """
        if not self._stale:
            return
        with self._lock:
            for dictionary in sorted(self._stale):
                self._engine.command(f"SYSTEM RELOAD DICTIONARY {_name(dictionary)}{self._layout.on_cluster()}")
            self._stale.clear()


def _name(dictionary: str) -> str:
    return f"{DATABASE}.{identifier(dictionary)}"


def _rows(dictionary: str) -> str:
    return f"{DATABASE}.{identifier(dictionary + '_rows')}"


def make_series(engine: Engine, catalog: Catalog, layout: Layout) -> None:
    """Make the tables and dictionaries where they are absent, and set how long labels are kept.

    :raises ClickHouseError: a statement failed.
    """
    on = layout.on_cluster()
    kind = (
        "ReplicatedReplacingMergeTree('/clickhouse/tables/all/{database}/{table}', '{replica}', told)"
        if on
        else "ReplacingMergeTree(told)"
    )
    for table in catalog.tables.values():
        labels = labels_of(table)
        if labels is None:
            continue
        rows, hours = _rows(labels.dictionary), layout.hours_of(table)
        # Two days more than the rows: a series is told once a day.
        ttl = f" TTL told + INTERVAL {hours + 48} HOUR" if hours else ""
        engine.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}{on}")
        engine.command(
            f"CREATE TABLE IF NOT EXISTS {rows}{on} (id UInt64, name String CODEC(ZSTD(1)), told DateTime('UTC') DEFAULT now()) "
            f"ENGINE = {kind} ORDER BY id{ttl}"
        )
        if ttl:
            engine.command(f"ALTER TABLE {rows}{on} MODIFY{ttl} SETTINGS materialize_ttl_after_modify = 0")
        elif _expires(engine, labels):
            engine.command(f"ALTER TABLE {rows}{on} REMOVE TTL")
        engine.command(
            f"CREATE DICTIONARY IF NOT EXISTS {_name(labels.dictionary)}{on} (id UInt64, name String) PRIMARY KEY id "
            f"SOURCE(CLICKHOUSE(QUERY {text(f'SELECT id, name FROM {rows}')})) LAYOUT(HASHED()) LIFETIME(0)"
        )


def list_columns(table: Table, layout: Layout) -> list[str]:
    """Statements that show the lists of names and values as columns, computed from the dictionary."""
    labels = labels_of(table)
    if labels is None:
        return []
    number = identifier(labels.number)
    held = f"dictGetOrDefault({text(f'{DATABASE}.{labels.dictionary}')}, 'name', {number}, '')"
    shown = {
        labels.names: f"JSONExtractKeys({held})",
        labels.values: f"arrayMap(x -> x.2, JSONExtractKeysAndValues({held}, 'String'))",
    }
    places = dict.fromkeys((layout.physical(table.name), table_name(table.name)))
    return [
        f"ALTER TABLE {place}{layout.on_cluster()} ADD COLUMN IF NOT EXISTS {identifier(name)} Array(String) ALIAS {value}"
        for place in places
        for name, value in shown.items()
    ]


def move_labels(engine: Engine, catalog: Catalog, layout: Layout) -> Sequence[str]:
    """Statements by which labels that an earlier version kept on every row go to their series. They bear being run twice."""
    statements: list[str] = []
    for table in catalog.tables.values():
        labels = labels_of(table)
        if labels is None or not _on_rows(engine, table, labels):
            continue
        number, names, values = (identifier(each) for each in (labels.number, labels.names, labels.values))
        pair = "concat(toJSONString(k), ':', toJSONString(v))"
        held = f"concat('{{', arrayStringConcat(arrayMap((k, v) -> {pair}, any({names}), any({values})), ','), '}}')"
        statements.append(
            f"INSERT INTO {_rows(labels.dictionary)} (id, name) SELECT {number}, {held} FROM {table_name(table.name)} "
            f"WHERE length({names}) = length({values}) GROUP BY {number}"
        )
        for place in dict.fromkeys((layout.physical(table.name), table_name(table.name))):
            alter = f"ALTER TABLE {place}{layout.on_cluster()}"
            statements.append(f"{alter} DROP COLUMN IF EXISTS {names}, DROP COLUMN IF EXISTS {values}")
        statements.append(f"SYSTEM RELOAD DICTIONARY {_name(labels.dictionary)}{layout.on_cluster()}")
    return statements


def _on_rows(engine: Engine, table: Table, labels: Labels) -> bool:
    found = engine.query(
        f"SELECT count() AS n FROM system.columns WHERE database = {text(table.database)} AND `table` = {text(table.short)} "
        f"AND name IN ({text(labels.names)}, {text(labels.values)}) AND default_kind = ''"
    ).to_pylist()
    return bool(found) and int(found[0]["n"]) == 2


def _expires(engine: Engine, labels: Labels) -> bool:
    found = engine.query(
        f"SELECT engine_full AS e FROM system.tables WHERE database = {text(DATABASE)} AND name = {text(labels.dictionary + '_rows')}"
    ).to_pylist()
    return any(" TTL " in str(row["e"]) for row in found)

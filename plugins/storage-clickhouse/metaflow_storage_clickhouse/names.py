"""Dictionaries with history: which name an id had at which time. Rows keep narrow ids; names are looked up when rows are read.

``flow_tag.names`` holds one row a name and moment from which it is valid; ``flow_tag.<dictionary>`` is a ClickHouse dictionary
over it (layout RANGE_HASHED), which ``dictGet`` asks with an id and a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

from metaflow_core.model.catalog import Catalog
from metaflow_core.query import Histories, TimeRange, Told
from metaflow_storage_clickhouse.engines.base import Engine
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.series import DATABASE, SeriesBook
from metaflow_storage_clickhouse.sql.quote import identifier, literal, table_name, text

__all__ = ["Dictionaries"]

_TABLE = f"{DATABASE}.names"
_FOREVER = (1 << 63) - 1
_ROWS_A_STATEMENT = 10_000
_DAY_S = 86_400


class Dictionaries:
    """Names by dictionary and id; the labels of series are in dictionaries of their own. Safe from any thread.

    :param catalog: its tables' oldest row says which names nothing shows any more; these are forgotten once a day.
    """

    def __init__(self, engine: Engine, layout: Layout, series: SeriesBook, catalog: Catalog) -> None:
        self._engine = engine
        self._layout = layout
        self._series = series
        self._histories = Histories()
        self._catalog = catalog
        self._forgotten = 0.0
        self._forgetting = threading.Lock()

    def open(self) -> None:
        """Make the table where it is absent, and read what is known.

        :raises ClickHouseError: it cannot be made or read.
        """
        on = self._layout.on_cluster()
        kind = (
            "ReplicatedReplacingMergeTree('/clickhouse/tables/all/{database}/{table}', '{replica}')"
            if on
            else "ReplacingMergeTree"
        )
        self._engine.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}{on}")
        self._engine.command(
            f"CREATE TABLE IF NOT EXISTS {_TABLE}{on} (dictionary LowCardinality(String), id UInt64, valid_from Int64, "
            f"name String, told DateTime('UTC') DEFAULT now()) ENGINE = {kind} ORDER BY (dictionary, id, valid_from)"
        )
        rows = self._engine.query(
            f"SELECT dictionary, id, valid_from, name FROM {_TABLE} FINAL ORDER BY dictionary, id, valid_from"
        ).to_pylist()
        told: dict[str, list[Told]] = {}
        for row in rows:
            told.setdefault(str(row["dictionary"]), []).append(
                (int(row["id"]), int(row["valid_from"]), str(row["name"]))
            )
        for dictionary, names in told.items():
            self._histories.load(dictionary, names)
            self._make(dictionary)
        self._forget_daily()

    def learn(self, dictionary: str, names: Mapping[int, str], valid_from_s: int | None) -> int:
        """Adds names; see :meth:`metaflow_core.query.Histories.learn`.

        :returns: how many were new. :raises ClickHouseError: they could not be stored; nothing is remembered then.
        """
        count = self._histories.learn(dictionary, names, valid_from_s, lambda told: self._keep(dictionary, told))
        if count:
            self._forget_daily()
        return count

    def _forget_daily(self) -> None:
        now = time.time()
        if now - self._forgotten < _DAY_S or not self._forgetting.acquire(blocking=False):
            return
        try:
            self._forgotten = now
            if self._histories.changes(self._histories.dictionaries(), None):
                self.forget()
        finally:
            self._forgetting.release()

    def forget(self, settled_s: int = 2 * _DAY_S) -> int:
        """Drops names that no row shows; see :meth:`metaflow_core.query.Histories.forget`.

        :param settled_s: seconds for which a number keeps all of its names after one of them was told.
        :returns: how many went. :raises ClickHouseError: they could not be dropped; nothing is forgotten of the dictionary then.
        """
        oldest = self._oldest()
        if oldest is None:
            return 0
        young: dict[str, set[int]] = {}
        told = f"SELECT DISTINCT dictionary, id FROM {_TABLE} WHERE told > now() - ({settled_s:d})"
        for row in self._engine.query(told).to_pylist():
            young.setdefault(str(row["dictionary"]), set()).add(int(row["id"]))
        return self._histories.forget(oldest, self._drop, young)

    def _oldest(self) -> int | None:
        """The second of the oldest row in any table; None where there is none. Parts know theirs, so no row is read."""
        each = (
            f"SELECT toInt64(toUnixTimestamp(m)) AS s FROM (SELECT min({identifier(table.time)}) AS m, count() AS n "
            f"FROM {table_name(table.name)}) WHERE n > 0"
            for table in self._catalog.tables.values()
        )
        found = self._engine.query(f"SELECT min(s) AS s, count() AS n FROM ({' UNION ALL '.join(each)})").to_pylist()
        return int(found[0]["s"]) if found and found[0]["n"] else None

    def _drop(self, dictionary: str, told: Sequence[Told], gone: Sequence[tuple[int, int]]) -> None:
        # The names that stay come first: a process that ends in between leaves one name too many, for a time without rows.
        self._store(dictionary, told)
        for start in range(0, len(gone), _ROWS_A_STATEMENT):
            pairs = ", ".join(f"({word}, {second})" for word, second in gone[start : start + _ROWS_A_STATEMENT])
            self._engine.command(
                f"ALTER TABLE {_TABLE}{self._layout.on_cluster()} DELETE WHERE dictionary = {text(dictionary)} "
                f"AND (id, valid_from) IN ({pairs}) SETTINGS mutations_sync = 2"
            )
        self._make(dictionary)

    def _keep(self, dictionary: str, told: Sequence[Told]) -> None:
        self._store(dictionary, told)
        self._make(dictionary)

    def known(self, dictionary: str) -> str:
        """The dictionary's full name; empty where nothing was learnt."""
        if dictionary in self._series:
            self._series.refresh()
            return f"{DATABASE}.{dictionary}"
        return f"{DATABASE}.{dictionary}" if dictionary in self._histories else ""

    def timeless(self, dictionary: str) -> bool:
        """Whether what it holds is the same at all times, so that it is not asked with one."""
        return dictionary in self._series

    def changes(self, dictionaries: Sequence[str], span: TimeRange | None) -> tuple[int, ...]:
        """Seconds within the span at which a name changed."""
        return self._histories.changes(dictionaries, span)

    def _store(self, dictionary: str, rows: Sequence[Told]) -> None:
        for start in range(0, len(rows), _ROWS_A_STATEMENT):
            self._engine.command(
                f"INSERT INTO {_TABLE} (dictionary, id, valid_from, name) VALUES "
                + ", ".join(_row(dictionary, *each) for each in rows[start : start + _ROWS_A_STATEMENT])
            )

    def _make(self, dictionary: str) -> None:
        """Make the ClickHouse dictionary where it is absent, and have it read its rows again."""
        name, on = f"{DATABASE}.{identifier(dictionary)}", self._layout.on_cluster()
        until = f"leadInFrame(valid_from, 1, {literal(_FOREVER)}) OVER (PARTITION BY id ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
        source = f"SELECT id, valid_from, {until} - 1 AS valid_to, name FROM {_TABLE} FINAL WHERE dictionary = {text(dictionary)}"
        self._engine.command(
            f"CREATE DICTIONARY IF NOT EXISTS {name}{on} (id UInt64, valid_from Int64, valid_to Int64, name String) PRIMARY KEY id "
            f"SOURCE(CLICKHOUSE(QUERY {text(source)})) LAYOUT(RANGE_HASHED()) RANGE(MIN valid_from MAX valid_to) LIFETIME(0)"
        )
        self._engine.command(f"SYSTEM RELOAD DICTIONARY {name}{on}")

    def sizes(self) -> dict[str, int]:
        """Number of ids by dictionary."""
        return self._histories.sizes()


def _row(dictionary: str, word: int, start: int, name: str) -> str:
    return f"({text(dictionary)}, {word}, {start}, {text(name)})"

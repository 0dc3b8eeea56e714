"""Dictionaries with history: which name an id had at which time. Rows keep narrow ids; names are looked up when rows are read.

``flow_tag.names`` holds one row a name and moment from which it is valid; ``flow_tag.<dictionary>`` is a ClickHouse dictionary
over it (layout RANGE_HASHED), which ``dictGet`` asks with an id and a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from metaflow_core.query import Histories, TimeRange, Told
from metaflow_storage_clickhouse.engines.base import Engine
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.series import DATABASE, SeriesBook
from metaflow_storage_clickhouse.sql.quote import identifier, literal, text

__all__ = ["Dictionaries"]

_TABLE = f"{DATABASE}.names"
_FOREVER = (1 << 63) - 1
_ROWS_A_STATEMENT = 10_000


class Dictionaries:
    """Names by dictionary and id; the labels of series are in dictionaries of their own. Safe from any thread."""

    def __init__(self, engine: Engine, layout: Layout, series: SeriesBook) -> None:
        self._engine = engine
        self._layout = layout
        self._series = series
        self._histories = Histories()

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

    def learn(self, dictionary: str, names: Mapping[int, str], valid_from_s: int | None) -> int:
        """Adds names; see :meth:`metaflow_core.query.Histories.learn`.

        :returns: how many were new. :raises ClickHouseError: they could not be stored; nothing is remembered then.
        """
        return self._histories.learn(dictionary, names, valid_from_s, lambda told: self._keep(dictionary, told))

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

"""Dictionaries with history: which name an id had at which time. Rows keep narrow ids; names are looked up when rows are read.

``flow_tag.names`` holds one row a name and moment from which it is valid; ``flow_tag.<dictionary>`` is a ClickHouse dictionary
over it (layout RANGE_HASHED), which ``dictGet`` asks with an id and a time.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

from metaflow_core.query import TimeRange
from metaflow_storage_clickhouse.engines.base import Engine
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.sql.quote import identifier, literal, text

__all__ = ["Dictionaries"]

_DATABASE = "flow_tag"
_TABLE = f"{_DATABASE}.names"
_FOREVER = (1 << 63) - 1
_WORD = (1 << 64) - 1
_ROWS_A_STATEMENT = 10_000


class Dictionaries:
    """Names by dictionary and id. Safe from any thread."""

    def __init__(self, engine: Engine, layout: Layout) -> None:
        self._engine = engine
        self._layout = layout
        self._lock = threading.Lock()
        self._held: dict[str, dict[int, list[tuple[int, str]]]] = {}
        self._changes: dict[str, list[int]] = {}

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
        self._engine.command(f"CREATE DATABASE IF NOT EXISTS {_DATABASE}{on}")
        self._engine.command(
            f"CREATE TABLE IF NOT EXISTS {_TABLE}{on} (dictionary LowCardinality(String), id UInt64, valid_from Int64, "
            f"name String, told DateTime('UTC') DEFAULT now()) ENGINE = {kind} ORDER BY (dictionary, id, valid_from)"
        )
        rows = self._engine.query(
            f"SELECT dictionary, id, valid_from, name FROM {_TABLE} FINAL ORDER BY dictionary, id, valid_from"
        ).to_pylist()
        for row in rows:
            history = self._held.setdefault(str(row["dictionary"]), {}).setdefault(int(row["id"]), [])
            history.append((int(row["valid_from"]), str(row["name"])))
        for dictionary in self._held:
            self._changes[dictionary] = self._moments(dictionary)
            self._make(dictionary)

    def learn(self, dictionary: str, names: Mapping[int, str], valid_from_s: int | None) -> int:
        """Adds names.

        :param valid_from_s: seconds since 1970 from which they are valid. A first name is valid for all earlier rows too; None
            is for names that always were, and replaces what an id was called from its beginning.
        :returns: how many were new. :raises ClickHouseError: they could not be stored; nothing is remembered then.
        """
        with self._lock:
            held = self._held.get(dictionary, {})
            new: list[tuple[int, int, str]] = []
            for key, name in names.items():
                word, history = key & _WORD, held.get(key & _WORD, [])
                start = 0 if not history or valid_from_s is None else max(0, valid_from_s)
                at = bisect_right(history, start, key=lambda each: each[0])
                if not at or history[at - 1][1] != name:
                    new.append((word, start, name))
            if not new:
                return 0
            self._store(dictionary, new)
            known = self._held.setdefault(dictionary, {})
            for word, start, name in new:
                history = [each for each in known.get(word, []) if each[0] != start]
                known[word] = sorted([*history, (start, name)])
            self._changes[dictionary] = self._moments(dictionary)
            self._make(dictionary)
            return len(new)

    def known(self, dictionary: str) -> str:
        """The dictionary's full name; empty where nothing was learnt."""
        return f"{_DATABASE}.{dictionary}" if dictionary in self._held else ""

    def changes(self, dictionaries: Sequence[str], span: TimeRange | None) -> tuple[int, ...]:
        """Seconds within the span at which a name changed."""
        found: set[int] = set()
        for dictionary in dictionaries:
            moments = self._changes.get(dictionary, [])
            if span is not None:
                low, high = span.start_ns // 1_000_000_000, -(-span.end_ns // 1_000_000_000)
                moments = moments[bisect_right(moments, low) : bisect_left(moments, high)]
            found.update(moments)
        return tuple(sorted(found))

    def _moments(self, dictionary: str) -> list[int]:
        histories = self._held[dictionary].values()
        return sorted({start for history in histories for start, _ in history[1:]})

    def _store(self, dictionary: str, rows: Sequence[tuple[int, int, str]]) -> None:
        for start in range(0, len(rows), _ROWS_A_STATEMENT):
            self._engine.command(
                f"INSERT INTO {_TABLE} (dictionary, id, valid_from, name) VALUES "
                + ", ".join(_row(dictionary, *each) for each in rows[start : start + _ROWS_A_STATEMENT])
            )

    def _make(self, dictionary: str) -> None:
        """Make the ClickHouse dictionary where it is absent, and have it read its rows again."""
        name, on = f"{_DATABASE}.{identifier(dictionary)}", self._layout.on_cluster()
        until = f"leadInFrame(valid_from, 1, {literal(_FOREVER)}) OVER (PARTITION BY id ORDER BY valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
        source = f"SELECT id, valid_from, {until} - 1 AS valid_to, name FROM {_TABLE} FINAL WHERE dictionary = {text(dictionary)}"
        self._engine.command(
            f"CREATE DICTIONARY IF NOT EXISTS {name}{on} (id UInt64, valid_from Int64, valid_to Int64, name String) PRIMARY KEY id "
            f"SOURCE(CLICKHOUSE(QUERY {text(source)})) LAYOUT(RANGE_HASHED()) RANGE(MIN valid_from MAX valid_to) LIFETIME(0)"
        )
        self._engine.command(f"SYSTEM RELOAD DICTIONARY {name}{on}")

    def sizes(self) -> dict[str, int]:
        """Number of ids by dictionary."""
        with self._lock:
            return {name: len(ids) for name, ids in sorted(self._held.items())}


def _row(dictionary: str, word: int, start: int, name: str) -> str:
    return f"({text(dictionary)}, {word}, {start}, {text(name)})"

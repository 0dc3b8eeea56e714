"""Tags that came after their rows.

The different ends of rows that something is not known of are read, each with a number made of its columns. What a tagger says of them goes
where it can be asked for with this number (:mod:`metaflow_storage_clickhouse.said`), and a mutation of the few columns takes it from there. A part is
changed as a whole or not at all, and what is rolled up from the rows is made again.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from metaflow_core.model.catalog.arrow import arrow_type
from metaflow_core.query import Retold, Subject
from metaflow_storage_clickhouse.engines.base import Engine
from metaflow_storage_clickhouse.said import said
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.schema.types import column_type
from metaflow_storage_clickhouse.sql.plans import stored
from metaflow_storage_clickhouse.sql.quote import identifier, literal, table_name
from metaflow_storage_clickhouse.sql.typed import raw

__all__ = ["OpenEnds", "Retagger"]

_MOST = 200_000
_ROWS_A_STATEMENT = 10_000


class OpenEnds:
    """Ends of rows that something is not known of.

    :ivar rows: what they are about, each different one once. :ivar numbers: 32 hexadecimal digits for each. :ivar counts: rows of each.
    """

    def __init__(self, found: pa.Table, subject: Subject) -> None:
        self.numbers: list[str] = []
        self.counts: list[int] = []
        self.rows = pa.RecordBatch.from_pydict({})
        if found.num_rows:
            self.numbers, self.counts = (found.column(name).to_pylist() for name in ("number", "count"))
            self.rows = pa.RecordBatch.from_pydict(
                {
                    name: found.column(name).combine_chunks().cast(arrow_type(subject.table.column(name).type))
                    for name in subject.columns
                }
            )


class Retagger:
    """Reads and changes; used while nothing else writes to the table."""

    def __init__(self, engine: Engine, layout: Layout) -> None:
        self._engine = engine
        self._layout = layout
        self._said = said(engine, layout)

    def open(self) -> None:
        """Puts away what a process that was killed left: a change that was not ended would wait for a table that is gone.

        :raises ClickHouseError: it cannot be done.
        """
        self._said.clear()

    def ends(self, subject: Subject, start_s: int, end_s: int) -> OpenEnds:
        """The ends of rows between two moments; of very many the latest."""
        listed = ", ".join(f"{_plain(subject, name)} AS {identifier(name)}" for name in subject.columns)
        time = identifier(subject.table.time)
        found = self._engine.query(
            f"SELECT hex({_number(subject, 'src.')}) AS number, toInt64(count()) AS count, {listed} FROM "
            f"{table_name(subject.table.name)} AS src WHERE {_open(subject, start_s, end_s)} "
            f"GROUP BY {', '.join(f'src.{identifier(name)}' for name in subject.columns)} "
            f"ORDER BY src.{time} DESC LIMIT {_MOST}"
        )
        return OpenEnds(found, subject)

    def put(self, subject: Subject, start_s: int, end_s: int, ends: OpenEnds, found: Retold) -> int:
        """Changes the rows of these ends; tells how many there were.

        :raises ClickHouseError: nothing is promised.
        """
        places = found.rows.to_pylist()
        table = subject.table
        types = ", ".join(f"{identifier(name)} {column_type(table.column(name))}" for name in subject.tags)
        try:
            self._say(self._said.make(types), [ends.numbers[place] for place in places], found.tags)
            self._said.ready()
            number = _number(subject)
            changes = ", ".join(f"{identifier(name)} = {self._said.value(name, number)}" for name in subject.tags)
            self._engine.command(
                f"ALTER TABLE {self._layout.physical(table.name)}{self._layout.on_cluster()} UPDATE {changes} "
                f"WHERE {_open(subject, start_s, end_s, '')} AND {self._said.known(number)} SETTINGS {self._said.settings}"
            )
        finally:
            self._said.drop()
        return sum(ends.counts[place] for place in places)

    def _say(self, table: str, numbers: Sequence[str], tags: pa.RecordBatch) -> None:
        rows = list(zip(numbers, *(column.to_pylist() for column in tags.columns), strict=True))
        for start in range(0, len(rows), _ROWS_A_STATEMENT):
            values = ", ".join(
                f"(unhex('{number}'), 1, {', '.join(map(literal, own))})"
                for number, *own in rows[start : start + _ROWS_A_STATEMENT]
            )
            self._engine.command(f"INSERT INTO {table} VALUES {values}")


def _plain(subject: Subject, name: str) -> str:
    """A column as Arrow can take it for the catalogue's type."""
    column = stored(subject.table.column(name))
    sql = f"src.{column.sql}"
    match column.type:
        case "ip4":
            return f"toUInt32({sql})"
        case "ip6":
            return f"reinterpretAsFixedString({sql})"
        case "time_s" | "time_us" | "time_ns":
            return raw(column).sql.replace(column.sql, sql)
    return sql


def _number(subject: Subject, of: str = "") -> str:
    """16 bytes that stand for all columns of an end."""
    return f"sipHash128({', '.join(of + identifier(name) for name in subject.columns)})"


def _open(subject: Subject, start_s: int, end_s: int, of: str = "src.") -> str:
    time = stored(subject.table.column(subject.table.time))
    unit = subject.per_second
    if time.type == "time_s":
        low, high = (f"toDateTime({min(max(each, 0), 0xFFFFFFFF)}, 'UTC')" for each in (start_s, end_s))
    else:
        call = {"time_us": "fromUnixTimestamp64Micro", "time_ns": "fromUnixTimestamp64Nano"}[time.type]
        low, high = (f"{call}(toInt64({each * unit}), 'UTC')" for each in (start_s, end_s))
    missing = " OR ".join(f"{of}{identifier(name)} = 0" for name in subject.missing)
    return f"{of}{time.sql} >= {low} AND {of}{time.sql} < {high} AND ({missing})"

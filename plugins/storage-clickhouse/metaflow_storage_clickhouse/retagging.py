"""Tags that came after their rows.

The different ends of rows that something is not known of are read, each with a number made of its columns. What a tagger says of them goes
into a table that can be asked with this number (engine ``Join``), and a mutation of the few columns takes it from there. A part is changed as a
whole or not at all, and what is rolled up from the rows is made again.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from metaflow_core.model.catalog.arrow import arrow_type
from metaflow_core.query import Retold, Subject
from metaflow_storage_clickhouse.engines.base import Engine
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.schema.types import column_type
from metaflow_storage_clickhouse.sql.plans import stored
from metaflow_storage_clickhouse.sql.quote import identifier, literal, table_name, text
from metaflow_storage_clickhouse.sql.typed import raw

__all__ = ["OpenEnds", "Retagger"]

_SAID = "metaflow_system.late_tags"
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

    def open(self) -> None:
        """Puts away what a process that was killed left: a change that was not ended would wait for a table that is gone.

        :raises ClickHouseError: it cannot be done.
        """
        self._engine.command(f"KILL MUTATION WHERE NOT is_done AND command LIKE {text('%' + _SAID + '%')} SYNC")
        self._engine.command(f"DROP TABLE IF EXISTS {table_name(_SAID)} SYNC")

    def ends(self, subject: Subject, start_s: int, end_s: int) -> OpenEnds:
        """The ends of rows between two moments; of very many the latest."""
        listed = ", ".join(f"{_plain(subject, name)} AS {identifier(name)}" for name in subject.columns)
        time = identifier(subject.table.time)
        found = self._engine.query(
            f"SELECT hex({_number(subject, 'src.')}) AS number, toInt64(count()) AS count, {listed} FROM "
            f"{self._layout.physical(subject.table.name)} AS src WHERE {_open(subject, start_s, end_s)} "
            f"GROUP BY {', '.join(f'src.{identifier(name)}' for name in subject.columns)} "
            f"ORDER BY src.{time} DESC LIMIT {_MOST}"
        )
        return OpenEnds(found, subject)

    def put(self, subject: Subject, start_s: int, end_s: int, ends: OpenEnds, found: Retold) -> int:
        """Changes the rows of these ends; tells how many there were.

        :raises ClickHouseError: nothing is promised.
        """
        places = found.rows.to_pylist()
        said, table = table_name(_SAID), subject.table
        types = ", ".join(f"{identifier(name)} {column_type(table.column(name))}" for name in subject.tags)
        self._engine.command(f"DROP TABLE IF EXISTS {said} SYNC")
        self._engine.command(
            f"CREATE TABLE {said} (`#number` FixedString(16), `#said` UInt8, {types}) ENGINE = Join(ANY, LEFT, `#number`)"
        )
        try:
            self._say(said, [ends.numbers[place] for place in places], found.tags)
            number = _number(subject)
            changes = ", ".join(
                f"{identifier(name)} = joinGet({text(_SAID)}, {text(name)}, {number})" for name in subject.tags
            )
            self._engine.command(
                f"ALTER TABLE {self._layout.physical(table.name)} UPDATE {changes} WHERE {_open(subject, start_s, end_s, '')} "
                f"AND joinGet({text(_SAID)}, '#said', {number}) = 1 SETTINGS mutations_sync = 2"
            )
        finally:
            self._engine.command(f"DROP TABLE IF EXISTS {said} SYNC")
        return sum(ends.counts[place] for place in places)

    def _say(self, said: str, numbers: Sequence[str], tags: pa.RecordBatch) -> None:
        rows = list(zip(numbers, *(column.to_pylist() for column in tags.columns), strict=True))
        for start in range(0, len(rows), _ROWS_A_STATEMENT):
            values = ", ".join(
                f"(unhex('{number}'), 1, {', '.join(map(literal, own))})"
                for number, *own in rows[start : start + _ROWS_A_STATEMENT]
            )
            self._engine.command(f"INSERT INTO {said} VALUES {values}")


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

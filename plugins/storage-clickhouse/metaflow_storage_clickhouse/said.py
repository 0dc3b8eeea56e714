"""What taggers said late, by the number of an end of rows, where a mutation can ask for it while it runs.

On one node it is a table of the engine ``Join``. On a cluster a mutation is run by each replica for itself, and what one node has another has
not: there the rows are in a replicated table of which every node makes a dictionary.
"""

from __future__ import annotations

import uuid
from typing import Protocol

from metaflow_storage_clickhouse.engines.base import Engine
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.sql.quote import table_name, text

__all__ = ["Said", "said"]

_TABLE = "metaflow_system.late_tags"
_DICTIONARY = "metaflow_system.late_tags_said"


class Said(Protocol):
    """One round's answers.

    :ivar settings: of the mutation that asks for them.
    """

    settings: str

    def clear(self) -> None:
        """Puts away what is there, and mutations that wait for it.

        :raises ClickHouseError: it cannot be done.
        """

    def drop(self) -> None:
        """Puts away what is there."""

    def make(self, columns: str) -> str:
        """Makes what takes rows of number, 1 and tags. :param columns: names and types of the tags. :returns: its name, quoted."""

    def ready(self) -> None:
        """All rows are there: let every node know them."""

    def value(self, column: str, number: str) -> str:
        """What was said of a column. :param number: SQL of the number."""

    def known(self, number: str) -> str:
        """Whether anything was said."""


def said(engine: Engine, layout: Layout) -> Said:
    """Where answers are kept in this store."""
    return _Spread(engine, layout) if layout.cluster else _Joined(engine)


class _Joined:
    settings = "mutations_sync = 2"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def clear(self) -> None:
        self._engine.command(f"KILL MUTATION WHERE NOT is_done AND command LIKE {text('%' + _TABLE + '%')} SYNC")
        self.drop()

    def drop(self) -> None:
        self._engine.command(f"DROP TABLE IF EXISTS {table_name(_TABLE)} SYNC")

    def make(self, columns: str) -> str:
        self.drop()
        self._engine.command(
            f"CREATE TABLE {table_name(_TABLE)} (`#number` FixedString(16), `#said` UInt8, {columns}) ENGINE = Join(ANY, LEFT, `#number`)"
        )
        return table_name(_TABLE)

    def ready(self) -> None:
        return

    def value(self, column: str, number: str) -> str:
        return f"joinGet({text(_TABLE)}, {text(column)}, {number})"

    def known(self, number: str) -> str:
        return f"joinGet({text(_TABLE)}, '#said', {number}) = 1"


class _Spread:
    """The key is the number in hexadecimal digits: keys of dictionaries are texts. A mutation that asks a dictionary is not taken unless told so."""

    settings = "mutations_sync = 2, allow_nondeterministic_mutations = 1"

    def __init__(self, engine: Engine, layout: Layout) -> None:
        self._engine = engine
        self._on = layout.on_cluster()

    def clear(self) -> None:
        self._engine.command(
            f"KILL MUTATION{self._on} WHERE NOT is_done AND command LIKE {text('%' + _TABLE + '%')} SYNC"
        )
        self.drop()

    def drop(self) -> None:
        self._engine.command(f"DROP DICTIONARY IF EXISTS {table_name(_DICTIONARY)}{self._on} SYNC")
        self._engine.command(f"DROP TABLE IF EXISTS {table_name(_TABLE)}{self._on} SYNC")

    def make(self, columns: str) -> str:
        self.drop()
        # A path of its own each time: that of a table which a node was away for is not free again when the others dropped it.
        path = f"/clickhouse/tables/all/{{database}}/{{table}}/{uuid.uuid4().hex}"
        self._engine.command(
            f"CREATE TABLE {table_name(_TABLE)}{self._on} (`#number` FixedString(16), `#said` UInt8, {columns}) "
            f"ENGINE = ReplicatedMergeTree({text(path)}, '{{replica}}') ORDER BY `#number`"
        )
        source = f"SELECT hex(`#number`) AS number, * EXCEPT (`#number`, `#said`) FROM {_TABLE}"
        self._engine.command(
            f"CREATE DICTIONARY {table_name(_DICTIONARY)}{self._on} (number String, {columns}) PRIMARY KEY number "
            f"SOURCE(CLICKHOUSE(QUERY {text(source)})) LAYOUT(COMPLEX_KEY_HASHED()) LIFETIME(0)"
        )
        return table_name(_TABLE)

    def ready(self) -> None:
        self._engine.command(f"SYSTEM SYNC REPLICA{self._on} {table_name(_TABLE)}")
        self._engine.command(f"SYSTEM RELOAD DICTIONARY {table_name(_DICTIONARY)}{self._on}")

    def value(self, column: str, number: str) -> str:
        return f"dictGet({text(_DICTIONARY)}, {text(column)}, tuple(hex({number})))"

    def known(self, number: str) -> str:
        return f"dictHas({text(_DICTIONARY)}, tuple(hex({number})))"

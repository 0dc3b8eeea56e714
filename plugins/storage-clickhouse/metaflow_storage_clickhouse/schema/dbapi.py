"""A thin DB-API (PEP 249) over an engine, for SQLAlchemy: schema, reflection, small results. Bulk data does not go this way."""

from __future__ import annotations

import datetime
import decimal
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from metaflow_storage_clickhouse.engines.base import Engine
from metaflow_storage_clickhouse.errors import ClickHouseError
from metaflow_storage_clickhouse.sql.quote import literal, text

__all__ = ["Connection", "Cursor", "connect"]

apilevel = "2.0"
threadsafety = 1
paramstyle = "pyformat"


class Error(Exception):
    """Any error of the driver."""


class InterfaceError(Error):
    """The driver is used wrongly."""


class DatabaseError(Error):
    """ClickHouse refused something."""


DataError = OperationalError = IntegrityError = InternalError = ProgrammingError = NotSupportedError = DatabaseError


def shown(value: Any) -> str:
    """A Python value as a constant of SQL."""
    match value:
        case datetime.datetime() | datetime.date():
            return text(value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat())
        case decimal.Decimal() | uuid.UUID():
            return text(str(value))
        case int() if not isinstance(value, bool):
            return str(value)
        case Mapping():
            return f"map({', '.join(f'{shown(k)}, {shown(v)}' for k, v in value.items())})"
        case list():
            return f"[{', '.join(map(shown, value))}]"
        case tuple():
            return f"({', '.join(map(shown, value))})"
    return literal(value)


class Cursor:
    """Runs statements and keeps the rows of the last one."""

    arraysize = 1

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1

    def execute(self, statement: str, parameters: Mapping[str, Any] | None = None, context: Any = None) -> None:
        """Run one statement; ``%(name)s`` stands for a parameter."""
        if parameters:
            statement = statement % {name: shown(value) for name, value in parameters.items()}
        self.description, self._rows = None, []
        try:
            if re.match(r"\s*(SELECT|WITH|SHOW|DESCRIBE|DESC|EXISTS|EXPLAIN)\b", statement, re.IGNORECASE):
                self._keep(statement)
            else:
                self._engine.command(statement)
        except ClickHouseError as error:
            raise DatabaseError(str(error)) from error

    def _keep(self, statement: str) -> None:
        table = self._engine.query(statement)
        self.description = [(field.name, str(field.type), None, None, None, None, True) for field in table.schema]
        self._rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        self.rowcount = len(self._rows)

    def executemany(self, statement: str, many: Sequence[Mapping[str, Any]], context: Any = None) -> None:
        """One INSERT of all rows where the statement is one, else one statement a row."""
        at = statement.upper().rfind("VALUES")
        if not statement.lstrip().upper().startswith("INSERT") or at < 0:
            for each in many:
                self.execute(statement, each)
            return
        head, row = statement[: at + 6], statement[at + 6 :]
        rows = ", ".join(row % {name: shown(value) for name, value in each.items()} for each in many)
        self.execute(f"{head} {rows}")
        self.rowcount = len(many)

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None after the last."""
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        """The next rows."""
        taken, self._rows = self._rows[:size], self._rows[size:]
        return taken

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        taken, self._rows = self._rows, []
        return taken

    def close(self) -> None:
        """Forget the rows."""
        self._rows = []


class Connection:
    """A connection: an engine, which may be shared."""

    def __init__(self, engine: Engine, *, owned: bool = False) -> None:
        self._engine = engine
        self._owned = owned

    def cursor(self) -> Cursor:
        """A new cursor."""
        return Cursor(self._engine)

    def commit(self) -> None:
        """There are no transactions."""

    def rollback(self) -> None:
        """There are no transactions."""

    def close(self) -> None:
        """Close the engine, where the connection opened it."""
        if self._owned:
            self._engine.close()


def connect(path: str) -> Connection:
    """Open the store in a directory."""
    from metaflow_storage_clickhouse.engines.embedded import EmbeddedEngine

    if not path:
        raise InterfaceError("give the directory of the store: clickhouse+chdb:////var/lib/metaflow/clickhouse")
    engine = EmbeddedEngine(Path(path), 2 << 30)
    engine.open()
    return Connection(engine, owned=True)

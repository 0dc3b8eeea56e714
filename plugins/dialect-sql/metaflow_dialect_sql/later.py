"""The dialect before its grammar is there: importing it takes as long as opening a store, and nobody asks before the app is up."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, QueryRequest, QueryResult, Storage
from metaflow_core.errors import UnavailableError
from metaflow_dialect_sql.config import SqlConfig

if TYPE_CHECKING:
    from metaflow_dialect_sql.dialect import SqlDialect

__all__ = ["SqlLater"]


class SqlLater:
    """A :class:`~metaflow_dialect_sql.dialect.SqlDialect` that is imported in a thread from the start on; the first question waits for it.

    :raises UnavailableError: the library that reads SQL is not installed.
    """

    def __init__(self, context: BuildContext, config: SqlConfig) -> None:
        if find_spec("sqlglot") is None:
            raise UnavailableError("SQL is read with sqlglot, which is not installed: pip install sqlglot")
        self._context = context
        self._config = config
        self._made: SqlDialect | None = None
        self._making: asyncio.Task[SqlDialect] | None = None

    async def start(self) -> None:
        """Begin to import; nothing is waited for."""
        self._begin()

    async def stop(self) -> None:
        """Let the import come to its end: a thread cannot be left in it."""
        if self._making is not None:
            await asyncio.wait({self._making})

    async def query(self, request: QueryRequest, storage: Storage) -> QueryResult:
        """As :meth:`SqlDialect.query <metaflow_dialect_sql.dialect.SqlDialect.query>`."""
        if self._made is None:
            self._made = await asyncio.shield(self._begin())
        return await self._made.query(request, storage)

    def _begin(self) -> asyncio.Task[SqlDialect]:
        if self._making is None:
            self._making = asyncio.create_task(asyncio.to_thread(self._make))
        return self._making

    def _make(self) -> SqlDialect:
        from metaflow_dialect_sql.dialect import SqlDialect

        return SqlDialect(self._context.catalog, self._config, self._context.counters)

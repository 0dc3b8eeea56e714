"""clickhouse-sqlalchemy's dialect over an engine of this package: ``create_engine("clickhouse+chdb:///path")``."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import sqlalchemy as sa
from clickhouse_sqlalchemy.drivers.base import ClickHouseDialect
from sqlalchemy.engine import URL

__all__ = ["ChdbDialect", "sqlalchemy_engine"]


class ChdbDialect(ClickHouseDialect):  # type: ignore[misc]  # the base is not typed
    """ClickHouse through :mod:`metaflow_storage_clickhouse.schema.dbapi`."""

    driver = "chdb"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The module of the driver."""
        from metaflow_storage_clickhouse.schema import dbapi

        return dbapi

    def create_connect_args(self, url: URL) -> tuple[list[Any], dict[str, Any]]:
        """A URL's path is the directory."""
        return [], {"path": url.database or ""}

    def _execute(self, connection: Any, sql: Any, scalar: bool = False, **parameters: Any) -> Any:
        run = connection.scalar if scalar else connection.execute
        return run(sa.text(sql) if isinstance(sql, str) else sql, parameters)

    def do_rollback(self, dbapi_connection: Any) -> None:
        """There are no transactions."""


def sqlalchemy_engine(engine: Any) -> sa.Engine:
    """A SQLAlchemy engine over an open engine of this package, whichever home it has."""
    from metaflow_storage_clickhouse.schema.dbapi import Connection

    sa.dialects.registry.register("clickhouse.chdb", __name__, "ChdbDialect")
    return sa.create_engine("clickhouse+chdb://", creator=lambda: Connection(engine), poolclass=sa.StaticPool)

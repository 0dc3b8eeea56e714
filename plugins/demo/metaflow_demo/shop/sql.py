"""The database: MariaDB by its own protocol, or SQLite behind HTTP for machines without MariaDB."""

from __future__ import annotations

import json
import sqlite3
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.context import comment, onwards
from metaflow_demo.shop.http import Caller, serve
from metaflow_demo.shop.plan import Plan, Spot
from metaflow_demo.shop.pool import Pool

__all__ = ["STATEMENTS", "Database", "DatabaseError", "database", "serve_sqlite"]

STATEMENTS = (
    "CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(40), price INTEGER)",
    "CREATE TABLE purchase (id INTEGER PRIMARY KEY, item INTEGER)",
    "INSERT INTO item VALUES (1,'lamp',30),(2,'chair',90),(3,'table',300),(4,'rug',120),(5,'shelf',75)",
)


class DatabaseError(Exception):
    """The database refused a statement."""


class Database:
    """MariaDB over connections that are used again; any thread may ask."""

    def __init__(self, log: CallLog, client: tuple[str, str], server: Spot) -> None:
        self._log = log
        self._client = client
        self._server = server
        self._pool = Pool(self._connection)

    def ask(self, statement: str, headers: Mapping[str, str]) -> Any:
        """Rows of the answer.

        :param headers: of the request that it is for; what they say of the trace goes into a comment.
        :raises DatabaseError: it refused.
        """
        import pymysql

        error = ""
        rows: Any = ()
        with self._pool.one() as connection, connection.cursor() as cursor:
            try:
                cursor.execute(statement + comment(headers))
                rows = cursor.fetchall()
            except pymysql.Error as wrong:
                error = str(wrong)
        self._log.add(
            kind="mysql",
            client=self._client[0],
            server=str(self._server),
            request=statement.split(" ", 1)[0],
            ok=not error,
        )
        if error:
            raise DatabaseError(error)
        return rows

    def _connection(self) -> Any:
        import pymysql

        return pymysql.connect(
            host=self._server.host, port=self._server.port, user="shop", password="", database="shop",
            autocommit=True, bind_address=self._client[1],
        )  # fmt: skip


class _OverHttp:
    def __init__(self, log: CallLog, client: tuple[str, str], server: Spot) -> None:
        self._caller = Caller(log, client, server, "database.shop.test")

    def ask(self, statement: str, headers: Mapping[str, str]) -> Any:
        path = f"/query?{urllib.parse.urlencode({'sql': statement})}"
        status, value = self._caller.call("GET", path, onwards(headers))
        if status != 200:
            raise DatabaseError(value["error"])
        return value


def database(plan: Plan, log: CallLog, client: tuple[str, str]) -> Database | _OverHttp:
    """The database that the plan has."""
    return (Database if plan.sql == "mariadb" else _OverHttp)(log, client, plan.database)


def serve_sqlite(spot: Spot) -> None:
    """SQLite in memory behind ``/query?sql=``."""
    store = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    alone = threading.Lock()
    for statement in STATEMENTS:
        store.execute(statement)

    def answer(method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        sql = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).get("sql", [""])[0]
        try:
            with alone:
                return 200, json.loads(json.dumps(store.execute(sql).fetchall()))
        except sqlite3.Error as error:
            return 500, {"error": str(error)}

    serve(spot, answer)

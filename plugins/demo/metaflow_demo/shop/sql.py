"""The database: MariaDB by its own protocol, or SQLite behind HTTP for machines without MariaDB."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import urllib.parse
from typing import Any

from metaflow_demo.calls import CallLog
from metaflow_demo.shop.http import Caller, serve
from metaflow_demo.shop.plan import Plan, Spot

__all__ = ["STATEMENTS", "Database", "DatabaseError", "database", "serve_sqlite"]

STATEMENTS = (
    "CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(40), price INTEGER)",
    "CREATE TABLE purchase (id INTEGER PRIMARY KEY, item INTEGER)",
    "INSERT INTO item VALUES (1,'lamp',30),(2,'chair',90),(3,'table',300),(4,'rug',120),(5,'shelf',75)",
)


class DatabaseError(Exception):
    """The database refused a statement."""


class Database:
    """MariaDB over one connection; statements wait for one another."""

    def __init__(self, log: CallLog, client: tuple[str, str], server: Spot) -> None:
        self._log = log
        self._client = client
        self._server = server
        self._connection: Any = None
        self._lock = asyncio.Lock()

    async def ask(self, statement: str) -> Any:
        """Rows of the answer.

        :raises DatabaseError: it refused.
        """
        async with self._lock:
            return await asyncio.to_thread(self._ask, statement)

    def _ask(self, statement: str) -> Any:
        import pymysql

        if self._connection is None:
            self._connection = pymysql.connect(
                host=self._server.host, port=self._server.port, user="shop", password="", database="shop",
                autocommit=True, bind_address=self._client[1],
            )  # fmt: skip
        error = ""
        rows: Any = ()
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
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


class _OverHttp:
    def __init__(self, log: CallLog, client: tuple[str, str], server: Spot) -> None:
        self._caller = Caller(log, client, server, "database.shop.test")

    async def ask(self, statement: str) -> Any:
        status, value = await self._caller.call("GET", f"/query?{urllib.parse.urlencode({'sql': statement})}")
        if status != 200:
            raise DatabaseError(value["error"])
        return value


def database(plan: Plan, log: CallLog, client: tuple[str, str]) -> Database | _OverHttp:
    """The database that the plan has."""
    return (Database if plan.sql == "mariadb" else _OverHttp)(log, client, plan.database)


async def serve_sqlite(spot: Spot) -> None:
    """SQLite in memory behind ``/query?sql=``."""
    store = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    for statement in STATEMENTS:
        store.execute(statement)

    async def answer(method: str, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        sql = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query).get("sql", [""])[0]
        try:
            return 200, json.loads(json.dumps(store.execute(sql).fetchall()))
        except sqlite3.Error as error:
            return 500, {"error": str(error)}

    await serve(spot, answer)

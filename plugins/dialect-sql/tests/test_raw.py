"""Raw SQL: what is checked is what is run, and nothing else is."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from metaflow_dialect_sql.config import SqlConfig
from metaflow_dialect_sql.dialect import SqlDialect

from metaflow_core.api import QueryRequest
from metaflow_core.errors import QueryError, UnsupportedQuery


class Store:
    def __init__(self) -> None:
        self.asked: list[str] = []

    async def execute_sql(self, text: str) -> pa.Table:
        self.asked.append(text)
        return pa.table({"n": [1, 2, 3]})


def request(text: str, **more: Any) -> QueryRequest:
    return QueryRequest(text=text, params={"raw": True}, **more)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT l7_protocol, count() FROM flow_log.l7_flow_log WHERE response_code >= 500 GROUP BY l7_protocol ORDER BY 2 DESC LIMIT 3",
        "SELECT toStartOfMinute(time) AS t, quantile(0.95)(response_duration) FROM flow_log.l7_flow_log GROUP BY t",
        "WITH a AS (SELECT endpoint, count() AS n FROM flow_log.l7_flow_log GROUP BY endpoint) SELECT max(n) FROM a",
        "SELECT endpoint FROM flow_log.l7_flow_log WHERE flow_id IN (SELECT flow_id FROM flow_log.l4_flow_log)",
        "SELECT sumIf(byte_tx, server_port = 80), uniqExact(client_port) FROM `flow_log`.`l4_flow_log`",
        "SELECT if(response_code = 200, 1, 0), CASE WHEN endpoint = '' THEN 1 ELSE 2 END FROM flow_log.l7_flow_log",
    ],
)
async def test_reading_is_allowed(text: str, dialect: SqlDialect) -> None:
    store = Store()
    result = await dialect.query(request(text), store)  # type: ignore[arg-type]
    assert result.table.num_rows == 3
    assert store.asked == [result.physical]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT * FROM file('/etc/passwd')", "table functions"),
        ("SELECT * FROM url('http://x', CSV, 'a String')", "table functions"),
        ("SELECT * FROM remote('h', flow_log.l7_flow_log)", "table functions"),
        ("SELECT * FROM numbers(10)", "table functions"),
        ("SELECT * FROM flow_log.l7_flow_log JOIN file('/etc/passwd') ON 1", "table functions"),
        ("SELECT (SELECT * FROM file('/etc/passwd')) FROM flow_log.l7_flow_log", "table functions"),
        ("SELECT endpoint FROM flow_log.l7_flow_log WHERE 1 IN (SELECT 1 FROM s3('x'))", "table functions"),
        ("WITH x AS (SELECT * FROM mysql('a', 'b', 'c', 'd', 'e')) SELECT * FROM x", "table functions"),
        (
            "SELECT * FROM flow_log.l7_flow_log UNION ALL SELECT * FROM executable('x', CSV, 'a String')",
            "table functions",
        ),
        ("SELECT * FROM system.users", "full names"),
        ("SELECT * FROM l7_flow_log", "did you mean"),
        ("SELECT sleep(3) FROM flow_log.l7_flow_log", "'sleep'"),
        ("SELECT file('/etc/passwd') FROM flow_log.l7_flow_log", "'file'"),
        ("SELECT getSetting('x') FROM flow_log.l7_flow_log", "'getSetting'"),
        ("SELECT currentUser() FROM flow_log.l7_flow_log", "not among"),
        ("SELECT joinGet('a', 'b', 1) FROM flow_log.l7_flow_log", "'joinGet'"),
        ("SELECT endpoint FROM flow_log.l7_flow_log SETTINGS max_memory_usage = 0", "SETTINGS"),
        ("SELECT endpoint FROM flow_log.l7_flow_log FORMAT JSON", "FORMAT"),
        ("SELECT endpoint FROM flow_log.l7_flow_log INTO OUTFILE 'x'", ""),
        ("INSERT INTO flow_log.l7_flow_log VALUES (1)", "INSERT"),
        ("DROP TABLE flow_log.l7_flow_log", "DROP"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT 1 -- x", "comments"),
        ("SYSTEM SHUTDOWN", "SELECT"),
        ("ATTACH TABLE x FROM '/tmp'", "SELECT"),
        ("not sql at all (", ""),
    ],
)
async def test_everything_else_is_refused(text: str, reason: str, dialect: SqlDialect) -> None:
    store = Store()
    with pytest.raises(QueryError) as caught:
        await dialect.query(request(text), store)  # type: ignore[arg-type]
    assert reason in str(caught.value)
    assert not store.asked


async def test_a_storage_without_sql_says_so(dialect: SqlDialect, storage: Any) -> None:
    with pytest.raises(UnsupportedQuery, match="no SQL of its own"):
        await dialect.query(request("SELECT 1"), storage)


async def test_it_can_be_switched_off(capture: Any) -> None:
    with pytest.raises(UnsupportedQuery, match="switched off"):
        await SqlDialect(capture.catalog, SqlConfig(raw=False)).query(request("SELECT 1"), Store())  # type: ignore[arg-type]


async def test_too_many_rows_are_cut(dialect: SqlDialect) -> None:
    result = await dialect.query(request("SELECT endpoint FROM flow_log.l7_flow_log", max_rows=2), Store())  # type: ignore[arg-type]
    assert result.table.num_rows == 2
    assert result.warnings

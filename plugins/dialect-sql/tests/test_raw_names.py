"""Names and texts that mean more than they seem to: tables within IN, common table expressions, dictionaries, types."""

from __future__ import annotations

import pytest
from metaflow_dialect_sql.config import SqlConfig
from metaflow_dialect_sql.raw import checked_statement

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import load_catalog

CATALOG = load_catalog()
T = "flow_log.l7_flow_log"


def checked(text: str, database: str = "flow_log") -> str:
    return checked_statement(text, CATALOG, SqlConfig(), database=database).text


@pytest.mark.parametrize(
    "text",
    [
        # Each of these was run against ClickHouse and reads the table.
        "SELECT 7 IN (o.s)", "SELECT 7 IN ((o.s))", "SELECT 7 GLOBAL NOT IN (o.s)", "SELECT 7 IN o.s", "SELECT 7 IN `o`.`s`",
        "SELECT in(7, o.s)", "SELECT notIn(7, o.s)", "SELECT `globalIn`(7, o.s)", "SELECT 7 IN (s)",
        "WITH s AS (SELECT * FROM s) SELECT * FROM s", "WITH 1 AS s SELECT * FROM s", "WITH o.s AS x SELECT 7 IN x",
        "SELECT * FROM (WITH s AS (SELECT 1) SELECT * FROM s) AS a, s",
        "WITH a AS (SELECT * FROM s), s AS (SELECT 1) SELECT * FROM a",
        "SELECT 7 IN (SELECT * FROM o.s)", "SELECT * FROM format('CSV', 'x')",
        "SELECT dictGet('system.x', 'y', 1)", "SELECT dictGet(concat('flow_tag.', 'pod'), 'name', 1)",
        "SELECT dictGetOrDefault(other.secret, 'name', 1, '')", "SELECT dictHas('default.x', 1)",
        "SELECT CAST(unhex('00'), 'AggregateFunction(sum, UInt64)')", "SELECT CAST('x', concat('Aggregate', 'Function(sum, UInt64)'))",
        "SELECT CAST('x' AS Array(AggregateFunction(sum, UInt64)))", "SELECT unhex('00')::AggregateFunction(sum, UInt64)",
        "SELECT accurateCastOrNull('x', lower('A'))", "SELECT JSONExtract('{}', 'a', 'AggregateFunction(sum, UInt64)')",
        "SELECT editDistance(repeat('a', 60000), repeat('b', 60000)) FROM numbers(65000)",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(QuerySyntaxError):
        checked(text)


@pytest.mark.parametrize(
    "text",
    [
        f"WITH s AS (SELECT endpoint FROM {T}), t AS (SELECT * FROM s) SELECT * FROM t WHERE endpoint IN (SELECT endpoint FROM s)",
        f"WITH s AS (SELECT endpoint FROM {T}) SELECT count() FROM {T} WHERE endpoint IN s",
        "WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 3) SELECT n FROM s",
        f"SELECT count() FROM {T} WHERE endpoint IN ('a') AND server_port IN (1, 2)",
        f"SELECT CAST(server_port AS String), CAST('1', 'UInt8'), '1'::UInt8 FROM {T}",
        "SELECT dictGetOrDefault('flow_tag.pod', 'name', toUInt64(1), toInt64(0), 'x')",
        "SELECT JSONExtract('{}', 'a', 'String'), JSONExtractString('{}', 'a')",
        f"WITH 5 AS n SELECT n FROM {T}",
        "SELECT * FROM generateSeries(1, 2)",
    ],
)
def test_taken(text: str) -> None:
    checked(text)


def test_a_name_out_of_sight_of_its_expression_is_a_table_of_the_database() -> None:
    text = "SELECT 1 FROM (WITH l7_flow_log AS (SELECT 1) SELECT * FROM l7_flow_log) AS a, l7_flow_log"
    assert checked(text).endswith("AS a, `flow_log`.l7_flow_log")

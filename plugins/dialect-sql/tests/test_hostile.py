"""What is no question is refused with the reason, whatever it is; nothing of it reaches a storage."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metaflow_dialect_sql.dialect import SqlDialect

from metaflow_core.api import QueryRequest
from metaflow_core.errors import QueryError
from metaflow_core.query import Plan

HOSTILE = [
    ("SELECT 1; DROP TABLE l7_flow_log", "one statement"),
    ("SELECT endpoint FROM l7_flow_log;;", "one statement"),
    ("DROP TABLE l7_flow_log", "begins with SELECT"),
    ("INSERT INTO l7_flow_log VALUES (1)", "begins with SELECT"),
    ("CREATE TABLE x (a Int8) ENGINE = Memory", "begins with SELECT"),
    ("ALTER TABLE l7_flow_log DELETE WHERE 1", "begins with SELECT"),
    ("SYSTEM SHUTDOWN", "begins with SELECT"),
    ("SET readonly = 0", "begins with SELECT"),
    ("GRANT ALL ON *.* TO me", "begins with SELECT"),
    ("WITH x AS (SELECT 1) SELECT * FROM x", "WITH is not taken"),
    ("EXPLAIN INSERT INTO l7_flow_log VALUES (1)", "expected SELECT"),
    ("SELECT * FROM file('/etc/passwd')", "file(), url() or remote()"),
    ("SELECT * FROM file('/etc/passwd', 'CSV', 'a String')", "file(), url() or remote()"),
    ("SELECT * FROM url('http://x/y')", "file(), url() or remote()"),
    ("SELECT * FROM remote('h', system.users)", "FROM"),
    ("SELECT * FROM numbers(10)", "FROM"),
    ("SELECT * FROM s3('x')", "file(), url() or remote()"),
    ("SELECT * FROM system.tables", "no table 'system.tables'"),
    ("SELECT * FROM `../../etc/passwd`", "no table"),
    ("SELECT * FROM (SELECT * FROM l7_flow_log)", "question inside of a question"),
    ("SELECT endpoint FROM l7_flow_log WHERE endpoint IN (SELECT endpoint FROM l7_flow_log)", "question inside"),
    ("SELECT (SELECT 1) FROM l7_flow_log", "question inside of a question"),
    ("SELECT endpoint FROM l7_flow_log UNION ALL SELECT 1", "UNION"),
    ("SELECT endpoint FROM l7_flow_log JOIN network ON 1 = 1", "JOIN"),
    ("SELECT endpoint FROM l7_flow_log, network", "JOIN"),
    ("SELECT endpoint FROM l7_flow_log INTO OUTFILE 'x'", "writes nothing"),
    ("SELECT endpoint INTO x FROM l7_flow_log", "writes nothing"),
    ("SELECT endpoint FROM l7_flow_log SETTINGS readonly = 0", "SETTINGS"),
    ("SELECT endpoint FROM l7_flow_log FORMAT JSON", "FORMAT"),
    ("SELECT endpoint FROM l7_flow_log TABLESAMPLE (10)", "SAMPLE"),
    ("SELECT sum(error) OVER (PARTITION BY endpoint) FROM l7_flow_log", "window functions"),
    ("SELECT endpoint FROM l7_flow_log QUALIFY 1 = 1", "HAVING"),
    ("SELECT endpoint FROM l7_flow_log FOR UPDATE", "FOR"),
    ("SELECT endpoint -- and so on\nFROM l7_flow_log", "comments"),
    ("SELECT endpoint /* hm */ FROM l7_flow_log", "comments"),
    ("SELECT endpoint FROM l7_flow_log # hm", "comments"),
    ("SELECT /*+ hint */ endpoint FROM l7_flow_log", "comments"),
    ("SELECT sleep(3) FROM l7_flow_log", "no function 'sleep'"),
    ("SELECT endpoint FROM l7_flow_log WHERE sleep(3) = 0", "no function 'sleep'"),
    ("SELECT getSetting('x'), dictGet('a', 'b', 1) FROM l7_flow_log", "no function"),
    ("SELECT map_at(attribute_names, attribute_values, 'x') FROM l7_flow_log", "no function"),
    ("SELECT CAST(endpoint AS Int8) FROM l7_flow_log", ""),
    ("SELECT endpoint::Int8 FROM l7_flow_log", "no meaning"),
    ("SELECT @@version", "no meaning"),
    ("SELECT ? FROM l7_flow_log", "no meaning"),
    ("SELECT {x:String} FROM l7_flow_log", "no meaning"),
    ("SELECT $1 FROM l7_flow_log", "no meaning"),
    ("SELECT endpoint FROM l7_flow_log WHERE endpoint = \u2018x\u2019", "LEFT SINGLE QUOTATION MARK"),
    ("SELECT\u00a0endpoint FROM l7_flow_log", "NO-BREAK SPACE"),
    ("SELECT end\u200bpoint FROM l7_flow_log", "ZERO WIDTH SPACE"),
    ("SELECT endpoint FROM l7_flow_log WHERE endpoint = '\u202ex'", "RIGHT-TO-LEFT OVERRIDE"),
    ("SELECT \u0435ndpoint FROM l7_flow_log", "CYRILLIC SMALL LETTER IE"),
    ("SELECT endpoint FROM l7_flow_log WHERE endpoint = 'a\x00b'", "U+0000"),
    ("SELECT endpoint FROM l7_flow_log WHERE endpoint = '\ud800'", ""),
    ("SELECT " + "(" * 5000 + "1" + ")" * 5000 + " FROM l7_flow_log", "levels of parentheses"),
    ("SELECT endpoint FROM l7_flow_log WHERE " + "not " * 12_000 + "is_tls", "nested too deeply"),
    ("SELECT " + "-" * 1 + " -".join(["error"] * 3000) + " FROM l7_flow_log", "levels of operators"),
    ("SELECT endpoint FROM l7_flow_log WHERE endpoint = '" + "a" * 2_000_000 + "'", "longer than"),
    ("SELECT " + ", ".join(f"Count(row) AS c{i}" for i in range(4000)) + " FROM l7_flow_log", ""),
    ("SELECT if(" * 29 + "1" + ", 1, 1)" * 29 + " FROM l7_flow_log", ""),
]


class Nothing:
    """A storage that must not be asked."""

    async def execute(self, plan: Plan) -> Any:
        raise AssertionError(f"the storage was asked {plan}")


@pytest.mark.parametrize(
    ("text", "reason"), [pytest.param(*each, id=each[0][:60].encode("ascii", "replace").decode()) for each in HOSTILE]
)
async def test_hostile_text_is_refused(text: str, reason: str, dialect: SqlDialect) -> None:
    with pytest.raises(QueryError) as caught:
        await dialect.query(QueryRequest(text=text), Nothing())  # type: ignore[arg-type]
    assert reason in str(caught.value)


async def test_long_chains_are_no_nesting(ask: Any) -> None:
    text = " or ".join(f"server_port = {port}" for port in range(1000))
    assert (await ask(f"SELECT Count(row) AS n FROM l7_flow_log WHERE {text}")).table.column("n").to_pylist() == [0]


WORDS = st.sampled_from(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "GROUP",
        "BY",
        "HAVING",
        "ORDER",
        "LIMIT",
        "l7_flow_log",
        "endpoint",
        "time",
        "Sum(",
        "Count(",
        "row",
        ")",
        "(",
        ",",
        "=",
        "!=",
        "<",
        "'x'",
        "1",
        "60",
        "*",
        "+",
        "-",
        "/",
        "in",
        "like",
        "not",
        "and",
        "or",
        "null",
        "is",
        "between",
        "regexp",
        "SHOW",
        "TAG",
        "TAGS",
        "VALUES",
        "EXPLAIN",
        "AS",
        "`a`",
        '"',
        "'",
        ";",
        ".",
        "SLIMIT",
        "SORDER",
        "Enum(",
        "exist(",
        "time(",
        "0x1",
        "1e9",
        "distinct",
    ]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS, max_size=20))
async def test_any_words_give_an_answer_or_a_sentence(words: list[str], ask: Any) -> None:
    with contextlib.suppress(QueryError):
        await ask("SELECT " + " ".join(words) if words[:1] != ["SHOW"] else " ".join(words))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60))
async def test_any_text_gives_a_sentence(text: str, dialect: SqlDialect) -> None:
    with contextlib.suppress(QueryError):
        await dialect.query(QueryRequest(text=text), Nothing())  # type: ignore[arg-type]

"""A mistake is told in a sentence, with the column at which it stands and what would have been right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from metaflow_core.errors import QueryError, QuerySyntaxError

MISTAKES = [
    ("SELECT endpont FROM l7_flow_log", 8, "did you mean 'endpoint'"),
    ("SELECT Count(row) FROM l7_flow_log WHERE  endpont = 'x'", 43, "did you mean 'endpoint'"),
    ("SELECT Count(row)\nFROM l7_flow_log\nGROUP BY endpont", 45, "did you mean 'endpoint'"),
    ("SELECT Count(row) FROM l7_flow_logs", 24, "did you mean 'l7_flow_log'"),
    ("SELECT pod FROM l7_flow_log", 8, "did you mean 'pod_0'"),
    ("SELECT Summ(error) FROM l7_flow_log", 8, "did you mean 'Sum'"),
    ("SELECT Sum(rrt) FROM l7_flow_log", 8, "legal are Avg, AAvg, Max"),
    ("SELECT Sum(endpoint) FROM l7_flow_log", 8, "legal are Uniq, UniqExact, TopK, Any, Count"),
    ("SELECT Apdex(error, 5) FROM l7_flow_log", 8, "Apdex makes no sense for error, a counter"),
    ("SELECT Percentile(rrt) FROM l7_flow_log", 8, "Percentile(metric, percent)"),
    ("SELECT Percentile(rrt, 101) FROM l7_flow_log", 24, "between 0 and 100"),
    ("SELECT TopK(endpoint, 1.5) FROM l7_flow_log", 23, "whole number"),
    ("SELECT endpoint, Count(row) FROM l7_flow_log", 8, "add it to GROUP BY, or write Any(endpoint)"),
    ("SELECT Count(row) FROM l7_flow_log WHERE Count(row) > 1", 42, "write HAVING"),
    ("SELECT Count(row) FROM l7_flow_log GROUP BY Count(row)", 45, "GROUP BY"),
    ("SELECT Sum(Sum(error)) FROM l7_flow_log", 12, "inside of another function"),
    ("SELECT time(time, 60) FROM l7_flow_log", None, "add GROUP BY"),
    ("SELECT time(time, 10) AS t, Sum(byte) FROM network.1m GROUP BY t", 19, "rows of 60 s"),
    ("SELECT time(endpoint, 10) AS t FROM l7_flow_log GROUP BY t", 13, "is no time"),
    ("SELECT time(time, 60, 1, 5) AS t FROM l7_flow_log GROUP BY t", 26, "none, null or 0"),
    ("SELECT time(time, 60, 3) AS t FROM l7_flow_log GROUP BY t", 23, "windows"),
    ("SELECT Count(row) FROM l7_flow_log WHERE response_status = 'serverr_error'", 60, "did you mean 'server_error'"),
    ("SELECT Count(row) FROM l7_flow_log WHERE ip_0 = '10.0.0.0/99'", 42, "no network"),
    ("SELECT Count(row) FROM l7_flow_log WHERE ip_0 > '10.0.0.1'", 49, "10.0.0.0/8"),
    ("SELECT Count(row) FROM l7_flow_log WHERE ip_0 = '10.0.0.9-10.0.0.1'", 49, "no range"),
    ("SELECT Count(row) FROM l7_flow_log WHERE time > 'yesterday'", 49, "no time such as"),
    ("SELECT Count(row) FROM l7_flow_log WHERE endpoint regexp '('", None, "no regular expression"),
    ("SELECT Count(row) FROM l7_flow_log WHERE endpoint > 3", 53, "cannot be compared"),
    ("SELECT Count(row) FROM l7_flow_log WHERE response_code = null", 42, "is null"),
    ("SELECT Count(row) FROM l7_flow_log WHERE server_port in (1, endpoint)", 61, "numbers and texts"),
    ("SELECT Count(row) FROM l7_flow_log WHERE endpoint", 42, "true or false"),
    ("SELECT Count(row) FROM l7_flow_log WHERE a = = 3", 46, "missing at '='"),
    ("SELECT Count(row FROM l7_flow_log", 18, "expected ')'"),
    ("SELECT Count(row) FROM l7_flow_log LIMIT x", 42, "whole number"),
    ("SELECT Count(row) FROM l7_flow_log ORDER BY 3", 45, "there are 1 columns"),
    ("SELECT error, error FROM l7_flow_log", None, "another name with AS"),
    ("SELECT Enum(endpoint) FROM l7_flow_log", 13, "no enumeration"),
    ("SELECT Derivative(error) FROM l7_flow_log", 8, "needs buckets"),
    ("SELECT Derivative(error) * 2 AS d, time(time, 1) AS t FROM l7_flow_log GROUP BY t", 8, "stands alone"),
    ("SELECT endpoint FROM l7_flow_log SLIMIT 3", None, "needs GROUP BY"),
    ("SELECT Count(row) FROM l7_flow_log GROUP BY endpoint SORDER BY Count(row)", 64, "add SLIMIT"),
    ("SELCT a FROM l7_flow_log", 1, "did you mean 'SELECT'"),
    ("SHOW TABELS", 6, "did you mean 'TABLES'"),
    ("SHOW TAG endpont VALUES FROM l7_flow_log", 10, "did you mean 'endpoint'"),
    ("SHOW TAG rrt VALUES FROM l7_flow_log", 10, "is no tag"),
    ("SHOW ENUM l7_protocl VALUES", 11, "did you mean 'l7_protocol'"),
    ("SHOW TABLES FROM flow_logs", 18, "did you mean 'flow_log'"),
    ("SELECT icon_id(pod_0) FROM l7_flow_log", 8, "no icons"),
    ("SELECT Count(row) FROM l7_flow_log WHERE flow_id = 99999999999999999999999", 52, "64 bits"),
]


@pytest.mark.parametrize(("text", "column", "part"), MISTAKES)
async def test_mistake_is_told(text: str, column: int | None, part: str, ask: Callable[..., Any]) -> None:
    with pytest.raises(QueryError) as caught:
        await ask(text)
    assert part in str(caught.value)
    if column is not None:
        assert isinstance(caught.value, QuerySyntaxError)
        assert caught.value.column == column


async def test_wildcard_of_others_is_warned_of(ask: Callable[..., Any]) -> None:
    result = await ask("SELECT Count(row) FROM l7_flow_log WHERE endpoint like '/cat%'")
    assert "the wildcard of like is *" in result.warnings[0]


async def test_rows_beyond_the_limit_are_told(ask: Callable[..., Any]) -> None:
    result = await ask("SELECT endpoint FROM l7_flow_log", max_rows=5)
    assert result.table.num_rows == 5
    assert "only the first 5 rows" in result.warnings[0]
    assert not (await ask("SELECT endpoint FROM l7_flow_log LIMIT 5", max_rows=5)).warnings


async def test_rates_without_a_range_say_so(ask: Callable[..., Any]) -> None:
    assert "over the 3 s" in (await ask("SELECT PerSecond(request) FROM l7_flow_log")).warnings[0]


async def test_no_rows_is_an_answer(ask: Callable[..., Any]) -> None:
    result = await ask("SELECT PerSecond(request) AS r, Count(row) AS n FROM l7_flow_log WHERE server_port = 1")
    assert result.table.to_pylist() == [{"r": None, "n": 0}]


async def test_explain_shows_what_is_asked_and_executed(ask: Callable[..., Any]) -> None:
    result = await ask("EXPLAIN SELECT pod_0, Avg(error_ratio) FROM l7_flow_log GROUP BY pod_0")
    lines = result.table.column("plan").to_pylist()
    assert any("Avg(error_ratio)" in line for line in lines)
    assert any(line.strip().startswith("Resolve pod_0 from pod_id_0") for line in lines)


async def test_physical_query_is_told_where_a_storage_has_one(dialect: Any) -> None:
    from metaflow_core.api import QueryRequest

    class Storage:
        def explain(self, plan: object) -> str:
            return "SELECT 1"

    result = await dialect.query(QueryRequest(text="EXPLAIN SELECT endpoint FROM l7_flow_log"), Storage())
    assert result.physical == "SELECT 1"


async def test_database_and_precision_of_the_request(ask: Callable[..., Any]) -> None:
    fine = await ask("SELECT Count(row) AS n FROM network", db="flow_metrics", data_precision="1s")
    coarse = await ask("SELECT Count(row) AS n FROM network", db="flow_metrics")
    assert fine.table.column("n")[0].as_py() > coarse.table.column("n")[0].as_py()
    with pytest.raises(QuerySyntaxError, match="1s, 1m, 1h, 1d"):
        await ask("SELECT Count(row) FROM network", data_precision="7s")


async def test_buckets_choose_the_precision(ask: Callable[..., Any]) -> None:
    result = await ask("SELECT time(time, 1) AS t, Sum(byte) FROM network GROUP BY t")
    assert result.table.num_rows == 3

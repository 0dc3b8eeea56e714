"""The storage under load, under attack, and at its limits."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metaflow_storage_clickhouse.schema.migrate import STORE_VERSION

from metaflow_core.api import RecordBatch
from metaflow_core.errors import QueryError, StorageError, UnsupportedQuery
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import Call, Compare, Like, Literal, Ref, Regexp
from metaflow_core.query import Aggregate, Filter, Fold, Grid, Limit, Measure, Named, Project, Scan, Sort, SortKey

TABLE = "flow_log.l7_message"
CATALOG = load_catalog()


def messages(first: int, rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "time_ns": pa.array(1_700_000_000 * 10**9 + np.arange(first, first + rows) * 10**6),
            "flow_id": pa.array(range(first, first + rows), pa.uint64()),
            "endpoint": pa.array([f"/e{number % 10}" for number in range(first, first + rows)]),
            "request_resource": pa.array([f"/x/{number}" for number in range(first, first + rows)]),
        }
    )


def test_a_hundred_thousand_rows(shared: Any) -> None:
    shared.clear(TABLE)
    shared.write(TABLE, messages(0, 100_000), "big")
    shared.write(TABLE, messages(0, 100_000), "big")
    plan = Sort(
        Aggregate(
            Scan(TABLE),
            (Named("endpoint", Ref("endpoint")),),
            (Measure("n", "Count"), Fold("max", "max", Ref("flow_id"))),
        ),
        (SortKey("endpoint"),),
    )
    rows = shared.query(plan).to_pylist()
    assert [(row["endpoint"], row["n"], row["max"]) for row in rows] == [
        (f"/e{i}", 10_000, 99_990 + i) for i in range(10)
    ]
    found = shared.query(Filter(Scan(TABLE, ("request_resource",)), Compare("=", Ref("flow_id"), Literal(77_777))))
    assert found.column("request_resource").to_pylist() == ["/x/77777"]
    # The columns of a result are the catalogue's.
    schema = shared.query(Scan(TABLE, ("time_ns", "endpoint", "is_ipv4", "ip6_0"))).schema
    assert {field.name: str(field.type) for field in schema} == {
        "time_ns": "timestamp[ns, tz=UTC]",
        "endpoint": "dictionary<values=string, indices=int32, ordered=0>",
        "is_ipv4": "bool",
        "ip6_0": "fixed_size_binary[16]",
    }
    assert schema.field("endpoint").metadata == {b"type": b"lowcard", b"kind": b"tag"}


def test_many_small_batches_become_few_inserts(shared: Any) -> None:
    shared.clear(TABLE)

    async def all_at_once() -> None:
        await asyncio.gather(
            *(shared.storage.write(RecordBatch(TABLE, messages(n, 1), f"small-{n}")) for n in range(500))
        )

    shared.do(all_at_once())
    assert sorted(shared.query(Scan(TABLE, ("flow_id",))).column("flow_id").to_pylist()) == list(range(500))
    parts = shared.sql(
        "SELECT count() AS n FROM system.parts WHERE database = 'flow_log' AND `table` = 'l7_message' AND level = 0 AND active"
    )
    assert parts[0]["n"] < 50


def test_a_wrong_batch_fails_alone(shared: Any) -> None:
    shared.clear(TABLE)

    async def both() -> list[Any]:
        wrong = pa.RecordBatch.from_pydict({"flow_idd": [1]})
        return list(
            await asyncio.gather(
                shared.storage.write(RecordBatch(TABLE, messages(0, 3), "good")),
                shared.storage.write(RecordBatch(TABLE, wrong, "bad")),
                return_exceptions=True,
            )
        )

    good, bad = shared.do(both())
    assert good is None
    assert isinstance(bad, StorageError)
    assert "flow_idd" in str(bad)
    assert shared.query(Scan(TABLE)).num_rows == 3


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [
        "'",
        "\\'",
        "`",
        "'; DROP TABLE flow_log.l7_message --",
        "{x:String}",
        "%s",
        "\0",
        "*/ /*",
        "' OR 1=1 --",
        "\\",
        "\n'\r",
        "${x}",
        "\u2028",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, TEXTS)
def test_no_text_breaks_out(shared: Any, stored: str, name: str) -> None:
    shared.clear(TABLE)
    data = pa.RecordBatch.from_pydict(
        {
            "time_ns": pa.array([10**18]),
            "flow_id": pa.array([1], pa.uint64()),
            "endpoint": [stored],
            "request_resource": [stored],
        }
    )
    shared.write(TABLE, data, name)
    for column in ("endpoint", "request_resource"):
        for test in (
            Compare("=", Ref(column), Literal(stored)),
            Compare("!=", Ref(column), Literal(stored + "x")),
            Like(Ref(column), stored.replace("*", "")) if "*" not in stored else Like(Ref(column), "*"),
        ):
            plan = Project(Filter(Scan(TABLE), test), (Named(name or "n", Ref(column)),))
            assert shared.query(plan).to_pylist() == [{name or "n": stored}]
    keyed = Aggregate(Scan(TABLE), (Named(name or "n", Call("concat", (Ref("endpoint"), Literal(name)))),), ())
    assert shared.query(keyed).column(0).to_pylist() == [stored + name]


def test_limits_are_sentences(shared: Any) -> None:
    shared.clear(TABLE)
    shared.write(TABLE, messages(0, 50_000))
    config = shared.storage._config
    slow = Filter(
        Scan(TABLE),
        Compare("=", Call("length", (Call("concat", tuple(Ref("request_resource") for _ in range(60))),)), Literal(-1)),
    )
    for change, sentence in (
        ({"max_result_rows": 10}, "more rows than it may"),
        ({"max_query_memory": 1 << 12}, "more memory than it may"),
        ({"max_execution_s": 0.001}, "longer than it may"),
    ):
        shared.storage._config = config.model_copy(update=change)
        try:
            with pytest.raises(QueryError, match=sentence):
                shared.query(slow if "max_execution_s" in change else Scan(TABLE))
        finally:
            shared.storage._config = config


def test_one_row_is_no_list_of_a_hundred_million(shared: Any) -> None:
    assert shared.do(shared.storage.execute_sql("SELECT length(range(1000000)) AS n")).to_pylist() == [{"n": 1_000_000}]
    with pytest.raises(QueryError, match="greater than the allowed maximum of 10000000"):
        shared.do(shared.storage.execute_sql("SELECT length(range(100000000))"))


def test_a_cancelled_query_is_stopped(shared: Any) -> None:
    shared.clear(TABLE)
    shared.write(TABLE, messages(0, 50_000))
    # A pattern that must look at every character of 30 MB of text, forty times: seconds of work.
    heavy = Call("concat", tuple(Ref("request_resource") for _ in range(60)))
    tests = [Regexp(heavy, f"([0-9/]|x){{{20 + number}}}[q-w]") for number in range(40)]
    plan = Aggregate(Scan(TABLE), (), tuple(Fold(f"x{i}", "count", where=test) for i, test in enumerate(tests)))

    said: list[str] = []

    async def body() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(context["message"]))
        running = asyncio.create_task(shared.storage.execute(plan))
        await asyncio.sleep(0.3)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await shared.storage.execute(Limit(Scan(TABLE), 1))
        await asyncio.sleep(0.5)
        gc.collect()
        asyncio.get_running_loop().set_exception_handler(None)

    shared.do(body())
    assert said == [], "a question that was cancelled is no error that nobody has seen"
    left = shared.sql(
        "SELECT count() AS n FROM system.processes WHERE query LIKE '%countIf%' AND query NOT LIKE '%system.processes%'"
    )
    assert left == [{"n": 0}]


def test_a_pattern_that_is_none(shared: Any) -> None:
    with pytest.raises(QueryError, match="no regular expression"):
        shared.query(Filter(Scan(TABLE), Regexp(Ref("endpoint"), "(?=x)")))


def test_grids(shared: Any) -> None:
    shared.clear("prometheus.samples")
    moments = list(range(0, 120, 10))
    data = pa.RecordBatch.from_pydict(
        {
            "timestamp": pa.array([(1_700_000_000 + m) * 10**6 for m in moments], pa.timestamp("us", "UTC")),
            "time": pa.array([1_700_000_000 + m for m in moments], pa.timestamp("s", "UTC")),
            "metric_name": ["x"] * len(moments),
            "series_id": pa.array([5] * len(moments), pa.uint64()),
            "value": [float(2 * m) for m in moments],
        }
    )
    shared.write("prometheus.samples", data)
    start = 1_700_000_000 * 10**9
    plan = Grid(
        Scan("prometheus.samples"),
        ("series_id",),
        "timestamp",
        "value",
        "rate",
        start + 60 * 10**9,
        start + 100 * 10**9,
        20 * 10**9,
        50 * 10**9,
    )
    assert shared.query(plan).to_pylist() == [{"series_id": 5, "values": [2.0, 2.0, 2.0]}]
    with pytest.raises(UnsupportedQuery, match="read the samples instead"):
        shared.query(
            Grid(Scan("prometheus.samples"), ("series_id",), "timestamp", "value", "deriv", start, start, 10**9, 10**9)
        )


def test_health_tells_rows_and_space(shared: Any) -> None:
    shared.clear(TABLE)
    shared.write(TABLE, messages(0, 10))
    health = shared.do(shared.storage.health())
    assert health["state"] == "ok"
    assert health["tables"][TABLE]["rows"] == 10
    assert health["disk_free_bytes"] > 0
    assert health["version"] == STORE_VERSION


@pytest.mark.parametrize("form", ["JSON", "JSONCompact", "JSONColumns", "CSVWithNames", "XML", "Values"])
def test_an_answer_of_several_blocks_is_one_document(shared: Any, form: str) -> None:
    """chDB streams every block as a document of its own."""
    branches = " UNION ALL ".join(f"SELECT {n} AS k, count() AS n FROM numbers({n}) GROUP BY k" for n in (1, 2, 3))
    whole = f"SELECT k, n FROM (SELECT k, n FROM ({branches}) ORDER BY k)"

    def fetched(text: str) -> bytes:
        return shared.do(
            shared.storage.fetch_sql(text, form, settings={}, can_set=True, query_id="", max_rows=100, timeout_s=60)
        )

    data = fetched(f"SELECT k, n FROM ({branches})")
    if form in ("JSON", "JSONCompact"):
        assert json.loads(data)["rows"] == 3
    elif form == "JSONColumns":
        assert sorted(json.loads(data)["k"]) == [1, 2, 3]
    elif form == "CSVWithNames":
        assert sorted(data.decode().split()) == sorted(fetched(whole).decode().split())
    else:
        assert len(data) == len(fetched(whole)) or form == "XML"
        assert data.count(b"<?xml") == (form == "XML")

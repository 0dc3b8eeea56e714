"""Sums by minute: the same answers as from the rows, whatever happened to these."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
from clickhouse_rows import BY_ENDPOINT, BY_MINUTE, BY_SERVICE, LOG, MEASURES, SECOND, START, requests
from metaflow_storage_clickhouse.schema.layout import Layout
from metaflow_storage_clickhouse.schema.migrate import summing

from metaflow_core.api import RecordBatch
from metaflow_core.model.expression import And, Call, Compare, In, Literal, Ref
from metaflow_core.query import Aggregate, Filter, Fold, Measure, Named, Plan, Scan, TimeRange, late, prepare


def plans() -> list[Plan]:
    """Questions that sums are enough for."""
    spans = (
        None,
        TimeRange(START * SECOND, (START + 899) * SECOND),
        TimeRange((START + 47) * SECOND + 1, (START + 400) * SECOND + 7),
    )
    failed = In(Ref("response_status"), (Literal(3), Literal(4)))
    port = Compare("=", Ref("server_port"), Literal(443))
    out: list[Plan] = []
    for span in spans:
        scan: Plan = Scan(LOG, time=span)
        some = Filter(scan, And((failed, Compare("=", Ref("type"), Literal(2)))))
        out += [Aggregate(scan, keys, MEASURES) for keys in (BY_ENDPOINT, (), (*BY_MINUTE, *BY_SERVICE))]
        out += [Aggregate(some, keys, MEASURES) for keys in (BY_SERVICE, BY_MINUTE)]
    out.append(Aggregate(Filter(Scan(LOG), port), BY_SERVICE, MEASURES))
    nobody = Filter(Scan(LOG), Compare("=", Ref("type"), Literal(9)))
    return [*out, Aggregate(nobody, (), MEASURES), Aggregate(nobody, BY_MINUTE, MEASURES)]


def both_ways(store: Any, plan: Plan) -> tuple[list[Any], list[Any]]:
    """The answer from sums, and from rows."""
    storage = store.storage
    kept = storage._compiler
    assert "sums by minute" in storage.explain(plan)
    mine = store.query(plan)
    storage._compiler = replace(kept, sums=lambda table: ())
    assert "sums by minute" not in storage.explain(plan)
    rows = store.query(plan)
    storage._compiler = kept
    assert mine.schema.equals(rows.schema, check_metadata=True)
    return tuple(sorted(each.to_pylist(), key=repr) for each in (mine, rows))  # type: ignore[return-value]


def check(store: Any, questions: list[Plan] | None = None) -> None:
    for plan in plans() if questions is None else questions:
        mine, rows = both_ways(store, plan)
        assert mine == rows, plan


def test_the_answers_are_those_of_the_rows(store: Any) -> None:
    check(store, plans()[-3:])
    for number in range(3):
        store.write(LOG, requests(700, number), f"b{number}")
    store.do(store.storage.learn("device", {1: "web", 2: "web", 3: "db"}))
    check(store)


def test_clickhouse_reads_the_sums(store: Any) -> None:
    """Also of a range that begins and ends in the middle of a minute."""
    store.write(LOG, requests(20_000, 1), "a")
    for keys, name in ((BY_SERVICE, "sums_by_service"), (BY_ENDPOINT, "sums_by_endpoint")):
        for span in (None, TimeRange(START * SECOND, (START + 800) * SECOND)):
            text = store.storage.explain(Aggregate(Scan(LOG, time=span), keys, MEASURES))
            said = "\n".join(row["explain"] for row in store.sql(f"EXPLAIN {text}"))
            assert f"ReadFromMergeTree ({name})" in said


NOT_ENOUGH = (
        Aggregate(Scan(LOG), BY_ENDPOINT, (Measure("p", "Percentile", (Ref("rrt"), Literal(95))),)),
        Aggregate(Scan(LOG), BY_ENDPOINT, (Measure("u", "Uniq", (Ref("ip_0"),)),)),
        Aggregate(Scan(LOG), BY_ENDPOINT, (Measure("b", "Sum", (Ref("request_length"),)),)),
        Aggregate(Scan(LOG), (Named("t", Call("bucket", (Ref("time"), Literal(10)))),), MEASURES),
        Aggregate(Scan(LOG), (Named("t", Call("bucket", (Ref("time"), Literal(60), Literal(7)))),), MEASURES),
        Aggregate(Filter(Scan(LOG), Compare(">", Ref("response_duration"), Literal(5))), BY_ENDPOINT, MEASURES),
        Aggregate(Filter(Scan(LOG), Compare(">", Ref("time"), Literal(START + 30))), BY_ENDPOINT, MEASURES),
        Aggregate(Scan(LOG, time=TimeRange(START * SECOND, (START + 200) * SECOND)), BY_ENDPOINT, MEASURES),
        Aggregate(Scan(LOG), (*BY_ENDPOINT, *BY_SERVICE), MEASURES),
        Aggregate(Scan(LOG), BY_ENDPOINT, (Fold("n", "sum", Ref("response_duration"), where=Compare(">", Ref("request_length"), Literal(0))),)),
)  # fmt: skip


def test_what_sums_do_not_know_is_read_from_the_rows(store: Any) -> None:
    for plan in NOT_ENOUGH:
        assert "sums by minute" not in store.storage.explain(plan), plan


def test_names_that_changed_are_read_from_the_rows(store: Any) -> None:
    """Sums have no second, so they cannot tell which name was valid."""
    store.write(LOG, requests(300, 1), "a")
    store.do(store.storage.learn("device", {1: "old"}))
    store.do(store.storage.learn("device", {1: "new"}, START + 450))
    plan = Aggregate(Scan(LOG), BY_SERVICE, MEASURES)
    assert "sums by minute" not in store.storage.explain(plan)
    assert {"old", "new"} <= set(store.query(plan).column("service").to_pylist())


def test_sums_follow_rows_that_are_changed_or_removed(store: Any) -> None:
    for number in range(2):
        store.write(LOG, requests(500, number), f"b{number}")
    engine = store.storage._engine
    engine.command(f"ALTER TABLE {LOG} DELETE WHERE response_status = 3 SETTINGS mutations_sync = 2")
    check(store, plans()[:3])

    async def tell(batch: RecordBatch) -> RecordBatch:
        data = batch.data
        for name in ("auto_service_id_1", "auto_instance_id_1"):
            index = data.schema.get_field_index(name)
            if index >= 0:
                data = data.set_column(
                    index, data.schema.field(index), pa.array([9] * data.num_rows, data.schema.field(index).type)
                )
        return RecordBatch(batch.table, data)

    assert store.do(store.storage.retag(LOG, START, START + 900, tell)) > 0
    check(store, plans()[2:4])
    services = Aggregate(Scan(LOG), (Named("id", Ref("auto_service_id_1")),), (Fold("n", "count"),))
    assert {row["id"] for row in store.query(services).to_pylist()} == {1, 2, 3, 9}


def test_an_older_store_gets_sums_and_its_rows_are_counted_meanwhile(store: Any) -> None:
    engine, table = store.storage._engine, store.context.catalog.table(LOG)

    def bring(layout: Layout) -> int:
        for statement in summing(engine, table, layout):
            engine.command(statement)
        return int(store.sql("SELECT count() AS n FROM system.projections")[0]["n"])

    assert bring(Layout(minute_sums=False)) == 0
    store.write(LOG, requests(400, 1), "a")
    plan = Aggregate(Scan(LOG), BY_ENDPOINT, MEASURES)
    told = sorted(store.query(plan).to_pylist(), key=repr)
    assert bring(Layout()) == 2
    assert sorted(store.query(plan).to_pylist(), key=repr) == told
    store.write(LOG, requests(400, 2), "b")
    check(store, plans()[:3])
    assert summing(engine, table, Layout()) == []


def test_plans_are_prepared_once_more_without_harm(store: Any) -> None:
    """The compiler sees what ``late`` made of a question, however often."""
    catalog = store.context.catalog
    for plan in plans():
        ready = late(prepare(plan, catalog))
        assert store.storage._compiler.compile(ready).result() == store.storage._compiler.compile(late(ready)).result()

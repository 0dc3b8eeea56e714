"""Names for ids: valid at the row's time, resolved after grouping, grouped again by name; kept over a restart."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from metaflow_storage_memory.storage import MemoryStorage

from metaflow_core.api import RecordBatch
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import Ref, parse_expression
from metaflow_core.query import Aggregate, Filter, Fold, Named, Project, Scan, TimeRange

TABLE = "flow_log.l7_flow_log"
S = 10**9


def fill(store: Any) -> None:
    """Pod 7 is asked at 10, 20 and 30 s; pod 8 at 15 s."""
    data = pa.RecordBatch.from_pydict(
        {
            "time": pa.array([10, 20, 30, 15], pa.int64()),
            "flow_id": pa.array([1, 2, 3, 4], pa.uint64()),
            "pod_id_0": pa.array([7, 7, 7, 8], pa.uint32()),
        }
    )
    store.write(TABLE, data)


def by_pod(store: Any, span: TimeRange | None = None) -> dict[str, int]:
    plan = Aggregate(Scan(TABLE, time=span), (Named("pod", Ref("pod_0")),), (Fold("n", "count"),))
    return {row["pod"]: row["n"] for row in store.query(plan).to_pylist()}


def test_ids_without_a_name_are_numbers_and_0_is_none(store: Any) -> None:
    fill(store)
    assert by_pod(store) == {"7": 3, "8": 1}
    store.do(store.storage.learn("pod", {7: "web"}))
    assert by_pod(store) == {"web": 3, "8": 1}


def test_two_ids_of_one_name_are_one_group(store: Any) -> None:
    fill(store)
    store.do(store.storage.learn("pod", {7: "web", 8: "web"}))
    assert by_pod(store) == {"web": 4}


def test_a_name_is_the_one_of_the_rows_time(store: Any) -> None:
    fill(store)
    store.do(store.storage.learn("pod", {7: "old", 8: "other"}))
    store.do(store.storage.learn("pod", {7: "new"}, 20))
    assert by_pod(store) == {"old": 1, "new": 2, "other": 1}
    assert by_pod(store, TimeRange(0, 20 * S)) == {"old": 1, "other": 1}
    assert by_pod(store, TimeRange(25 * S, 40 * S)) == {"new": 1}
    rows = store.query(Project(Scan(TABLE), (Named("flow_id", Ref("flow_id")), Named("pod", Ref("pod_0"))))).to_pylist()
    assert {row["flow_id"]: row["pod"] for row in rows} == {1: "old", 2: "new", 3: "new", 4: "other"}
    filtered = Project(Filter(Scan(TABLE), parse_expression("pod_0 = 'old'")), (Named("flow_id", Ref("flow_id")),))
    assert store.query(filtered).column("flow_id").to_pylist() == [1]
    exact = Aggregate(Scan(TABLE), (Named("pod", Ref("pod_0")),), (Fold("n", "uniq_exact", Ref("flow_id")),))
    assert {row["pod"]: row["n"] for row in store.query(exact).to_pylist()} == {"old": 1, "new": 2, "other": 1}


def test_names_that_no_row_can_show_are_forgotten(stores: Any) -> None:
    """In memory and in the table; the last name of a number stays, and what rows of now show does not change."""
    opened = stores()
    names = opened.storage._names
    for second, name in ((None, "first"), (1000, "second"), (2000, "third"), (3000, "fourth")):
        opened.do(opened.storage.learn("pod", {7: name}, second))
    opened.do(opened.storage.learn("pod", {8: "old and used"}))
    assert names.forget(-10) == 0, "without rows nothing is known of their age"
    row = {
        "time": pa.array([2500], pa.int64()),
        "flow_id": pa.array([1], pa.uint64()),
        "pod_id_0": pa.array([7], pa.uint32()),
    }
    opened.write(TABLE, pa.RecordBatch.from_pydict(row))
    assert names.forget() == 0, "what was told just now may have rows on their way"
    assert names.forget(-10) == 2
    kept = "SELECT id, valid_from AS s, name AS n FROM flow_tag.names FINAL WHERE dictionary = 'pod' ORDER BY id, s"
    expected = [
        {"id": 7, "s": 0, "n": "third"},
        {"id": 7, "s": 3000, "n": "fourth"},
        {"id": 8, "s": 0, "n": "old and used"},
    ]
    assert opened.sql(kept) == expected
    assert names.changes(["pod"], None) == (3000,)
    shown = "SELECT dictGet('flow_tag.pod', 'name', toUInt64(7), toInt64(%d)) AS n"
    assert [opened.sql(shown % second)[0]["n"] for second in (2500, 3500)] == ["third", "fourth"]
    opened.close()
    again = stores()
    assert again.sql(kept) == expected
    assert again.storage._names.forget(-10) == 0
    plan = Project(Scan(TABLE), (Named("pod", Ref("pod_0")),))
    assert again.query(plan).to_pylist() == [{"pod": "third"}]


def test_names_survive_a_restart(stores: Callable[..., Any]) -> None:
    first = stores()
    fill(first)
    first.do(first.storage.learn("pod", {7: "it's \\ ü", 8: "other"}))
    first.do(first.storage.learn("pod", {7: "new"}, 20))
    first.close()
    second = stores()
    assert by_pod(second) == {"it's \\ ü": 1, "new": 2, "other": 1}
    assert second.do(second.storage.health())["names"] == {"pod": 2}


def test_maps_are_learnt_as_json(store: Any) -> None:
    fill(store)
    store.do(store.storage.learn("pod_label", {7: '{"app": "shop", "n": 3, "a/b": "x"}'}))
    columns = tuple(
        Named(name, Ref(name)) for name in ("flow_id", "k8s.label.app_0", "k8s.label.n_0", "k8s.label.a/b_0")
    )
    rows = {row["flow_id"]: row for row in store.query(Project(Scan(TABLE), columns)).to_pylist()}
    assert rows[1] == {"flow_id": 1, "k8s.label.app_0": "shop", "k8s.label.n_0": "3", "k8s.label.a/b_0": "x"}
    assert rows[4] == {"flow_id": 4, "k8s.label.app_0": "", "k8s.label.n_0": "", "k8s.label.a/b_0": ""}


def test_the_query_groups_by_id_first(store: Any) -> None:
    store.do(store.storage.learn("pod", {7: "web"}))
    plan = Aggregate(Scan(TABLE), (Named("pod", Ref("pod_0")),), (Fold("n", "count"),))
    sql = store.storage.explain(plan)
    assert sql.index("dictGetOrDefault") < sql.index("GROUP BY")
    assert sql.count("GROUP BY") == 2


OWNED = st.fixed_dictionaries(
    {
        **{
            name: st.sampled_from([0, 1, 2, 9])
            for name in ("auto_service_id_0", "auto_service_id_1", "auto_instance_id_1")
        },
        **{name: st.sampled_from([0, 1, 0x0A000001, (1 << 32) - 1]) for name in ("ip4_0", "ip4_1")},
        **{
            name: st.sampled_from([bytes(16), bytes(15) + b"\1", b"\x20\x01" + bytes(14)])
            for name in ("ip6_0", "ip6_1")
        },
        "is_ipv4": st.booleans(),
        "response_duration": st.sampled_from([0, 1, 5]),
        "time": st.sampled_from([10, 20, 30]),
    }
)
OWNED_TYPES = {
    "time": pa.int64(),
    "is_ipv4": pa.bool_(),
    "response_duration": pa.uint64(),
    **dict.fromkeys(("ip6_0", "ip6_1"), pa.binary(16)),
    **dict.fromkeys(("ip4_0", "ip4_1", "auto_service_id_0", "auto_service_id_1", "auto_instance_id_1"), pa.uint32()),
}
OWNERS = ("auto_service_0", "auto_service_1", "auto_instance_1")
BESIDE = ("ip_1", "ip4_1", "auto_service_id_1", "pod_0", "is_ipv4", "time")


def test_owners_are_told_apart_as_in_memory(shared: Any) -> None:
    """An end without an owner is its address, whichever way the groups are made."""
    shared.do(shared.storage.learn("device", {1: "web", 2: "web"}))

    @given(
        rows=st.lists(OWNED, min_size=1, max_size=12),
        keys=st.lists(st.sampled_from([*OWNERS, *BESIDE]), min_size=1, max_size=4, unique=True),
    )
    @settings(max_examples=int(os.environ.get("SAME_EXAMPLES", "25")), deadline=None, database=None)
    def same(rows: list[dict[str, Any]], keys: list[str]) -> None:
        data = pa.RecordBatch.from_pydict(
            {name: pa.array([row[name] for row in rows], t) for name, t in OWNED_TYPES.items()}
        )
        data = data.append_column("flow_id", pa.array(range(data.num_rows), pa.uint64()))
        memory = MemoryStorage(load_catalog())
        memory.learn("device", {1: "web", 2: "web"})
        shared.clear(TABLE)
        folds = (
            Fold("n", "count"),
            Fold("d", "sum", Ref("response_duration"), where=parse_expression("response_duration > 0")),
            Fold("m", "max", Ref("response_duration")),
        )
        plan = Aggregate(Scan(TABLE), tuple(Named(name, Ref(name)) for name in keys), folds)
        shared.do(memory.write(RecordBatch(TABLE, data)))
        shared.write(TABLE, data)
        found, wanted = (
            sorted(tuple(map(str, row.values())) for row in table.to_pylist())
            for table in (shared.query(plan), shared.do(memory.execute(plan)))
        )
        assert found == wanted

    same()

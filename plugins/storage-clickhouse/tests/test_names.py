"""Names for ids: valid at the row's time, resolved after grouping, grouped again by name; kept over a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

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

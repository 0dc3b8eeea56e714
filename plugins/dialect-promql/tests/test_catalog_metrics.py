"""Metrics of the catalogue under PromQL names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from metaflow_dialect_promql.leaf.catalog import catalog_metrics, find_metric
from metaflow_storage_memory.storage import MemoryStorage

from metaflow_core.api import RecordBatch
from metaflow_core.errors import QueryError
from metaflow_core.model.catalog import load_catalog

BASE = 1_800_000_000


@pytest.fixture
def ask(make_app: Callable[[MemoryStorage], Any]) -> Callable[..., Any]:
    """Two pods over five minutes; the second one is silent in the third."""
    storage = MemoryStorage(load_catalog())
    rows: list[dict[str, Any]] = []
    for minute in range(5):
        for pod in (1, 2):
            if pod == 2 and minute == 2:
                continue
            for port in (80, 443):
                rows.append(  # noqa: PERF401 - one row after the other reads better
                    {
                        "time": (BASE + 60 * minute) * 10**9,
                        "pod_id": pod,
                        "server_port": port,
                        "l7_protocol": 20,
                        "request": 10 * pod,
                        "rrt_sum": 1000.0 * pod,
                        "rrt_count": 2,
                        "is_ipv4": True,
                        "ip4": 0x0A000000 + pod,
                    }
                )
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    times = pa.array(columns.pop("time")).cast(pa.timestamp("ns", "UTC")).cast(pa.timestamp("s", "UTC"))
    batch = pa.RecordBatch.from_pydict({"time": times, **columns})
    storage.add(RecordBatch("flow_metrics.application.1m", batch))
    storage.learn("pod", {1: "cart-0", 2: "shop-0"})
    storage.learn(
        "pod_label", {1: '{"app":"cart","app.kubernetes.io/part-of":"mall"}', 2: '{"app":"shop","part_of":"x"}'}
    )
    app = make_app(storage)

    async def run(text: str, at: int = 300) -> list[dict[str, Any]]:
        table = (await app.query("promql", text, time=BASE + at)).table
        return list(table.drop_columns("time").to_pylist())

    return run


async def test_sum_by_tag(ask: Any) -> None:
    assert await ask("sum by (pod) (flow_metrics__application__request__1m)") == [
        {"pod": "cart-0", "value": 20.0},
        {"pod": "shop-0", "value": 40.0},
    ]


async def test_pushing_the_sum_down_changes_nothing(ask: Any) -> None:
    for at in (60, 119, 180, 200, 300, 361):
        pushed = await ask("sum by (pod) (flow_metrics__application__request__1m)", at)
        # Parentheses around a sum with zero keep it from the storage.
        assert pushed == await ask("sum by (pod) (flow_metrics__application__request__1m + 0)", at)
    over = "sum by (pod) (sum_over_time({}[5m]))"
    assert await ask(over.format("flow_metrics__application__request__1m")) == [
        {"pod": "cart-0", "value": 100.0},
        {"pod": "shop-0", "value": 160.0},
    ]


async def test_an_interval_without_traffic_has_no_sample(ask: Any) -> None:
    assert await ask("sum by (pod) (flow_metrics__application__request)", 180) == [{"pod": "cart-0", "value": 20.0}]


async def test_labels_and_matchers(ask: Any) -> None:
    name = "flow_metrics__application__request__1m"
    (row,) = await ask(f'{name}{{pod="shop-0",server_port="443",ip="10.0.0.2"}}')
    assert row["l7_protocol"] == "20"
    assert row["__name__"] == name
    assert len(await ask(f'{name}{{pod=~"cart.*|none"}}')) == 2
    assert len(await ask(f'{name}{{pod!="cart-0"}}')) == 2
    assert await ask(f'{name}{{pod="nobody"}}') == []
    assert await ask(f'{name}{{server_port="eighty"}}') == []
    assert len(await ask(f'{name}{{server_port=~"8.*"}}')) == 2


async def test_keys_of_map_tags_are_labels_where_the_question_names_them(ask: Any) -> None:
    name = "flow_metrics__application__request__1m"
    assert await ask(f"sum by (k8s_label_app) ({name})") == [
        {"k8s_label_app": "cart", "value": 20.0},
        {"k8s_label_app": "shop", "value": 40.0},
    ]
    assert await ask(f'sum({name}{{k8s_label_app="cart"}})') == [{"value": 20.0}]
    # What a label's name cannot hold is an underline, as in labels of Prometheus' targets.
    part = "k8s_label_app_kubernetes_io_part_of"
    assert await ask(f"max by ({part}) ({name})") == [{part: "", "value": 20.0}, {part: "mall", "value": 10.0}]
    assert await ask(f'sum({name}{{k8s_label_none=""}})') == [{"value": 60.0}]
    assert all("k8s_label_app" not in row for row in await ask(name))


async def test_series_that_differ_in_other_keys_only_are_one(ask: Any) -> None:
    name = "flow_metrics__application__request__1m"
    assert await ask(f"sum by (k8s_label_nobody) ({name})") == [{"value": 60.0}]
    assert await ask(f"sum by (k8s_label_nobody) ({name} + 0)") == [{"value": 60.0}]


async def test_a_ratio_is_of_sums(ask: Any) -> None:
    rows = await ask('flow_metrics__application__rrt__1m{server_port="80"}')
    assert [row["value"] for row in rows] == [500.0, 1000.0]


def test_every_metric_has_a_name_that_is_found() -> None:
    catalog = load_catalog()
    names = [each.name for each in catalog_metrics(catalog)]
    assert len(names) == len(set(names)) > 300
    for name in names:
        found = find_metric(name, catalog)
        assert found is not None
        assert found.name == name


def test_what_is_no_name_of_the_catalogue() -> None:
    catalog = load_catalog()
    assert find_metric("http_requests_total", catalog) is None
    assert find_metric("my__own__metric", catalog) is None
    with pytest.raises(QueryError, match="byte"):
        find_metric("flow_metrics__network__bytes", catalog)
    with pytest.raises(QueryError, match="interval"):
        find_metric("flow_metrics__network__byte__fast", catalog)
    rows = find_metric("flow_log__l7_flow_log__request__15s", catalog)
    assert rows is not None
    assert rows.interval_s == 15

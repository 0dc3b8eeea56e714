"""The names of Grafana's service graph and APM table, made from a real capture's requests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from metaflow_storage_memory.storage import MemoryStorage

from metaflow_core import read_pcap
from metaflow_core.model.catalog import load_catalog

SHOP = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"
AT = 1_795_246_045  # the capture is of 2026-11-21T07:27:13Z and 1.9 s long
GRAPH = "traces_service_graph_request"
ENDS = "sum by (client, server) "


@pytest.fixture(scope="module")
def shop() -> MemoryStorage:
    storage = MemoryStorage(load_catalog())
    for batch in read_pcap(SHOP).stream_all():
        if batch.table == "flow_log.l7_flow_log":
            storage.add(batch)
    return storage


@pytest.fixture
def ask(make_app: Callable[[MemoryStorage], Any], shop: MemoryStorage) -> Callable[..., Any]:
    app = make_app(shop)

    async def run(text: str, **params: Any) -> list[dict[str, Any]]:
        table = (await app.query("promql", text, **(params or {"time": AT}))).table
        return list(table.to_pylist())

    return run


async def by(ask: Any, text: str, label: str) -> dict[str, float]:
    return {row[label]: round(row["value"], 6) for row in await ask(text)}


async def test_increase_is_what_the_shop_did(ask: Any) -> None:
    assert await by(ask, f"sum by (server) ({GRAPH}_total)", "server") == {
        "127.0.0.1:18080": 24.0,
        "127.0.0.1:18081": 24.0,
        "127.0.0.1:16379": 42.0,
        "127.0.0.1:13306": 40.0,
        "127.0.0.1:15353": 6.0,
    }
    failed = await by(ask, f"sum by (server) ({GRAPH}_failed_total)", "server")
    assert (failed["127.0.0.1:18080"], failed["127.0.0.1:13306"]) == (3.0, 2.0)
    # what Grafana asks: a rate over the range, times its length, is the number of requests but for extrapolation
    rates = await by(ask, f"{ENDS}(rate({GRAPH}_total[5m]))", "server")
    assert rates["127.0.0.1:16379"] == pytest.approx(42 / 300, rel=0.1)


async def test_buckets_are_cumulative_and_give_quantiles(ask: Any) -> None:
    rows = await ask(f'{GRAPH}_server_seconds_bucket{{server="127.0.0.1:18080"}}')
    counts = [row["value"] for row in sorted(rows, key=lambda row: float(row["le"]))]
    assert counts == sorted(counts)
    assert counts[-1] == 24.0
    p95 = await ask(
        f'histogram_quantile(0.95, sum by (le) (rate({GRAPH}_server_seconds_bucket{{server="127.0.0.1:18080"}}[5m])))'
    )
    assert 0.128 < p95[0]["value"] < 0.256
    mean = await ask(
        f'sum({GRAPH}_server_seconds_sum{{server="127.0.0.1:18080"}}) / sum({GRAPH}_server_seconds_count{{server="127.0.0.1:18080"}})'
    )
    assert 0.03 < mean[0]["value"] < 0.1


async def test_span_metrics(ask: Any) -> None:
    calls = await by(
        ask, 'sum by (status_code) (traces_spanmetrics_calls_total{service="127.0.0.1:18080"})', "status_code"
    )
    assert calls == {"STATUS_CODE_UNSET": 21.0, "STATUS_CODE_ERROR": 3.0}
    names = {
        row["span_name"] for row in await ask('sum by (span_name) (traces_spanmetrics_calls_total{span_name=~"/.*"})')
    }
    assert "/pay/*" in names or any(name.startswith("/pay") for name in names)
    assert await ask('traces_spanmetrics_latency_bucket{service="nobody"}') == []


async def test_over_a_range_counters_never_fall(ask: Any) -> None:
    rows = await ask(f'{GRAPH}_total{{server="127.0.0.1:16379"}}', start=AT - 120, end=AT + 120, step=15)
    values = [row["value"] for row in sorted(rows, key=lambda row: row["time"])]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0.0, 42.0)


async def test_names_are_listed_and_can_be_turned_off(
    make_app: Callable[[MemoryStorage], Any], shop: MemoryStorage
) -> None:
    from metaflow_dialect_promql.config import PromqlConfig

    app = make_app(shop)
    listed = await app.query("promql", "", operation="names", start=AT - 60, end=AT)
    assert f"{GRAPH}_total" in str(listed.table.column(0).to_pylist())
    app.dialect._config = PromqlConfig(trace_metrics=False)
    assert (await app.query("promql", f"{GRAPH}_total", time=AT)).table.num_rows == 0

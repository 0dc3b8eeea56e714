"""Range queries: ours against a running Prometheus on the same samples; both by HTTP on the loopback, answers compared."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path
from statistics import median
from typing import Any

QUERIES = (
    "sum by (job) (rate(http_requests_total[5m]))",
    "rate(http_requests_total[5m])",
    "sum(http_requests_total)",
    "avg by (job) (memory_bytes)",
    "max_over_time(memory_bytes[10m])",
    "topk(5, rate(http_requests_total[5m]))",
    'sum by (job) (rate(http_requests_total{code="500"}[5m])) / sum by (job) (rate(http_requests_total[5m]))',
    "histogram_quantile(0.99, sum by (le, job) (rate(latency_seconds_bucket[5m])))",
    "quantile_over_time(0.9, memory_bytes[10m])",
    "stddev_over_time(memory_bytes[30m])",
    "max_over_time(rate(http_requests_total[5m])[30m:1m])",
)
MINUTES = 180
INTERVAL_S = 15


def samples(base_ms: int, instances: int) -> list[tuple[dict[str, str], list[tuple[int, float]]]]:
    """Counters by code, gauges and histograms of so many instances."""
    import numpy as np

    rng = np.random.default_rng(1)
    steps = MINUTES * 60 // INTERVAL_S
    out: list[tuple[dict[str, str], list[tuple[int, float]]]] = []

    def add(values: Any, shift: int, **labels: str) -> None:
        times = (base_ms + shift + np.arange(steps) * INTERVAL_S * 1000).tolist()
        out.append((labels, list(zip(times, values.tolist(), strict=True))))

    for number in range(instances):
        where = {"job": f"job-{number % 10}", "instance": f"host-{number}:9100"}
        shift = int(rng.integers(101, 899))
        for code in ("200", "404", "500"):
            add(rng.integers(0, 30, steps).cumsum() * 1.0, shift, __name__="http_requests_total", code=code, **where)
        add(50 + rng.normal(0, 3, steps).cumsum().round(3), shift, __name__="memory_bytes", **where)
        buckets = rng.integers(0, 5, (steps, 6)).cumsum(axis=0).cumsum(axis=1) * 1.0
        for index, bound in enumerate(("0.05", "0.1", "0.5", "1", "5", "+Inf")):
            add(buckets[:, index], shift, __name__="latency_seconds_bucket", le=bound, **where)
    return out


class _Ours:
    """Our API under uvicorn in a thread, over the memory storage."""

    def __init__(self, storage: Any) -> None:
        import uvicorn
        from metaflow_dialect_promql.api.service import PrometheusApi
        from metaflow_dialect_promql.config import ApiConfig, PromqlConfig
        from metaflow_dialect_promql.dialect import PromqlDialect

        from metaflow_core.api import Kind, QueryRequest, QueryResult
        from metaflow_core.api.clock import SystemClock
        from metaflow_core.model.catalog import load_catalog
        from metaflow_core.testing import build_context

        dialect = PromqlDialect(load_catalog(), PromqlConfig(), SystemClock())

        class App:
            async def query(self, _: str, text: str, /, *, timeout_s: float = 60.0, **params: Any) -> QueryResult:
                return await dialect.query(QueryRequest(text=text, params=params, timeout_s=timeout_s), storage)

        context = build_context(Kind.SERVICE, "prometheus_api", clock=SystemClock(), services={"app": App()})
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        app = PrometheusApi(context, ApiConfig()).application()
        self._server = uvicorn.Server(uvicorn.Config(app, port=self.port, log_level="error", lifespan="off"))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()), daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        self._server.should_exit = True
        self._thread.join(10)


def ask(port: int, query: str, start: int, end: int, step: int) -> tuple[float, Any]:
    """Seconds of an answer, and the answer."""
    import http.client

    body = urllib.parse.urlencode({"query": query, "start": start, "end": end, "step": step})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    began = time.perf_counter()
    connection.request("POST", "/api/v1/query_range", body, {"Content-Type": "application/x-www-form-urlencoded"})
    raw = connection.getresponse().read()
    seconds = time.perf_counter() - began
    connection.close()
    return seconds, json.loads(raw)


def main(arguments: list[str]) -> int:
    """Print the times; a number of instances (ten series each) may be given, ``--json`` for machines."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "plugins/dialect-promql/tests/compare"))
    from compare import difference, feed, store  # type: ignore[import-not-found]
    from prometheus import Prometheus, missing  # type: ignore[import-not-found]

    from bench.machine import machine

    why = missing()
    if why is not None:
        print(f"nothing to measure against: {why}")
        return 2
    instances = next((int(each) for each in arguments if each.isdecimal()), 100)
    base_ms = (int(time.time()) // 3600 - 5) * 3_600_000
    series = samples(base_ms, instances)
    end = base_ms // 1000 + MINUTES * 60 - 53
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        server = Prometheus(Path(folder))
        ours = _Ours(store(series))
        try:
            feed(server, series, base_ms)
            for query in QUERIES:
                window = (end - 7200, end, 60)
                pairs = [(ask(ours.port, query, *window), ask(server.port, query, *window)) for _ in range(5)]
                same = difference(pairs[0][0][1], pairs[0][1][1], False) is None
                mine, theirs = (median(pair[side][0] for pair in pairs) for side in (0, 1))
                rows.append({"query": query, "ours_s": mine, "prometheus_s": theirs, "same": same})
        finally:
            ours.stop()
            server.stop()
    what = f"{len(series)} series of {MINUTES * 60 // INTERVAL_S} samples; 121 steps of 60 s; memory storage"
    if "--json" in arguments:
        print(json.dumps({"machine": machine(), "what": what, "rows": rows}, indent=2))
        return 0
    print(machine())
    print(f"{what}; median of 5, Prometheus by HTTP on the same machine")
    for row in rows:
        ratio = row["ours_s"] / row["prometheus_s"]
        equal = "" if row["same"] else "   answers differ"
        print(
            f"  {row['ours_s'] * 1000:8.1f} ms  {row['prometheus_s'] * 1000:8.1f} ms  {ratio:5.2f} x  {row['query']}{equal}"
        )
    return 0

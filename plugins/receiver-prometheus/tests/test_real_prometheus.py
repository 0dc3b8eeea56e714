"""A real Prometheus scrapes itself, writes to the receiver, and reads back through remote read; nothing of it is changed."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from metaflow_receiver_prometheus.collector import PrometheusReceiver
from metaflow_receiver_prometheus.config import PrometheusConfig
from starlette.applications import Starlette
from starlette.routing import Mount

from metaflow_core.api import Kind, QueryRequest, QueryResult
from metaflow_core.api.clock import SystemClock
from metaflow_core.model.catalog import load_catalog
from metaflow_core.testing import build_context

promql = pytest.importorskip(
    "metaflow_dialect_promql.dialect", reason="the plugin metaflow-dialect-promql is not installed"
)
memory = pytest.importorskip(
    "metaflow_storage_memory.storage", reason="the plugin metaflow-storage-memory is not installed"
)

pytestmark = [
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("prometheus") is None,
        reason="the program 'prometheus' is not installed (apt-get install prometheus)",
    ),
]


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _App:
    def __init__(self) -> None:
        self.storage = memory.MemoryStorage(load_catalog())
        config = __import__("metaflow_dialect_promql.config", fromlist=["PromqlConfig"]).PromqlConfig()
        self.dialect = promql.PromqlDialect(load_catalog(), config, SystemClock())

    async def query(self, dialect: str, text: str, /, *, timeout_s: float = 60.0, **params: Any) -> QueryResult:
        del dialect
        found: QueryResult = await self.dialect.query(
            QueryRequest(text=text, params=params, timeout_s=timeout_s), self.storage
        )
        return found


def _supports_v2() -> bool:
    text = subprocess.run(["prometheus", "--version"], capture_output=True, text=True, check=False)
    number = (text.stdout + text.stderr).split("version ")[1].split("+")[0].split(" ")[0]
    return tuple(int(part) for part in number.split(".")[:2]) >= (2, 54)


class _Setup:
    def __init__(self, app: _App, ours: int, theirs: int, log: Path) -> None:
        self.app = app
        self.ours = ours
        self.theirs = theirs
        self.log = log

    async def get(self, port: int, path: str, **parameters: str) -> Any:
        def fetch() -> Any:
            url = f"http://127.0.0.1:{port}{path}?{urllib.parse.urlencode(parameters)}"
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)

        return await asyncio.to_thread(fetch)

    async def until(self, count: int, query: str) -> float:
        """Waits for so many samples of a series; gives what there is after a minute."""
        found = 0.0
        for _ in range(120):
            body = await self.get(self.ours, "/prom/api/v1/query", query=query)
            rows = body["data"]["result"]
            found = float(rows[0]["value"][1]) if rows else 0.0
            if found >= count:
                break
            await asyncio.sleep(0.5)
        return found


@pytest.fixture(params=["1.0", "2.0"])
async def setup(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[_Setup]:
    if request.param == "2.0" and not _supports_v2():
        pytest.skip("this prometheus is older than 2.54 and sends remote write 1.0 only")
    from metaflow_dialect_promql.api.service import PrometheusApi
    from metaflow_dialect_promql.config import ApiConfig

    app = _App()
    receiver = PrometheusReceiver(
        build_context(Kind.COLLECTOR, "prometheus", clock=SystemClock()), PrometheusConfig(port=0)
    )
    await receiver.start()
    emitting = asyncio.create_task(receiver.run(app.storage.write))
    ours, theirs = _port(), _port()
    context = build_context(Kind.SERVICE, "prometheus_api", clock=SystemClock(), services={"app": app})
    api = Starlette(routes=[Mount("/prom", PrometheusApi(context, ApiConfig()).application())])
    server = uvicorn.Server(uvicorn.Config(api, host="127.0.0.1", port=ours, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.05)
    message = "protobuf_message: io.prometheus.write.v2.Request" if request.param == "2.0" else ""
    (tmp_path / "prometheus.yml").write_text(
        f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: self
    static_configs: [{{targets: ["127.0.0.1:{theirs}"]}}]
remote_write:
  - url: http://127.0.0.1:{receiver.port}/api/v1/write
    send_exemplars: true
    metadata_config: {{send_interval: 1s}}
    {message}
remote_read:
  - url: http://127.0.0.1:{ours}/prom/api/v1/read
    read_recent: true
"""
    )
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: ASYNC220 - only to start it
            [
                "prometheus",
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/tsdb",
                f"--web.listen-address=127.0.0.1:{theirs}",
            ],
            stdout=out,
            stderr=out,
        )
        try:
            yield _Setup(app, ours, theirs, log)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 30)
            emitting.cancel()
            await asyncio.wait([emitting])
            await receiver.stop()
            server.should_exit = True
            await asyncio.wait([serving])


async def test_a_real_prometheus_fills_the_store_and_reads_it(setup: _Setup) -> None:
    assert await setup.until(5, 'count_over_time(up{job="self"}[10m])') >= 5
    body = await setup.get(setup.ours, "/prom/api/v1/query", query="up")
    (row,) = body["data"]["result"]
    assert row["metric"]["__name__"] == "up"
    assert row["value"][1] == "1"
    assert "non-recoverable" not in setup.log.read_text()

    # The same series, sample for sample, on both sides.
    at = str(float(row["value"][0]) - 2)
    sent = 'prometheus_http_requests_total{handler="/metrics"}[30s]'
    mine = (await setup.get(setup.ours, "/prom/api/v1/query", query=sent, time=at))["data"]["result"]
    theirs = (await setup.get(setup.theirs, "/api/v1/query", query=sent, time=at))["data"]["result"]
    assert mine
    assert mine == theirs

    # What only we have, Prometheus gets by remote read.
    only_ours = await setup.get(setup.theirs, "/api/v1/query", query="count(only_here)")
    assert only_ours["data"]["result"] == []
    await _store_one(setup.app)
    read = await setup.get(setup.theirs, "/api/v1/query", query="only_here")
    assert [(r["metric"], r["value"][1]) for r in read["data"]["result"]] == [
        ({"__name__": "only_here", "kind": "x"}, "42")
    ]
    assert "warnings" not in read

    # Numbers and steps of every kind come through its own decoder of chunks bit by bit, several frames of them.
    await _store_many(setup.app)
    for window in ("59m", "1h"):
        query = f"odd_numbers[{window}]"
        mine = (await setup.get(setup.ours, "/prom/api/v1/query", query=query, time=at))["data"]["result"]
        theirs = (await setup.get(setup.theirs, "/api/v1/query", query=query, time=at))["data"]["result"]
        assert len(mine[0]["values"]) > 3000
        assert mine == theirs

    metadata = await setup.get(setup.ours, "/prom/api/v1/metadata", metric="prometheus_http_requests_total")
    assert metadata["data"]["prometheus_http_requests_total"][0]["type"] == "counter"


async def _store_many(app: _App) -> None:
    import random

    from metaflow_receiver_prometheus.decode import Received

    from metaflow_core.api import RecordBatch

    made = random.Random(1)
    now = SystemClock().time_ns() // 1_000_000
    at, samples = now - 3_500_000, []
    while at < now - 5000:
        value = made.choice(
            [0.0, 1.5, -1e300, 5e-324, float("inf"), made.random(), float(made.randrange(10**6)), float("nan")]
        )
        samples.append((at, value))
        at += made.choice([1, 15, 1000, 1000, 1000, 1000, 1017, 9000 if made.random() < 0.02 else 1000])
    received = Received()
    received.add((("__name__", "odd_numbers"), ("kind", "y")), samples)
    received.add((("__name__", "odd_numbers"), ("kind", "x")), samples)
    batch = received.batch()
    assert batch is not None
    await app.storage.write(RecordBatch("prometheus.samples", batch))


async def _store_one(app: _App) -> None:
    from metaflow_receiver_prometheus.decode import Received

    from metaflow_core.api import RecordBatch

    received = Received()
    received.add((("__name__", "only_here"), ("kind", "x")), [(SystemClock().time_ns() // 1_000_000 - 500, 42.0)])
    batch = received.batch()
    assert batch is not None
    await app.storage.write(RecordBatch("prometheus.samples", batch))

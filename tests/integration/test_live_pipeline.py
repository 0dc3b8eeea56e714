"""The live way of the data: AF_PACKET to engine to storage, against a real server on loopback."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import threading
from collections.abc import Iterator

import pytest

import metaflow_core as mf
from metaflow_core.query import Scan
from metaflow_core.testing import capture_refused

REQUESTS = 200


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status = 500 if self.path.startswith("/bad") else 200
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def ask(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for number in range(REQUESTS):
        connection.request("GET", f"/{'bad' if number % 10 == 0 else 'good'}/{number}")
        connection.getresponse().read()
    connection.close()


@pytest.mark.root
@pytest.mark.skipif(bool(capture_refused()), reason=capture_refused())
async def test_every_exchange_of_a_live_server_is_stored(port: int) -> None:
    config = {
        "collectors": {"cbpf": {"interfaces": ["lo"], "filter": f"tcp port {port}", "ring_mib": 8, "retire_ms": 5}},
        "pipelines": {"live": {"collectors": ["cbpf"], "parsers": ["*"], "storages": ["memory"]}},
    }
    async with mf.App(config, autoload=True) as app:
        await asyncio.sleep(0.3)
        await asyncio.to_thread(ask, port)
        storage = app._runtime.generation.units  # the storage itself, to ask it without a dialect
        memory = next(unit.component for key, unit in storage.items() if key[0] is mf.Kind.STORAGE)
        table = None
        for _ in range(100):
            await asyncio.sleep(0.1)
            table = await memory.execute(Scan(table="flow_log.l7_flow_log"))
            if table.num_rows >= REQUESTS:
                break
        assert table is not None
        assert table.num_rows == REQUESTS
        codes = table.column("response_code").to_pylist()
        assert codes.count(500) == REQUESTS // 10
        assert codes.count(200) == REQUESTS - REQUESTS // 10
        counts = {(sample.component, sample.stage, sample.reason): sample.value for sample in app.stats()}
        assert not [key for key in counts if key[1] == "dropped" and counts[key]], counts

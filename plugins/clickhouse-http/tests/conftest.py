"""A real app: a capture read into an embedded store, and this service over it, on a free port of loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.sdk import SyncApp
from metaflow_core.testing import free_port

CAPTURE = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"


class Server:
    """Where the service is. :ivar app: the running app."""

    def __init__(self, app: SyncApp, port: int) -> None:
        self.app = app
        self.port = port
        self.url = f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service over the rows of the shop's capture."""
    pytest.importorskip("chdb", reason="the embedded store is chDB")
    port = free_port()
    config: dict[str, Any] = {
        "collectors": {"pcap": {"files": [str(CAPTURE)]}},
        "engines": {"flow": {}},
        "parsers": {"http": {}, "redis": {}, "mysql": {}, "dns": {}},
        "storages": {"clickhouse": {"path": str(tmp_path_factory.mktemp("store")), "retention": "forever"}},
        "dialects": {"sql": {}},
        "services": {"clickhouse_http": {"listen": f"127.0.0.1:{port}", "max_rows": 100_000, "max_concurrent": 4}},
        "pipelines": {
            "p": {
                "collectors": ["pcap"],
                "engine": "flow",
                "parsers": ["http", "redis", "mysql", "dns"],
                "storages": ["clickhouse"],
            }
        },
    }
    with SyncApp(config, autoload=True) as app:
        _wait(lambda: app.query("sql", "SELECT Count(row) AS n FROM l7_flow_log").table["n"][0].as_py() >= 100)
        yield Server(app, port)


def _wait(ready: Callable[[], bool]) -> None:
    import time

    end = time.monotonic() + 60
    while not ready():
        if time.monotonic() > end:
            pytest.fail("the capture was not stored within a minute")
        time.sleep(0.1)

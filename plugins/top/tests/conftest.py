"""A running instance with the shop's capture in it, once for all tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from metaflow_top.child import Child
from metaflow_top.server import Server

CAPTURE = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"


@pytest.fixture(scope="session")
def instance() -> Iterator[Server]:
    with Child(["--pcap", str(CAPTURE)]) as server:
        for _ in range(200):
            rows = server.ask("flow_log", "SELECT Count(row) AS n FROM l7_flow_log").rows
            if rows and rows[0][0] == 136:
                break
            time.sleep(0.2)
        yield server

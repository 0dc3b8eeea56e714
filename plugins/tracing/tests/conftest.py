"""What the tests of this plugin share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from metaflow_storage_memory.storage import MemoryStorage
from metaflow_tracing.config import TracingConfig
from metaflow_tracing.rules.load import load_rules
from metaflow_tracing.service import TracingService
from starlette.testclient import TestClient

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.model.catalog import load_catalog
from metaflow_core.testing import FakeClock, build_context

sys.path.insert(0, str(Path(__file__).parent))

TABLE = "flow_log.l7_flow_log"


@pytest.fixture(scope="session")
def rules() -> dict[str, Any]:
    """The plugin's own rules."""
    return load_rules()


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage(load_catalog())


@pytest.fixture
def fill(storage: MemoryStorage) -> Callable[[list[dict[str, Any]]], None]:
    """Store rows."""
    from synth import batch_of

    def add(rows: list[dict[str, Any]]) -> None:
        storage.add(RecordBatch(TABLE, batch_of(rows)))

    return add


class Mounted:
    """The service's routes as the querier mounts them."""

    def __init__(self, service: TracingService) -> None:
        self._routes = {route.path: route.app for route in service.routes()}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        for path, app in self._routes.items():
            if scope["path"] == path or scope["path"].startswith(f"{path}/"):
                await app({**scope, "root_path": path}, receive, send)
                return
        raise AssertionError(scope["path"])


@pytest.fixture
def client(storage: MemoryStorage) -> TestClient:
    """A client of the three APIs over the memory storage."""
    from synth import BASE_US

    clock = FakeClock(start_ns=(BASE_US + 60_000_000) * 1000)
    context = build_context(Kind.SERVICE, "tracing", clock=clock, services={"storages": {"memory": storage}})
    return TestClient(Mounted(TracingService(context, TracingConfig())), raise_server_exceptions=False)

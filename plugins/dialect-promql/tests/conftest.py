"""A store with samples and flow metrics, and the dialect over it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from metaflow_dialect_promql.config import ApiConfig, PromqlConfig
from metaflow_dialect_promql.dialect import PromqlDialect
from metaflow_storage_memory.storage import MemoryStorage

from metaflow_core.api import Kind, QueryRequest, QueryResult
from metaflow_core.api.clock import SystemClock
from metaflow_core.model.catalog import load_catalog
from metaflow_core.testing import build_context

sys.path.insert(0, str(Path(__file__).parent / "compare"))

BASE_S = 1_800_000_000


class App:
    """As much of a running app as the API needs."""

    def __init__(self, storage: MemoryStorage) -> None:
        self.storage = storage
        self.dialect = PromqlDialect(load_catalog(), PromqlConfig(), SystemClock())

    async def query(self, dialect: str, text: str, /, *, timeout_s: float = 60.0, **params: Any) -> QueryResult:
        """Ask."""
        assert dialect == "promql"
        return await self.dialect.query(QueryRequest(text=text, params=params, timeout_s=timeout_s), self.storage)


@pytest.fixture(scope="session")
def stored() -> MemoryStorage:
    """The samples of the comparison, from ``BASE_S`` on."""
    from compare import store
    from dataset import dataset

    return store(dataset(BASE_S * 1000))


@pytest.fixture
def app(stored: MemoryStorage) -> App:
    return App(stored)


@pytest.fixture
def api(app: App) -> Any:
    """The HTTP API as an ASGI application."""
    from metaflow_dialect_promql.api.service import PrometheusApi

    context = build_context(Kind.SERVICE, "prometheus_api", clock=SystemClock(), services={"app": app})
    return PrometheusApi(context, ApiConfig()).application()


@pytest.fixture
def make_app() -> Callable[[MemoryStorage], App]:
    return App

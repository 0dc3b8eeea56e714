"""The rows of a real capture, read once: in the memory storage for the dialect, in DuckDB for a second opinion."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from metaflow_dialect_sql.dialect import SqlDialect

from metaflow_core.api import QueryRequest, QueryResult
from metaflow_core.sdk import Capture, read_pcap

sys.path.insert(0, str(Path(__file__).parent))  # shop_cases.py

CAPTURE = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"
TABLES = {
    "l7": "flow_log.l7_flow_log",
    "l4": "flow_log.l4_flow_log",
    "net": "flow_metrics.network.1s",
    "netm": "flow_metrics.network.1m",
    "app": "flow_metrics.application.1s",
    "appm": "flow_metrics.application_map.1s",
}


@pytest.fixture(scope="session")
def capture() -> Capture:
    return read_pcap(CAPTURE)


@pytest.fixture(scope="session")
def storage(capture: Capture) -> Any:
    store = pytest.importorskip(
        "metaflow_storage_memory.storage", reason="the rows are asked in the memory storage"
    ).MemoryStorage(capture.catalog)
    for batch in capture.stream_all():
        store.add(batch)
    return store


@pytest.fixture
def dialect(capture: Capture) -> SqlDialect:
    return SqlDialect(capture.catalog)


@pytest.fixture
def ask(dialect: SqlDialect, storage: Any) -> Callable[..., Any]:
    async def asked(text: str, *, max_rows: int = 1_000_000, timeout_s: float = 60.0, **params: Any) -> QueryResult:
        return await dialect.query(
            QueryRequest(text=text, params=params, max_rows=max_rows, timeout_s=timeout_s), storage
        )

    return asked


@pytest.fixture(scope="session")
def duck(capture: Capture) -> Iterator[Any]:
    """The same rows as people see them, in another engine."""
    duckdb = pytest.importorskip("duckdb", reason="DuckDB gives the second opinion")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name, table in TABLES.items():
        connection.register(name, capture.table(table).to_arrow())
    yield connection
    connection.close()

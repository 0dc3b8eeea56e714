"""A real uvicorn on a free port of loopback, over an app that is told what to answer; and one over a real capture."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pyarrow as pa
import pytest
from metaflow_querier.config import QuerierConfig
from metaflow_querier.service import QuerierService

from metaflow_core.api import Kind, QueryResult
from metaflow_core.cli.root import run_cli
from metaflow_core.errors import QuerySyntaxError, StorageError, UnsupportedQuery
from metaflow_core.hooks.host import PluginHost
from metaflow_core.testing import build_context

CAPTURE = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"


class FakeApp:
    """Answers by the first word of the question; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.cancelled = asyncio.Event()
        self.begun = asyncio.Event()
        self.states = {"storage": "running", "dialect": "running"}
        self.host = PluginHost()
        self.config = SimpleNamespace(pipelines={}, service=SimpleNamespace(data_dir=None))

    async def query(self, dialect: str, text: str, /, **params: Any) -> QueryResult:
        self.asked.append((dialect, text, params))
        match text.split(maxsplit=1)[0]:
            case "wrong":
                raise QuerySyntaxError("there is no column 'x'", 7)
            case "unable":
                raise UnsupportedQuery("nothing here can")
            case "gone":
                raise StorageError("the store is not there")
            case "defect":
                raise RuntimeError("a secret detail")
            case "slow":
                self.begun.set()
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    self.cancelled.set()
                    raise
        table = pa.table(
            {
                "t": pa.array([1_700_000_000, None], pa.timestamp("s", "UTC")),
                "v": pa.array([1.5, float("nan")]),
                "l": pa.array([["a", "b"], []], pa.list_(pa.utf8())),
                "b": pa.array([b"\x00\x01", None]),
                "n": pa.array([2**63, 1], pa.uint64()),
            }
        )
        return QueryResult(table=table, units={"v": "us"}, warnings=("something was cut",), physical="SELECT 1")

    def status(self) -> list[dict[str, Any]]:
        return [
            {"kind": kind, "id": "sql" if kind == "dialect" else "memory", "state": state}
            for kind, state in self.states.items()
        ]

    def stats(self) -> list[Any]:
        return []


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, *arguments: str) -> None:
        out, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            self.returncode = run_cli(arguments)
        self.stdout, self.stderr = (each.buffer.getvalue().decode() for each in (out, errors))  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def mflow() -> Callable[..., Said]:
    """Runs ``mflow`` as a person would, in this process: a new one costs two seconds of imports, and there are forty."""
    return Said


@pytest.fixture
def fake() -> FakeApp:
    return FakeApp()


@pytest.fixture
async def serve(fake: FakeApp) -> AsyncIterator[Callable[..., Any]]:
    """Starts a querier; gives a client for it."""
    started: list[QuerierService] = []
    clients: list[httpx.AsyncClient] = []

    async def make(services: dict[str, Any] | None = None, verify: Any = True, **options: Any) -> httpx.AsyncClient:
        config = QuerierConfig.model_validate({"listen": "127.0.0.1:0", **options})
        service = QuerierService(
            build_context(Kind.SERVICE, "querier", services={"app": fake, **(services or {})}), config
        )
        await service.start()
        started.append(service)
        client = httpx.AsyncClient(base_url=service.url, verify=verify)
        client.service = service  # type: ignore[attr-defined]
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.aclose()
    for service in started:
        await service.stop()

"""Stores that tests share or have for themselves. One directory a process is chDB's rule, so a shared store is closed before another opens."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_clickhouse.config import ClickHouseConfig
from metaflow_storage_clickhouse.storage import ClickHouseStorage

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.model.catalog import load_catalog
from metaflow_core.query import Plan
from metaflow_core.testing import build_context


class Store:
    """A storage with a loop of its own, for tests that are not asynchronous."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.reports: list[tuple[str, str]] = []
        self.context = build_context(Kind.STORAGE, "clickhouse", data_dir=path, reports=self.reports)
        self.storage = ClickHouseStorage.of(self.context, ClickHouseConfig(linger_ms=0, **options))
        self.do(self.storage.start())

    def do(self, awaitable: Any) -> Any:
        return self.loop.run_until_complete(awaitable)

    def write(self, table: str, data: pa.RecordBatch, batch_id: str = "") -> None:
        self.do(self.storage.write(RecordBatch(load_catalog().table(table).name, data, batch_id)))

    def query(self, plan: Plan) -> pa.Table:
        return self.do(self.storage.execute(plan))

    def sql(self, text: str) -> list[dict[str, Any]]:
        return self.storage._engine.query(text).to_pylist()

    def clear(self, *tables: str) -> None:
        """Empties tables, and what the writer remembers."""
        for table in tables:
            database, _, name = load_catalog().table(table).name.partition(".")
            self.storage._engine.command(f"TRUNCATE TABLE `{database}`.`{name}`")
        assert self.storage._writer is not None
        self.storage._writer._done.clear()

    def close(self) -> None:
        self.do(self.storage.stop())
        self.loop.close()


class Templates:
    """New stores, made once a session and copied: the statements that make one take seconds, and are no test's subject but one's."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._made: dict[str, Path] = {}

    def open(self, path: Path, **options: Any) -> Store:
        """A store in a directory, new if there is none in it."""
        self.copy(path, str(options.get("retention", "default")))
        return Store(path, **options)

    def copy(self, path: Path, retention: str = "default") -> None:
        """The files of a new store, where there is none."""
        if (path / "clickhouse").exists():
            return
        if retention not in self._made:
            made = self._factory.mktemp("template")
            Store(made, retention=retention).close()
            self._made[retention] = made
        shutil.copytree(self._made[retention], path, symlinks=True, dirs_exist_ok=True)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """New stores."""
    return Templates(tmp_path_factory)


@pytest.fixture
def store(tmp_path: Path, templates: Templates) -> Iterator[Store]:
    """A store of the test's own."""
    opened = templates.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[Store]:
    """A store that the tests of a module share; clear what you write."""
    opened = templates.open(tmp_path_factory.mktemp("shared"), retention="forever")
    yield opened
    opened.close()


@pytest.fixture
def stores(tmp_path: Path, templates: Templates) -> Iterator[Callable[..., Store]]:
    """Opens stores in the test's directory, one after the other."""
    opened: list[Store] = []

    def open_(**options: Any) -> Store:
        opened.append(templates.open(tmp_path, **options))
        return opened[-1]

    yield open_
    for each in opened:
        if each.storage._writer is not None:
            each.close()

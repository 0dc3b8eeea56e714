"""Stores that tests share or have for themselves. One directory a process is chDB's rule, so a shared store is closed before another opens."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
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

sys.path.insert(0, str(Path(__file__).parent))  # clickhouse_rows.py, cluster_of_one.py


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


class Double:
    """A server process that can be stopped and started again on the same port and data.

    :param script: ``http_double.py`` or ``native_double.py``. :param options: for its command line.
    """

    def __init__(self, path: Path, script: str, *options: str) -> None:
        self.path = path
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._script = script
        self._options = options
        self.start()

    def start(self) -> None:
        port = [str(self.port)] if self.port else []
        command = [sys.executable, str(Path(__file__).parent / self._script), str(self.path), *port, *self._options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    @property
    def url(self) -> str:
        scheme = "clickhouse+native" if self._script.startswith("native") else "clickhouse"
        return f"{scheme}://127.0.0.1:{self.port}"


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


class Doubles:
    """Starts servers in a directory: with the tables of a new store, or with nothing."""

    def __init__(self, path: Path, templates: Templates) -> None:
        self._path = path
        self._templates = templates
        self._started: list[Double] = []

    def __call__(self, script: str, *options: str, made: bool = True) -> Double:
        count = len(self._started)
        path = self._path / f"server-{count}"
        if made:
            self._templates.copy(self._path / f"template-{count}")
            (self._path / f"template-{count}" / "clickhouse" / "data").rename(path)
        self._started.append(Double(path, script, *options))
        return self._started[-1]

    def close(self) -> None:
        for each in self._started:
            each.kill()


@pytest.fixture
def doubles(tmp_path: Path, templates: Templates) -> Iterator[Doubles]:
    """Servers of the test's own."""
    made = Doubles(tmp_path, templates)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared_doubles(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[Doubles]:
    """Servers that the tests of a module share."""
    made = Doubles(tmp_path_factory.mktemp("servers"), templates)
    yield made
    made.close()

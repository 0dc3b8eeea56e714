"""Who may open a store, and what is said when it cannot be."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_clickhouse.config import ClickHouseConfig
from metaflow_storage_clickhouse.schema.migrate import STORE_VERSION
from metaflow_storage_clickhouse.storage import ClickHouseStorage

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.errors import ConfigError, QueryError, StartError, StorageError, UnwritableStore
from metaflow_core.query import Scan
from metaflow_core.testing import build_context

OPEN = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from metaflow_storage_clickhouse.config import ClickHouseConfig
    from metaflow_storage_clickhouse.storage import ClickHouseStorage
    from metaflow_core.api import Kind
    from metaflow_core.testing import build_context

    async def main():
        storage = ClickHouseStorage.of(build_context(Kind.STORAGE, "c", data_dir=Path(sys.argv[1])), ClickHouseConfig())
        try:
            await storage.start()
        except Exception as error:
            print(type(error).__name__, error)
        else:
            print("opened")
            await storage.stop()

    asyncio.run(main())
    """
)


def opened_by_another(path: Path) -> str:
    """What another process gets that opens the store."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout + done.stderr


def rows(count: int = 1) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {"time_ns": pa.array([10**18] * count), "flow_id": pa.array(range(count), pa.uint64())}
    )


def test_a_second_process_is_told_who_owns_the_store(store: Any, tmp_path: Path) -> None:
    said = opened_by_another(tmp_path)
    assert "StartError" in said
    assert f"in use by the process with the id {os.getpid()}" in said
    store.close()
    assert "opened" in opened_by_another(tmp_path)
    store.do = lambda awaitable: awaitable.close()  # the fixture's own close has nothing left to do
    store.loop = asyncio.new_event_loop()


def test_a_second_store_in_one_process_is_refused(store: Any, tmp_path: Path) -> None:
    async def open_(path: Path) -> None:
        await ClickHouseStorage.of(build_context(Kind.STORAGE, "c", data_dir=path), ClickHouseConfig()).start()

    with pytest.raises(StartError, match="in use by this process already"):
        asyncio.run(open_(tmp_path))
    with pytest.raises(StartError, match="one directory a process"):
        asyncio.run(open_(tmp_path / "other"))


def test_a_fork_is_refused_instead_of_waiting_for_ever(store: Any) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            store.storage._engine.query("SELECT 1")
            os.write(write, b"answered")
        except BaseException as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    said = os.read(read, 4096).decode()
    os.waitpid(child, 0)
    assert f"opened by the process {os.getpid()}" in said
    assert "spawn" in said
    assert store.sql("SELECT 1 AS x") == [{"x": 1}]


def mounted(place: Path, options: str) -> Iterator[Path]:
    """A disk in memory."""
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"a disk for the test cannot be mounted: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that cannot be written."""
    yield from mounted(tmp_path / "disk", "ro")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB."""
    yield from mounted(tmp_path / "disk", "size=64m")


def test_a_read_only_directory_is_told(read_only_disk: Path) -> None:
    storage = ClickHouseStorage.of(build_context(Kind.STORAGE, "c", data_dir=read_only_disk), ClickHouseConfig())
    with pytest.raises(StartError, match=r"cannot be written \(Read-only file system\); make it writable"):
        asyncio.run(storage.start())


def test_a_path_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "clickhouse").write_text("x")
    storage = ClickHouseStorage.of(build_context(Kind.STORAGE, "c", data_dir=tmp_path), ClickHouseConfig())
    with pytest.raises(StartError, match="no directory"):
        asyncio.run(storage.start())


def test_a_full_disk_keeps_the_batch_with_the_caller(small_disk: Path, tmp_path: Path) -> None:
    reports: list[tuple[str, str]] = []
    context = build_context(Kind.STORAGE, "c", data_dir=small_disk, reports=reports)
    storage = ClickHouseStorage.of(context, ClickHouseConfig(linger_ms=0, codec="NONE"))
    noise = small_disk / "noise"

    async def body() -> None:
        await storage.start()
        await storage.write(RecordBatch("flow_log.explain", rows(10), "first"))
        number, refused = -1, None
        while refused is None and number < 50:
            number += 1
            # Again and again: the engine frees files of its own.
            with noise.open("ab", buffering=0) as out, contextlib.suppress(OSError):
                while True:
                    out.write(bytes(4096))
            try:
                await storage.write(RecordBatch("flow_log.explain", rows(1000), f"more-{number}"))
            except UnwritableStore as error:
                refused = str(error)
        assert refused is not None
        assert "is full; free some space" in refused
        assert "keep it and send it again" in refused
        health = await storage.health()
        assert health["state"] == "degraded"
        assert "is full" in health["why"]
        noise.unlink()
        await storage.write(RecordBatch("flow_log.explain", rows(1000), f"more-{number}"))
        assert (await storage.health())["state"] == "ok"
        found = await storage.execute(Scan("flow_log.explain", ("flow_id",)))
        assert found.num_rows == 10 + 1000 * (number + 1)

    try:
        asyncio.run(body())
    finally:
        noise.unlink(missing_ok=True)
        asyncio.run(storage.stop())
    assert [state for state, _ in reports] == ["degraded", "running"]


def test_a_disk_that_is_full_at_the_start_is_told_by_its_class(small_disk: Path) -> None:
    """Whoever tells what to do about a damaged store must not say it of this one."""
    with (small_disk / "noise").open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            out.write(bytes(4096))
    storage = ClickHouseStorage.of(build_context(Kind.STORAGE, "c", data_dir=small_disk), ClickHouseConfig())
    try:
        with pytest.raises(StartError, match="full") as raised:
            asyncio.run(storage.start())
    finally:
        (small_disk / "noise").unlink()
    causes, error = [], raised.value.__cause__
    while error is not None:
        causes.append(type(error))
        error = error.__cause__
    assert UnwritableStore in causes


def test_a_store_of_a_newer_version_is_refused(stores: Callable[..., Any]) -> None:
    first = stores()
    first.storage._engine.command(
        "INSERT INTO metaflow_system.schema_version (version, kind, subject, change) VALUES (99, 'version', 'store', 'x')"
    )
    first.close()
    with pytest.raises(
        StartError, match=rf"has version 99, this MetaFlow knows versions up to {STORE_VERSION};.*newer MetaFlow"
    ):
        stores()


def test_before_start_and_after_stop(tmp_path: Path) -> None:
    storage = ClickHouseStorage.of(build_context(Kind.STORAGE, "c", data_dir=tmp_path), ClickHouseConfig())

    async def body() -> None:
        with pytest.raises(StorageError, match="not started"):
            await storage.write(RecordBatch("flow_log.explain", rows()))
        with pytest.raises(QueryError, match="not started"):
            await storage.execute(Scan("flow_log.explain"))
        assert json.dumps((await storage.health())["state"]) == '"stopped"'

    asyncio.run(body())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"url": "mysql://x"}, "no scheme of this storage"),
        ({"url": "clickhouse+native://a?compression=brotli"}, "compression"),
        ({"url": "clickhouse://"}, "names no host"),
        ({"url": "clickhouse://a:99999"}, "no host and port"),
        ({"url": "clickhouse://a/?secret=1"}, "'secret' is not known"),
        ({"url": "chdb:///x", "path": Path("/y")}, "not both"),
        ({"url": "chdb:///x", "cluster": "c"}, "no cluster"),
        ({}, "no data directory"),
    ],
)
def test_options_that_name_no_store(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        ClickHouseStorage.of(build_context(Kind.STORAGE, "c"), ClickHouseConfig(**options))


def test_importing_the_plugin_is_cheap() -> None:
    code = "import sys, metaflow_storage_clickhouse.plugin; print([m for m in ('chdb', 'sqlalchemy', 'pyarrow', 'clickhouse_connect') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )

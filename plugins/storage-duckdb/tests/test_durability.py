"""Nothing is lost or stored twice when the process is killed; one owner a file; defects of disk and file are sentences."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from metaflow_storage_duckdb.config import DuckdbConfig
from metaflow_storage_duckdb.storage import DuckdbStorage

from metaflow_core.api import Counters, RecordBatch
from metaflow_core.errors import MetaFlowError, StartError, StorageError
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import Ref
from metaflow_core.query import Aggregate, Fold, Named, Scan

CATALOG = load_catalog()
TABLE = "flow_log.l7_message"
ROWS = 500

COMMON = """
import sys, pyarrow as pa
from metaflow_core.api import RecordBatch
from metaflow_core.errors import MetaFlowError
from metaflow_core.model.catalog import load_catalog
from metaflow_storage_duckdb.config import DuckdbConfig
from metaflow_storage_duckdb.storage import DuckdbStorage

def batch(number, rows=500, text=""):
    data = pa.RecordBatch.from_pydict({
        "flow_id": pa.array([number] * rows, pa.uint64()),
        "time_ns": pa.array([10**18] * rows, pa.int64()),
        "request_resource": [text + f"{number}/{row}" for row in range(rows)],
    })
    return RecordBatch("flow_log.l7_message", data, f"agent-1/{number}")

storage = DuckdbStorage(load_catalog(), DuckdbConfig(path=sys.argv[1], threads=1))
"""


def script(body: str, *arguments: str, prefix: tuple[str, ...] = ()) -> list[str]:
    return [*prefix, sys.executable, "-c", COMMON + textwrap.dedent(body), *arguments]


def batch(number: int, rows: int = ROWS) -> RecordBatch:
    columns = {"flow_id": pa.array([number] * rows, pa.uint64()), "time_ns": pa.array([10**18] * rows, pa.int64())}
    return RecordBatch(TABLE, pa.RecordBatch.from_pydict(columns), f"agent-1/{number}")


def opened(path: Path, **options: object) -> DuckdbStorage:
    storage = DuckdbStorage(
        CATALOG, DuckdbConfig.model_validate({"path": str(path), "threads": 1, **options}), Counters("t")
    )
    storage.open()
    return storage


def rows_by_batch(storage: DuckdbStorage) -> dict[int, int]:
    plan = Aggregate(Scan(TABLE), (Named("flow_id", Ref("flow_id")),), (Fold("n", "count"),))
    return {row["flow_id"]: row["n"] for row in storage.query(plan).to_pylist()}


def test_exactly_once_across_kills(tmp_path: Path) -> None:
    """A sender that sends everything unacknowledged again, as an agent's spool does, to a storage that is killed at any moment."""
    path = tmp_path / "killed.duckdb"
    source = random.Random(7)
    first = acknowledged = 0
    for _ in range(8):
        child = subprocess.Popen(
            script(
                """
                storage.open()
                number = int(sys.argv[2])
                while True:
                    storage.add(batch(number))
                    print(number, flush=True)
                    number += 1
                """,
                str(path),
                # Some batches are sent again although they were acknowledged: the acknowledgement was lost.
                str(max(0, first - source.choice([0, 0, 1, 3]))),
            ),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        first_line = child.stdout.readline()
        assert first_line, "the storage did not open again"
        time.sleep(source.uniform(0.0, 0.35))
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines()
        child.wait()
        numbers = [int(line) for line in [first_line, *rest] if line.strip().isdigit()]
        acknowledged = max(acknowledged, *numbers) if numbers else acknowledged
        first = acknowledged + 1
    storage = opened(path)
    try:
        for number in range(acknowledged + 2):
            storage.add(batch(number))
        counts = rows_by_batch(storage)
        assert counts == dict.fromkeys(range(acknowledged + 2), ROWS)
    finally:
        storage.close()


def test_a_second_process_is_told_who_has_the_file(tmp_path: Path) -> None:
    path = tmp_path / "one.duckdb"
    child = subprocess.Popen(
        script("storage.open(); storage.add(batch(1)); print('open', flush=True); sys.stdin.read()", str(path)),
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        for read_only in (False, True):
            with pytest.raises(
                StorageError, match="another process has this file open, and a DuckDB file has one owner"
            ) as caught:
                opened(path, read_only=read_only)
            assert str(child.pid) in str(caught.value)
    finally:
        child.communicate("")
    storage = opened(path)
    assert rows_by_batch(storage) == {1: ROWS}
    storage.close()


async def test_start_tells_the_same(tmp_path: Path) -> None:
    (tmp_path / "no.duckdb").write_bytes(b"this is no database" * 1000)
    storage = DuckdbStorage(CATALOG, DuckdbConfig(path=str(tmp_path / "no.duckdb")))
    with pytest.raises(StartError, match="is no DuckDB file that can be read, or is damaged; move it away"):
        await storage.start()
    await storage.stop()


def test_what_is_not_ours_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as connection:
        connection.execute("CREATE TABLE accounts (x INTEGER)")
    with pytest.raises(StorageError, match="holds tables of something else \\(accounts"):
        opened(other)
    newer = tmp_path / "newer.duckdb"
    opened(newer).close()
    with duckdb.connect(str(newer)) as connection:
        connection.execute('UPDATE "metaflow.version" SET version = 99')
    with pytest.raises(StorageError, match="written by a newer version of this storage \\(layout 99"):
        opened(newer)
    with pytest.raises(StorageError, match="there is no such file; write to it first"):
        opened(tmp_path / "absent.duckdb", read_only=True)


def test_read_only(tmp_path: Path) -> None:
    path = tmp_path / "kept.duckdb"
    storage = opened(path)
    storage.add(batch(1))
    storage.close()
    reader = opened(path, read_only=True)
    assert rows_by_batch(reader) == {1: ROWS}
    with pytest.raises(StorageError, match="is opened read_only; nothing can be stored"):
        reader.add(batch(2))
    reader.close()


def test_a_file_of_an_older_catalogue_is_read_and_gains_the_column(tmp_path: Path) -> None:
    """Also where nobody may write: the rows of before say what rows without the column mean."""
    table, path = "flow_metrics.application_map.1m", tmp_path / "kept.duckdb"

    def counted(storage: DuckdbStorage) -> dict[bool, int]:
        plan = Aggregate(Scan(table), (Named("tls", Ref("is_tls")),), (Fold("n", "count"),))
        return {row["tls"]: row["n"] for row in storage.query(plan).to_pylist()}

    def written(number: int, **columns: pa.Array) -> RecordBatch:
        times = pa.array([60, 120], pa.uint32())
        return RecordBatch(table, pa.RecordBatch.from_pydict({"time": times, **columns}), f"agent-1/{number}")

    storage = opened(path)
    storage.add(written(1))
    storage.close()
    with duckdb.connect(str(path)) as connection:
        connection.execute(f'ALTER TABLE "{table}" DROP COLUMN is_tls')
    reader = opened(path, read_only=True)
    assert counted(reader) == {False: 2}
    reader.close()
    storage = opened(path)
    assert counted(storage) == {False: 2}
    storage.add(written(2, is_tls=pa.array([True, False])))
    assert counted(storage) == {False: 3, True: 1}
    storage.close()


UNSHARE = ("unshare", "--mount", "--map-root-user")


def _may_mount() -> bool:
    try:
        command = [*UNSHARE, "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not _may_mount(), reason="needs unshare(1) and leave to mount a tmpfs in a namespace")
def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    """Batches are refused while the disk is full; all that were taken are there, and writing goes on when there is room."""
    body = """
        storage.open()
        taken, told, texts = [], 0, set()
        for number in range(400):
            try:
                storage.add(batch(number, 2000, "x" * 60 + str(hash(str(number)))))
                taken.append(number)
            except MetaFlowError as error:
                told += 1
                texts.add(type(error).__name__ + ": " + str(error))
                if told == 5:
                    break
        assert told, "the disk never became full"
        assert all("the disk is full; make room" in text and text.startswith("UnwritableStore") for text in texts), texts
        import subprocess
        subprocess.run(["mount", "-o", "remount,size=200m", sys.argv[2]], check=True)
        for number in range(len(taken), len(taken) + 3):
            storage.add(batch(number, 2000))
            taken.append(number)
        from metaflow_core.query import *
        from metaflow_core.model.expression import Ref
        plan = Aggregate(Scan("l7_message"), (Named("f", Ref("flow_id")),), (Fold("n", "count"),))
        def rows():
            return {row["f"]: row["n"] for row in storage.query(plan).to_pylist()}
        assert rows() == dict.fromkeys(taken, 2000), rows()
        storage.close()
        storage.open()
        assert rows() == dict.fromkeys(taken, 2000), rows()
        storage.close()
        print("ok", len(taken))
    """
    mount = f'mount -t tmpfs -o size=6m none "{tmp_path}" && exec "$@"'
    command = script(body, str(tmp_path / "full.duckdb"), str(tmp_path), prefix=(*UNSHARE, "sh", "-c", mount, "sh"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("ok"), (done.stdout, done.stderr)


def test_a_write_beyond_a_limit_of_the_system_is_told(tmp_path: Path) -> None:
    """The same by a limit on the size of files, which needs no leave to mount."""
    body = """
        storage.open()
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        told = ""
        try:
            for number in range(200):
                storage.add(batch(number, 3000, "x" * 50 + str(hash(str(number)))))
        except MetaFlowError as error:
            told = type(error).__name__ + ": " + str(error)
        print(told)
    """
    done = subprocess.run(script(body, str(tmp_path / "f.duckdb")), capture_output=True, text=True, check=False)
    assert done.stdout.startswith("UnwritableStore"), (done.stdout, done.stderr[-2000:])
    assert "the disk is full; make room" in done.stdout


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_file_is_a_sentence(tmp_path: Path, seed: int) -> None:
    """Whatever bytes are wrong: a sentence or the right answer, never a crash (in a process of its own, to see one)."""
    path = tmp_path / "whole.duckdb"
    storage = opened(path)
    for number in range(40):
        storage.add(batch(number, 2000))
    storage.close()
    content = bytearray(path.read_bytes())
    source = random.Random(seed)
    if seed == 0:
        content = content[: len(content) // 2]
    else:
        for _ in range(4**seed):
            content[source.randrange(len(content))] ^= 1 << source.randrange(8)
    path.write_bytes(content)
    body = """
        from metaflow_core.query import *
        try:
            storage.open()
            print("rows", storage.query(Aggregate(Scan("l7_message"), (), (Fold("n", "count"),))).to_pylist())
            storage.query(Scan("l7_message"))
        except MetaFlowError as error:
            print(type(error).__name__, error)
        try:
            storage.close()
        except MetaFlowError as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run(script(body, str(path)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr[-2000:])
    assert "Traceback" not in done.stderr
    assert "StorageError" in done.stdout or "rows [{'n': 80000}]" in done.stdout, done.stdout


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.write_text("")
    with pytest.raises(StorageError, match="its directory cannot be made: (Not a directory|File exists)"):
        opened(folder / "x.duckdb")
    with pytest.raises(MetaFlowError):
        opened(tmp_path)


@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write everywhere; needs setpriv(1)"
)
def test_a_file_of_another_user(tmp_path: Path) -> None:
    path = tmp_path / "theirs.duckdb"
    opened(path).close()
    path.chmod(0o444)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o755)
    prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if os.geteuid() == 0 else ()
    body = """
        try:
            storage.open()
        except MetaFlowError as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run(script(body, str(path), prefix=prefix), capture_output=True, text=True, check=False)
    assert "cannot be opened for writing; make it writable for this user or set read_only" in done.stdout, done


def test_not_started_is_told(tmp_path: Path) -> None:
    storage = DuckdbStorage(CATALOG, DuckdbConfig(path=str(tmp_path / "x.duckdb")))
    with pytest.raises(StorageError, match="the storage is not started"):
        storage.query(Scan(TABLE))

"""The native protocol against a real server: Debian's ``clickhouse-server`` of 2018, which knows none of our tables' types but speaks as
all do: hello, ping, questions, every type it has, blocks in, exceptions, cancelling, compression, and an end in the middle."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_clickhouse.engines.base import Insert
from metaflow_storage_clickhouse.engines.tcp.engine import NativeEngine
from metaflow_storage_clickhouse.engines.urls import parse_url
from metaflow_storage_clickhouse.errors import ClickHouseError
from metaflow_storage_clickhouse.native import encode_block

from metaflow_core.errors import StartError

PROGRAM = shutil.which("clickhouse-server", path="/usr/bin:/usr/sbin:/usr/local/bin")
pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(PROGRAM is None, reason="clickhouse-server is missing; run: apt-get install clickhouse-server"),
]
CONFIG = """<yandex>
  <logger><level>error</level><log>{path}/log</log><errorlog>{path}/errors</errorlog></logger>
  <tcp_port>{port}</tcp_port><listen_host>127.0.0.1</listen_host><timezone>UTC</timezone>
  <path>{path}/data/</path><tmp_path>{path}/tmp/</tmp_path><users_config>{path}/users.xml</users_config>
  <default_profile>default</default_profile><default_database>default</default_database><mark_cache_size>10485760</mark_cache_size>
</yandex>"""
USERS = """<yandex>
  <profiles><default></default></profiles><quotas><default></default></quotas>
  <users>
    <default><password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default>
    <me><password>p@ss</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></me>
  </users>
</yandex>"""
TYPES = {
    "UInt8": "7", "Int64": "-8", "Float32": "1.5", "Float64": "-1.5", "String": "'ü \\0 x'", "FixedString(3)": "'ab'", "Date": "'2018-02-03'",
    "DateTime": "'2018-02-03 04:05:06'", "UUID": "'3517a338-214d-4682-9cca-15e041b6e859'", "Enum8('a' = 1, 'b' = 2)": "'b'",
    "Enum16('x' = -300)": "'x'", "Decimal(9, 2)": "1.25", "Decimal(18, 4)": "-2.5", "Decimal(38, 3)": "3.5", "Nullable(UInt32)": "NULL",
    "Nullable(String)": "'s'", "Array(UInt16)": "[1, 2]", "Array(Array(Nullable(String)))": "[['a', NULL], []]", "Tuple(UInt8, String)": "(1, 'z')",
}  # fmt: skip


class Server:
    """A server of its own on loopback."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            self.port = int(held.getsockname()[1])
        path.joinpath("config.xml").write_text(CONFIG.format(path=path, port=self.port))
        path.joinpath("users.xml").write_text(USERS)
        for name in ("data", "tmp"):
            path.joinpath(name).mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        assert PROGRAM is not None
        self.process = subprocess.Popen(
            [PROGRAM, f"--config-file={self._path / 'config.xml'}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self.process.poll() is None, (self._path / "errors").read_text()
                time.sleep(0.1)
            else:
                return
        pytest.fail("clickhouse-server did not open its port within a minute")

    def stop(self, how: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    @property
    def url(self) -> str:
        return f"clickhouse+native://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("clickhouse"))
    yield made
    made.stop()


@pytest.fixture
def engine(running: Server) -> Iterator[NativeEngine]:
    if running.process is None:
        running.start()
    made = NativeEngine(parse_url(running.url))
    made.open()
    yield made
    made.close()


def inserted(rows: int, *, wide: int = 0) -> Insert:
    numbers = pa.array(range(rows), pa.uint64())
    block = encode_block(
        [("n", "UInt64", numbers), ("s", "String", pa.array([f"é{'x' * wide}{i}" for i in range(rows)]))], rows
    )
    return Insert("t", ["n", "s"], [[block], [block]], {"max_insert_block_size": 1 << 20})


def test_every_type_comes_as_it_is(engine: NativeEngine) -> None:
    columns = ", ".join(f"CAST({value} AS {type_}) AS c{at}" for at, (type_, value) in enumerate(TYPES.items()))
    got = engine.query(f"SELECT {columns}, number FROM numbers(70000)", {"max_block_size": 1000})
    assert got.num_rows == 70_000
    assert got.column("number").to_pylist() == list(range(70_000))
    shown = {type_: str(got.column(at)[-1].as_py()) for at, type_ in enumerate(TYPES)}
    assert shown == {
        "UInt8": "7", "Int64": "-8", "Float32": "1.5", "Float64": "-1.5", "String": "ü \0 x", "FixedString(3)": "b'ab\\x00'",
        "Date": "2018-02-03", "DateTime": "1517630706", "UUID": "3517a338-214d-4682-9cca-15e041b6e859", "Enum8('a' = 1, 'b' = 2)": "2",
        "Enum16('x' = -300)": "-300", "Decimal(9, 2)": "1.25", "Decimal(18, 4)": "-2.5000", "Decimal(38, 3)": "3.500",
        "Nullable(UInt32)": "None", "Nullable(String)": "s", "Array(UInt16)": "[1, 2]", "Array(Array(Nullable(String)))": "[['a', None], []]",
        "Tuple(UInt8, String)": "{'1': 1, '2': 'z'}",
    }  # fmt: skip


@pytest.mark.parametrize("compression", ["", "lz4"])
def test_blocks_go_in_and_come_back(running: Server, engine: NativeEngine, compression: str) -> None:
    if compression:
        pytest.importorskip(
            "clickhouse_cityhash", reason="pip install clickhouse-cityhash, which blocks are compressed with"
        )
        engine = NativeEngine(parse_url(f"{running.url}/?compression={compression}"))
        engine.open()
    engine.command("DROP TABLE IF EXISTS t")
    engine.command("CREATE TABLE t (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    engine.insert(inserted(20_000, wide=100))
    found = engine.query("SELECT n, s FROM t ORDER BY n")
    assert found.num_rows == 40_000
    assert found.column("s")[-1].as_py() == f"é{'x' * 100}19999"
    assert engine.query("SELECT n FROM t WHERE n > 1000000").num_rows == 0
    engine.close()


def test_mistakes_are_told_with_their_number(engine: NativeEngine) -> None:
    for statement, number, sentence in (
        ("SELEC", 62, "Syntax error"),
        ("SELECT * FROM nowhere.t", 81, "nowhere doesn't exist"),
    ):
        with pytest.raises(ClickHouseError, match=sentence) as caught:
            engine.query(statement)
        assert caught.value.number == number
        assert "Stack trace" not in str(caught.value)
    with pytest.raises(ClickHouseError, match="doesn't exist"):
        engine.insert(Insert("nowhere", ["n"], [[encode_block([("n", "UInt8", pa.array([1], pa.uint8()))], 1)]]))
    with pytest.raises(ClickHouseError) as caught:
        engine.query("SELECT number FROM numbers(100000)", {"max_result_rows": 10, "result_overflow_mode": "throw"})
    assert caught.value.number in (158, 396)
    assert engine.query("SELECT 1 AS x").to_pylist() == [{"x": 1}]


def test_an_error_in_the_middle_of_rows(engine: NativeEngine) -> None:
    with pytest.raises(ClickHouseError, match="Value passed to 'throwIf' function is non zero"):
        engine.query("SELECT throwIf(number > 500000) FROM numbers(1000000)", {"max_block_size": 1000})


def test_a_query_is_cancelled(engine: NativeEngine) -> None:
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            engine.query(
                "SELECT sum(sleep(0.01) + number) FROM system.numbers", {"max_block_size": 10}, "to-be-stopped"
            )
        except ClickHouseError as error:
            caught.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    running = "SELECT count() AS n FROM system.processes WHERE query_id = 'to-be-stopped'"
    while not engine.query(running).to_pylist()[0]["n"]:
        time.sleep(0.05)
    engine.kill("to-be-stopped")
    asking.join(60)
    assert [str(each) for each in caught] == ["the query was cancelled"]
    assert engine.query(running).to_pylist() == [{"n": 0}]


def test_passwords(running: Server) -> None:
    with pytest.raises(StartError, match=r"(?i)password"):
        NativeEngine(parse_url(f"clickhouse+native://me:wrong@127.0.0.1:{running.port}")).open()
    known = NativeEngine(parse_url(f"clickhouse+native://me:p%40ss@127.0.0.1:{running.port}/system"))
    known.open()
    assert known.query("SELECT currentDatabase() AS d").to_pylist() == [{"d": "system"}]
    known.close()


def test_a_connection_that_the_server_closed_is_made_again(running: Server, engine: NativeEngine) -> None:
    engine.command("DROP TABLE IF EXISTS t")
    engine.command("CREATE TABLE t (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    running.stop()
    running.start()
    engine.insert(inserted(10))
    assert engine.query("SELECT count() AS n FROM t").to_pylist() == [{"n": 20}]


def test_a_server_that_is_killed_in_the_middle_of_an_insert(running: Server, engine: NativeEngine) -> None:
    """It is told as one that may have been stored, and there is none of it or all."""
    engine.command("DROP TABLE IF EXISTS t")
    engine.command("CREATE TABLE t (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    insert = inserted(20_000, wide=300)
    many = Insert(
        insert.table,
        insert.columns,
        list(insert.blocks) * 4,
        {"min_insert_block_size_rows": 1 << 30, "min_insert_block_size_bytes": 1 << 40},
    )
    outcome: list[Any] = []

    def send() -> None:
        try:
            engine.insert(many)
            outcome.append(None)
        except ClickHouseError as error:
            outcome.append(error)

    sending = threading.Thread(target=send)
    sending.start()
    watcher = NativeEngine(parse_url(running.url))
    watcher.open()
    while not watcher.query(
        "SELECT count() AS n FROM system.processes WHERE query LIKE 'INSERT%' AND read_rows > 20000"
    ).to_pylist()[0]["n"]:
        if not sending.is_alive():
            break
    running.stop()
    sending.join(60)
    watcher.close()
    running.start()
    count = engine.query("SELECT count() AS n FROM t").to_pylist()[0]["n"]
    assert count in ((160_000,) if outcome == [None] else (0, 160_000))
    if outcome != [None]:
        assert outcome[0].number == 0
        assert not outcome[0].definite

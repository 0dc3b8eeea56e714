"""The same storage over the native protocol: the whole contract, tables, plans, fail-over, cuts, passwords, TLS, and every type.

Against ``native_double.py``, for today's types; the packets themselves are tried against a real, old server in ``test_native_server.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_clickhouse.config import ClickHouseConfig
from metaflow_storage_clickhouse.engines.tcp.engine import NativeEngine
from metaflow_storage_clickhouse.engines.urls import Endpoint, parse_url
from metaflow_storage_clickhouse.errors import ClickHouseError
from metaflow_storage_clickhouse.plugin import metaflow_storages
from metaflow_storage_clickhouse.storage import ClickHouseStorage

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.errors import ConfigError, QueryError, StartError, StorageError
from metaflow_core.model.expression import Ref
from metaflow_core.query import Aggregate, Fold, Named, Scan
from metaflow_core.testing import LateTagsContract, NamesContract, StorageContract, build_context

ARROW = (
    "output_format_arrow_string_as_string = 1, output_format_arrow_low_cardinality_as_dictionary = 1, "
    "output_format_arrow_fixed_string_as_fixed_byte_array = 1"
)
VALUES = (
    "toUInt8(1)", "toInt16(-2)", "toUInt64(18446744073709551615)", "true", "'x'", "toFixedString('ab', 4)", "toDate('2020-01-01')",
    "toDate32('1920-01-01')", "toDateTime('2020-01-01 00:00:00', 'UTC')", "toDateTime64('2020-01-01 00:00:00.123', 3, 'UTC')",
    "toDateTime64(1, 9, 'Europe/Berlin')", "toDateTime64(1.5, 1)", "toIPv4('1.2.3.4')", "toIPv6('::1')",
    "toUUID('3517a338-214d-4682-9cca-15e041b6e859')", "CAST('a', 'Enum8(\\'a\\' = 1)')", "CAST('b', 'Enum16(\\'a\\' = 1, \\'b, (\\' = 300, \\'b\\' = 2)')",
    "toDecimal32(-1.5, 3)", "toDecimal64(-1.5, 3)", "toDecimal128(1.5, 3)", "toDecimal256(1.5, 3)", "toUInt128(5)", "toInt256(-5)",
    "toLowCardinality('q')", "toLowCardinality(toNullable('q'))", "CAST(NULL, 'LowCardinality(Nullable(String))')", "[1, 2]",
    "CAST([], 'Array(UInt8)')", "['a', 'ü']", "[toLowCardinality('a'), 'b']", "(1, 'x')", "map('a', 1)", "map('a', [map('b', NULL)])", "NULL",
    "toNullable(3)", "CAST(NULL, 'Nullable(Decimal(12, 2))')", "CAST(NULL, 'Nullable(UUID)')", "CAST(NULL, 'Nullable(IPv6)')",
    "CAST(NULL, 'Nullable(DateTime64(3))')", "CAST(NULL, 'Nullable(Bool)')", "toFloat32(1.5)", "nan", "toIntervalSecond(3)", "toIntervalDay(3)",
    "[toNullable('a'), NULL]", "[(1, 'a')]", "CAST((1, 'x'), 'Tuple(a UInt8, `b c` String)')", "toTime('10:00:00')", "(1.5, 2.5)::Point",
    "[[(1.5, 2.5)]]::Polygon", "CAST([(1, 'x')], 'Nested(a UInt8, b String)')", "[[], [[1]], [[2, 3], []]]",
    "initializeAggregation('sumSimpleState', 5)",
)  # fmt: skip


@pytest.fixture(scope="module")
def native_double(shared_doubles: Any) -> Any:
    """A server with the tables of a new store; to start one takes a second."""
    return shared_doubles("native_double.py")


@pytest.fixture
def server(native_double: Any) -> Any:
    """The server, without rows, and running whatever the last test did to it."""
    if native_double.process is None:
        native_double.start()
    engine = opened(native_double.url)
    filled = engine.query(
        "SELECT DISTINCT database AS d, `table` AS t FROM system.parts WHERE active AND database NOT IN ('system', 'metaflow_system')"
    )
    for row in filled.to_pylist():
        engine.command(f"TRUNCATE TABLE `{row['d']}`.`{row['t']}`")
    engine.close()
    return native_double


class TestNative(LateTagsContract, NamesContract, StorageContract):
    """What every storage must do, over the native protocol."""

    factory = next(iter(metaflow_storages()))

    @pytest.fixture(autouse=True)
    def _server(self, server: Any) -> None:
        self.options: Mapping[str, Any] = {"url": server.url, "linger_ms": 0}


def storage(url: str, **options: Any) -> ClickHouseStorage:
    return ClickHouseStorage.of(build_context(Kind.STORAGE, "c"), ClickHouseConfig(url=url, linger_ms=0, **options))


def opened(url: str) -> NativeEngine:
    engine = NativeEngine(parse_url(url))
    engine.open()
    return engine


def rows(count: int, batch_id: str = "") -> RecordBatch:
    data = {
        "time_ns": pa.array([10**18] * count),
        "flow_id": pa.array(range(count), pa.uint64()),
        "reason": ["it's \\ \0 ü"] * count,
    }
    return RecordBatch("flow_log.explain", pa.RecordBatch.from_pydict(data), batch_id)


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.mark.parametrize("compression", ["", "lz4"])
def test_every_type_is_what_clickhouse_makes_of_it_in_arrow(native_double: Any, compression: str) -> None:
    """Also over several blocks; compared with the Arrow stream of the engine itself."""
    if compression:
        pytest.importorskip(
            "clickhouse_cityhash", reason="pip install clickhouse-cityhash, which blocks are compressed with"
        )
    engine = opened(f"{native_double.url}/?compression={compression}")
    columns = ", ".join(f"{value} AS c{at}" for at, value in enumerate(VALUES))
    select = f"SELECT {columns}, toLowCardinality(toString(number % 7)) AS k, number FROM numbers(100)"
    got = engine.query(select, {"max_block_size": 30})
    assert got.num_rows == 100
    wanted = _arrow_of(select)
    for at, (field, theirs) in enumerate(zip(got.schema, wanted.schema, strict=True)):
        value = VALUES[at] if at < len(VALUES) else field.name
        assert field.equals(theirs.remove_metadata()), value
        assert str(got.column(at).to_pylist()) == str(wanted.column(at).to_pylist()), value
    engine.close()


def _arrow_of(select: str) -> pa.Table:
    """What the engine makes of it, in a process of its own: this one may have a store open."""
    code = "import chdb, sys; sys.stdout.buffer.write(chdb.query(sys.argv[1], 'ArrowStream').bytes())"
    made = subprocess.run([sys.executable, "-c", code, f"{select} SETTINGS {ARROW}"], capture_output=True, check=True)
    return pa.ipc.open_stream(made.stdout).read_all()


def test_a_type_that_is_not_read_is_named(native_double: Any) -> None:
    engine = opened(native_double.url)
    with pytest.raises(ClickHouseError, match=r"'v' has the type Variant.*toString\(v\)"):
        engine.query("SELECT CAST(1, 'Variant(UInt8, String)') AS v")
    # What was left of that answer is no part of the next one.
    assert engine.query("SELECT 2 AS x").to_pylist() == [{"x": 2}]
    engine.close()


def test_forms(native_double: Any) -> None:
    engine = opened(native_double.url)
    asked = "SELECT toLowCardinality('a') AS x FROM numbers(3)"
    data = engine.fetch(asked, "ArrowStream", {}, "", 1 << 20)
    assert pa.ipc.open_stream(data).read_all().column("x").to_pylist() == ["a"] * 3
    with pytest.raises(ClickHouseError, match=r"CSV is not made over the native protocol.*clickhouse://host:8123"):
        engine.fetch(asked, "CSV", {}, "", 1 << 20)
    with pytest.raises(ClickHouseError, match="more than 1000 bytes"):
        engine.fetch("SELECT number FROM numbers(10000000)", "Arrow", {}, "", 1000)
    engine.close()


async def test_the_next_endpoint_is_used_when_one_does_not_answer(server: Any) -> None:
    used = storage(f"clickhouse+native://127.0.0.1:{closed_port()},127.0.0.1:{server.port}")
    await used.start()
    await used.write(rows(3, "a"))
    answer = await used.execute(Scan("flow_log.explain", ("reason",)))
    assert answer.column("reason").to_pylist() == ["it's \\ \0 ü"] * 3
    health = await used.health()
    assert health["place"] == f"clickhouse+native://127.0.0.1:{server.port}"
    assert health["tables"]["flow_log.explain"]["rows"] == 3
    await used.stop()


async def test_tables_are_made_and_plans_answered(doubles: Any) -> None:
    used = storage(doubles("native_double.py", made=False).url)
    await used.start()
    assert "flow_log.l7_flow_log: made" in (await used.health())["done_at_start"]
    data = pa.RecordBatch.from_pydict(
        {
            "end_time": pa.array([61_000_000, 62_000_000]),
            "flow_id": pa.array([1, 2], pa.uint64()),
            "pod_id_0": pa.array([7, 8], pa.uint32()),
        }
    )
    await used.write(RecordBatch("flow_log.l7_flow_log", data))
    await used.learn("pod", {7: "web", 8: "web"})
    plan = Aggregate(Scan("l7_flow_log"), (Named("pod", Ref("pod_0")),), (Fold("n", "count"),))
    assert (await used.execute(plan)).to_pylist() == [{"pod": "web", "n": 2}]
    await used.stop()


async def test_no_endpoint_answers() -> None:
    port = closed_port()
    with pytest.raises(StartError, match=f"127.0.0.1:{port} cannot be used.*look at the url"):
        await storage(f"clickhouse+native://me:secret@127.0.0.1:{port}").start()


async def test_a_port_of_something_else() -> None:
    """HTTP's, for example, whose server answers a hello it does not understand."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        client.recv(4096)
                        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(StartError, match=r"does not speak ClickHouse's native protocol.*9000"):
            await storage(f"clickhouse+native://127.0.0.1:{listener.getsockname()[1]}").start()


async def test_a_server_that_goes_away_keeps_the_batch_with_the_caller(server: Any) -> None:
    used = storage(server.url)
    await used.start()
    await used.write(rows(2, "a"))
    server.kill()
    with pytest.raises(StorageError, match=r"cannot be reached.*send it again"):
        await used.write(rows(3, "b"))
    with pytest.raises(QueryError, match="cannot be reached"):
        await used.execute(Scan("flow_log.explain"))
    assert (await used.health())["state"] == "failed"
    server.start()
    for batch_id, count in (("a", 2), ("b", 3), ("b", 3)):
        await used.write(rows(count, batch_id))
    assert (await used.execute(Scan("flow_log.explain"))).num_rows == 5
    assert (await used.health())["state"] == "ok"
    await used.stop()


class Cut:
    """A wire to a server that breaks in the middle of an INSERT: in its blocks, or once they are stored and before that is told.

    :ivar how: ``sending``, ``answering``, or empty for a wire that holds.
    """

    def __init__(self, port: int) -> None:
        self.how = ""
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                state = {"insert": False, "sent": 0}
                for source, target, up in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._carry, args=(source, target, state, up), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, state: dict[str, Any], up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if up:
                    if state["insert"]:
                        state["sent"] += len(data)
                    state["insert"] = state["insert"] or b"INSERT INTO" in data
                    if self.how == "sending" and state["sent"]:
                        target.sendall(data[: len(data) // 2])
                        break
                elif self.how == "answering" and state["sent"]:
                    break
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()


@pytest.mark.parametrize("how", ["sending", "answering"])
async def test_a_server_that_goes_away_in_the_middle_of_an_insert(server: Any, how: str) -> None:
    """Whether the rows had arrived or not: the batch stays with the caller, and sent again is there once."""
    wire = Cut(server.port)
    used = storage(f"clickhouse+native://127.0.0.1:{wire.port}")
    await used.start()
    await used.write(rows(2, "a"))
    wire.how = how
    with pytest.raises(StorageError, match=r"send it again"):
        await used.write(rows(500, "b"))
    wire.how = ""
    await used.write(rows(500, "b"))
    assert (await used.execute(Scan("flow_log.explain"))).num_rows == 502
    assert (await used.health())["state"] == "ok"
    await used.stop()
    wire.close()


async def test_a_cancelled_question_is_stopped_at_the_server(server: Any) -> None:
    used = storage(server.url)
    await used.start()
    asked = asyncio.create_task(
        used.execute_sql("SELECT count() FROM numbers(100000000000) WHERE NOT ignore(cityHash64(number))")
    )
    await asyncio.sleep(0.5)
    begun = time.monotonic()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    running = await used.execute_sql(
        "SELECT count() AS n FROM system.processes WHERE query LIKE '%100000000000%' AND query NOT LIKE '%processes%'"
    )
    assert running.to_pylist() == [{"n": 0}]
    assert time.monotonic() - begun < 30
    await used.stop()


async def test_limits_come_along(server: Any) -> None:
    used = storage(server.url, max_result_rows=10)
    await used.start()
    with pytest.raises(QueryError, match="more rows than it may"):
        await used.execute_sql("SELECT number FROM numbers(100)")
    await used.stop()


async def test_passwords(doubles: Any) -> None:
    port = doubles("native_double.py", "--password", "p@ss", made=False).port
    with pytest.raises(StartError, match="Authentication failed"):
        await storage(f"clickhouse+native://me:wrong@127.0.0.1:{port}").start()
    engine = opened(f"clickhouse+native://me:p%40ss@127.0.0.1:{port}/system")
    assert engine.query("SELECT currentDatabase() AS d").to_pylist() == [{"d": "system"}]
    engine.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Iterator[Path]:
    """Of localhost, signed by itself, with its key."""
    key, made = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(made)],
        check=True, capture_output=True,
    )  # fmt: skip
    made.write_text(made.read_text() + key.read_text())
    return made


def test_tls(doubles: Any, certificate: Path) -> None:
    """The certificate and the name in it are looked at unless told otherwise."""
    port = doubles("native_double.py", "--certificate", str(certificate), made=False).port
    engine = opened(f"clickhouse+native://localhost:{port}/?secure=true&ca={certificate}")
    assert engine.query("SELECT 1 AS x").to_pylist() == [{"x": 1}]
    engine.close()
    for host, options in (("localhost", ""), ("127.0.0.1", f"&ca={certificate}")):
        with pytest.raises(StartError, match=r"cannot be used.*(?i:certificate|verify)"):
            opened(f"clickhouse+native://{host}:{port}/?secure=true{options}")
    engine = opened(f"clickhouses+native://127.0.0.1:{port}/?verify=false")
    engine.close()
    with pytest.raises(StartError, match="cannot be used"):
        opened(f"clickhouse+native://127.0.0.1:{port}")


def test_urls() -> None:
    found = parse_url("clickhouse+native://me:p%40ss@a,b:1,[::1]:2/db?compression=zstd")
    assert found.endpoints == (Endpoint("a", 9000), Endpoint("b", 1), Endpoint("::1", 2))
    assert (found.native, found.database, found.compression) == (True, "db", "zstd")
    assert parse_url("clickhouses+native://a").endpoints == (Endpoint("a", 9440),)
    with pytest.raises(ConfigError, match="compression is lz4"):
        parse_url("clickhouse+native://a/?compression=brotli")
    with pytest.raises(ConfigError, match="'compression' is not known; there are secure, verify and ca"):
        parse_url("clickhouse://a/?compression=lz4")


def test_statements_of_a_closed_engine() -> None:
    with pytest.raises(ClickHouseError, match="not open"):
        NativeEngine(parse_url("clickhouse+native://a")).command("SELECT 1")

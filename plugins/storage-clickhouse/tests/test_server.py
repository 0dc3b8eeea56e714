"""The same storage behind a URL: an unmodified clickhouse-connect against a double of a server (see ``http_double.py``)."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_clickhouse.config import ClickHouseConfig
from metaflow_storage_clickhouse.engines.http import HttpEngine
from metaflow_storage_clickhouse.engines.urls import Endpoint, parse_url
from metaflow_storage_clickhouse.plugin import metaflow_storages
from metaflow_storage_clickhouse.storage import ClickHouseStorage

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.errors import QueryError, StartError, StorageError
from metaflow_core.model.expression import Call, Ref
from metaflow_core.query import Aggregate, Fold, Named, Project, Scan
from metaflow_core.testing import StorageContract, build_context


@pytest.fixture
def server(doubles: Any) -> Any:
    """A server whose tables are there already, but for the one test that makes them over HTTP."""
    return doubles("http_double.py")


@pytest.fixture
def empty_server(doubles: Any) -> Any:
    return doubles("http_double.py", made=False)


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class TestServer(StorageContract):
    """What every storage must do, over HTTP."""

    factory = next(iter(metaflow_storages()))

    @pytest.fixture(autouse=True)
    def _server(self, server: Any) -> None:
        self.options: Mapping[str, Any] = {"url": server.url, "linger_ms": 0}


def storage(url: str, **options: Any) -> ClickHouseStorage:
    return ClickHouseStorage.of(build_context(Kind.STORAGE, "c"), ClickHouseConfig(url=url, linger_ms=0, **options))


def rows(count: int, batch_id: str = "") -> RecordBatch:
    data = {
        "time_ns": pa.array([10**18] * count),
        "flow_id": pa.array(range(count), pa.uint64()),
        "reason": ["it's \\ \0 ü"] * count,
    }
    return RecordBatch("flow_log.explain", pa.RecordBatch.from_pydict(data), batch_id)


async def test_the_next_endpoint_is_used_when_one_does_not_answer(server: Any) -> None:
    used = storage(f"clickhouse://127.0.0.1:{closed_port()},127.0.0.1:{server.port}")
    await used.start()
    await used.write(rows(3, "a"))
    answer = await used.execute(Scan("flow_log.explain", ("reason",)))
    assert answer.column("reason").to_pylist() == ["it's \\ \0 ü"] * 3
    health = await used.health()
    assert health["place"] == f"clickhouse://127.0.0.1:{server.port}"
    assert health["tables"]["flow_log.explain"]["rows"] == 3
    await used.stop()


async def test_no_endpoint_answers() -> None:
    port = closed_port()
    with pytest.raises(StartError, match=f"127.0.0.1:{port} cannot be used.*look at the url"):
        await storage(f"clickhouse://me:secret@127.0.0.1:{port}").start()


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


async def test_another_process_that_sends_the_same_batch_stores_nothing(server: Any) -> None:
    one, other = storage(server.url), storage(server.url)
    await one.start()
    await other.start()
    await one.write(rows(4, "a"))
    await other.write(rows(4, "a"))
    assert (await other.execute(Scan("flow_log.explain"))).num_rows == 4
    await one.stop()
    await other.stop()


async def test_tables_are_made_and_plans_answered_over_http(empty_server: Any) -> None:
    used = storage(empty_server.url)
    await used.start()
    assert "flow_log.l7_flow_log: made" in (await used.health())["done_at_start"]
    data = pa.RecordBatch.from_pydict(
        {
            "end_time": pa.array([61_000_000, 62_000_000]),
            "flow_id": pa.array([1, 2], pa.uint64()),
            "pod_id_0": pa.array([7, 8], pa.uint32()),
            "endpoint": ["/a", "/b"],
        }
    )
    await used.write(RecordBatch("flow_log.l7_flow_log", data))
    await used.learn("pod", {7: "web", 8: "web"})
    plan = Aggregate(Scan("l7_flow_log"), (Named("pod", Ref("pod_0")),), (Fold("n", "count"),))
    assert (await used.execute(plan)).to_pylist() == [{"pod": "web", "n": 2}]
    texts = Project(Scan("l7_flow_log"), (Named("x", Call("upper", (Ref("endpoint"),))),))
    assert sorted((await used.execute(texts)).column("x").to_pylist()) == ["/A", "/B"]
    await used.stop()


class Cut:
    """A wire to a server that breaks in the middle of an INSERT: while it is sent, or once it is stored and before that is told.

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
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        """One exchange after the other, each read whole; Content-Length or chunks, as the client sends them."""
        with client, socket.create_connection(("127.0.0.1", self._to)) as server, contextlib.suppress(OSError):
            while head := self._head(client):
                is_insert = b"INSERT" in head[:4000].upper() or b"insert" in head[:4000]
                if is_insert and self.how == "sending":
                    server.sendall(head + b"1")
                    return
                server.sendall(head)
                self._body(client, server, head)
                answer = self._head(server)
                if is_insert and self.how == "answering":
                    return
                client.sendall(answer)
                self._body(server, client, answer)

    @staticmethod
    def _head(source: socket.socket) -> bytes:
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            byte = source.recv(1)
            if not byte:
                return b""
            data += byte
        return data

    @staticmethod
    def _body(source: socket.socket, target: socket.socket, head: bytes) -> None:
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if length is None:
            ended = b""
            while b"chunked" in head and not ended.endswith(b"0\r\n\r\n"):
                part = source.recv(65_536)
                ended = (ended + part)[-16:]
                target.sendall(part)
            return
        left = int(length.group(1))
        while left:
            part = source.recv(min(left, 65_536))
            left -= len(part)
            target.sendall(part)

    def close(self) -> None:
        self._listener.close()


@pytest.mark.parametrize("how", ["sending", "answering"])
async def test_a_server_that_goes_away_in_the_middle_of_an_insert(server: Any, how: str) -> None:
    """Whether the rows had arrived or not: the batch stays with the caller, and sent again is there once."""
    wire = Cut(server.port)
    used = storage(f"clickhouse://127.0.0.1:{wire.port}")
    await used.start()
    await used.write(rows(2, "a"))
    wire.how = how
    with pytest.raises(StorageError, match=r"send it again"):
        await used.write(rows(500, "b"))
    wire.how = ""
    assert (await used.health())["why"]
    await used.write(rows(500, "b"))
    assert (await used.execute(Scan("flow_log.explain"))).num_rows == 502
    assert (await used.health())["state"] == "ok"
    await used.stop()
    wire.close()


def test_urls() -> None:
    found = parse_url("clickhouse://me:p%40ss@a,b:1,[::1]:2/?secure=true&verify=0")
    assert (found.user, found.password, found.secure, found.verify) == ("me", "p@ss", True, False)
    assert found.endpoints == (Endpoint("a", 8443), Endpoint("b", 1), Endpoint("::1", 2))
    assert "p%40ss" not in repr(found)
    assert "p@ss" not in repr(found)
    assert HttpEngine(found).place == "clickhouse://a:8443"


def test_statements_of_a_closed_engine() -> None:
    with pytest.raises(Exception, match="not open"):
        HttpEngine(parse_url("clickhouse://a")).command("SELECT 1")
    asyncio.run(storage("clickhouse://a").stop())

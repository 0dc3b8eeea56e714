"""The protocol's corners: headers, compression, who may ask, being given up, what is no request."""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import cramjam
import httpx
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metaflow_clickhouse_http.config import ClickHouseHttpConfig
from metaflow_clickhouse_http.http.application import Application
from metaflow_clickhouse_http.http.native import with_revision
from metaflow_clickhouse_http.plugin import metaflow_services
from metaflow_clickhouse_http.service import ClickHouseHttpService

from metaflow_core.api import Kind, QueryResult
from metaflow_core.errors import QuerySyntaxError, StorageError
from metaflow_core.testing import ServiceContract, build_context


class TestService(ServiceContract):
    factory = next(iter(metaflow_services()))
    options = {"listen": "127.0.0.1:0"}


class FakeApp:
    """Answers with what was asked; waits when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def query(self, dialect: str, text: str, /, **params: Any) -> QueryResult:
        assert (dialect, params["raw"]) == ("sql", "clickhouse")
        self.asked.append((text, params))
        if text == "slow":
            self.begun.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if text == "wrong":
            raise QuerySyntaxError("this is no SQL", 1)
        if text == "gone":
            raise StorageError("the store is away")
        if text == "defect":
            raise RuntimeError("a secret detail")
        data = b"9.9\tUTC\tfake\n" if "version()" in text else text.encode() * 50
        return QueryResult(
            table=pa.table({"form": ["TabSeparated"], "data": pa.array([data], pa.large_binary())}), kind="bytes"
        )


@pytest.fixture
def fake() -> FakeApp:
    return FakeApp()


@pytest.fixture
async def serve(fake: FakeApp) -> AsyncIterator[Callable[..., Any]]:
    started: list[ClickHouseHttpService] = []
    clients: list[httpx.AsyncClient] = []

    async def make(**options: Any) -> httpx.AsyncClient:
        config = ClickHouseHttpConfig.model_validate({"listen": "127.0.0.1:0", **options})
        service = ClickHouseHttpService(build_context(Kind.SERVICE, "clickhouse_http", services={"app": fake}), config)
        await service.start()
        started.append(service)
        clients.append(httpx.AsyncClient(base_url=service.url, timeout=30))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()
    for service in started:
        await service.stop()


async def test_what_is_sent_is_handed_on(serve: Any, fake: FakeApp) -> None:
    client = await serve()
    url = "/?query=SELECT&database=flow_log&default_format=Native&param_x=1&max_threads=2&query_id=me&session_id=s&readonly=2"
    answer = await client.post(url, content=b" 1")
    text, params = fake.asked[0]
    assert text == "SELECT\n 1"
    assert (params["db"], params["form"], params["query_id"]) == ("flow_log", "Native", "me")
    assert (params["variables"], params["settings"]) == ({"x": "1"}, {"max_threads": "2"})
    assert answer.headers["x-clickhouse-query-id"] == "me"
    assert answer.headers["x-clickhouse-timezone"] == "UTC"
    assert answer.headers["x-clickhouse-format"] == "TabSeparated"
    await client.get(
        "/", params={"query": "x"}, headers={"X-ClickHouse-Database": "event", "X-ClickHouse-Format": "CSV"}
    )
    assert (fake.asked[-1][1]["db"], fake.asked[-1][1]["form"]) == ("event", "CSV")
    form = await client.post("/", files={"query": (None, "SELECT 2"), "param_y": (None, "z")})
    assert form.status_code == 200
    assert (fake.asked[-1][0], fake.asked[-1][1]["variables"]) == ("SELECT 2", {"y": "z"})


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4", "br", "deflate"])
async def test_compression_both_ways(serve: Any, fake: FakeApp, encoding: str) -> None:
    import zlib

    client = await serve()
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "br": cramjam.brotli.compress}.get(encoding) or getattr(
        cramjam, encoding, None
    ).compress  # type: ignore[union-attr]
    request = client.build_request(
        "POST",
        "/?enable_http_compression=1",
        content=bytes(pack(b"SELECT 1234567890")),
        headers={"content-encoding": encoding, "accept-encoding": encoding},
    )
    answer = await client.send(request, stream=True)
    raw = b"".join([part async for part in answer.aiter_raw()])
    assert fake.asked[0][0] == "SELECT 1234567890"
    assert answer.headers["content-encoding"] == encoding
    unpack = {"gzip": gzip.decompress, "deflate": zlib.decompress, "br": cramjam.brotli.decompress}.get(
        encoding
    ) or getattr(cramjam, encoding, None).decompress  # type: ignore[union-attr]
    assert bytes(unpack(raw)) == b"SELECT 1234567890" * 50


@pytest.mark.parametrize(
    ("request_", "status", "number"),
    [
        ({"content": b"wrong"}, 400, 62),
        ({"content": b"gone"}, 503, 210),
        ({"content": b"defect"}, 500, 1001),
        ({"content": b""}, 400, 62),
        ({"content": b"\xff"}, 400, 62),
        ({"content": b"x" * 5000}, 413, 36),
        ({"content": gzip.compress(b"x" * 5000), "headers": {"content-encoding": "gzip"}}, 413, 27),
        ({"content": b"nonsense", "headers": {"content-encoding": "gzip"}}, 400, 27),
        ({"content": b"nonsense", "headers": {"content-encoding": "zstd"}}, 400, 27),
        ({"content": b"nonsense", "headers": {"content-encoding": "rot13"}}, 415, 48),
        ({"content": b"x", "params": {"compress": "1"}}, 501, 48),
        ({"content": b"x", "params": {"decompress": "1"}}, 501, 48),
        ({"content": b"x", "params": {"query_id": "a\nb"}}, 400, 36),
        ({"files": {"data": ("x.csv", b"1,2")}}, 501, 48),
    ],
)
async def test_refusals_have_clickhouses_shape(serve: Any, request_: dict[str, Any], status: int, number: int) -> None:
    client = await serve(max_body_bytes=4096)
    answer = await client.post("/", **request_)
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (status, str(number))
    assert answer.text.startswith(f"Code: {number}. DB::Exception: ")
    assert "secret" not in answer.text


async def test_paths(serve: Any) -> None:
    client = await serve(password="geheim")
    assert (await client.get("/ping")).text == "Ok.\n"
    assert (await client.get("/nowhere")).status_code == 404
    assert (await client.get("/")).status_code == 401


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 401),
        ({"headers": {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "geheim"}}, 200),
        ({"headers": {"X-ClickHouse-User": "other", "X-ClickHouse-Key": "geheim"}}, 403),
        ({"headers": {"X-ClickHouse-User": "default", "X-ClickHouse-Key": "falsch"}}, 403),
        ({"headers": {"Authorization": "Basic " + base64.b64encode(b"default:geheim").decode()}}, 200),
        ({"headers": {"Authorization": "Basic !"}}, 401),
        ({"headers": {"Authorization": "Bearer geheim"}}, 200),
        ({"params": {"user": "default", "password": "geheim"}}, 200),
        ({"params": {"user": "default", "password": ""}}, 401),
    ],
)
async def test_who_may_ask(serve: Any, sent: dict[str, Any], status: int) -> None:
    client = await serve(password="geheim")
    answer = await client.post("/", content=b"SELECT 1", **sent)
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["x-clickhouse-exception-code"] == "516"


async def test_who_goes_away_is_no_longer_worked_for(serve: Any, fake: FakeApp) -> None:
    client = await serve()
    asking = asyncio.ensure_future(client.post("/", content=b"slow", timeout=60))
    await asyncio.wait_for(fake.begun.wait(), 5)
    asking.cancel()
    await asyncio.wait_for(fake.cancelled.wait(), 5)


async def test_kill_query(serve: Any, fake: FakeApp) -> None:
    client = await serve(max_concurrent=1)
    asking = asyncio.ensure_future(client.post("/?query_id=it", content=b"slow", timeout=60))
    await asyncio.wait_for(fake.begun.wait(), 5)
    busy = await client.post("/", content=b"x")
    assert (busy.status_code, busy.headers["x-clickhouse-exception-code"]) == (503, "202")
    killed = await client.post("/", content=b"KILL QUERY WHERE query_id = 'it' SYNC")
    assert killed.text.startswith("finished\tit\t")
    answer = await asking
    assert answer.headers["x-clickhouse-exception-code"] == "394"


async def test_slow_questions_are_given_up(serve: Any, fake: FakeApp) -> None:
    client = await serve(timeout_s=0.2)
    answer = await client.post("/", content=b"slow")
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (408, "159")
    await asyncio.wait_for(fake.cancelled.wait(), 5)


@given(
    body=st.binary(max_size=200),
    query=st.text(max_size=50),
    encoding=st.sampled_from(["", "gzip", "zstd", "lz4", "br"]),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_anything_is_answered(fake: FakeApp, body: bytes, query: str, encoding: str) -> None:
    context = build_context(Kind.SERVICE, "clickhouse_http", services={"app": fake})
    transport = httpx.ASGITransport(Application(context, ClickHouseHttpConfig()))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post("/", content=body, params={"query": query}, headers={"content-encoding": encoding})
    assert answer.status_code in (200, 400, 413, 501)


@pytest.mark.parametrize(
    "options",
    [{"listen": "0.0.0.0:1"}, {"listen": "nonsense"}, {"password": ""}, {"tls_key": "x.pem"}],
)
def test_options_that_make_no_sense(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="password|no address|belong together"):
        ClickHouseHttpConfig.model_validate(options)


def test_blocks_for_a_revision() -> None:
    plain = b"\x02\x02\x01x\x05UInt8\x01\x02\x01y\x06String\x01a\x00"
    made = with_revision(plain, 54460)
    info = b"\x01\x00\x02\xff\xff\xff\xff\x00"
    assert made == info + b"\x02\x02\x01x\x05UInt8\x00\x01\x02\x01y\x06String\x00\x01a\x00"
    assert with_revision(plain, 54405) == info + plain


def test_blocks_of_every_type(server: Any) -> None:
    """What is read over is exactly what the engine writes, whatever the type: block after block."""
    types = [
        "toUInt8(number)", "toString(number)", "toLowCardinality(toString(number % 7))", "[toString(number), 'x']", "map('a', [number])",
        "toNullable(number)", "toDateTime64(number, 6)", "toIPv6('::1')", "tuple(number, 'x', [1.5])", "toFixedString('abc', 4)",
        "toDecimal64(number, 3)", "generateUUIDv4()", "arrayMap(x -> toLowCardinality(toString(x)), range(number % 5))",
        "toLowCardinality(toNullable(toString(number % 3)))", "CAST(number % 2, 'Enum8(''a'' = 0, ''b(,'' = 1)')", "repeat('x', number % 300)",
        "[[number], [], [1, 2]]", "toInt256(number)", "toIntervalDay(number)", "CAST((number, 'x'), 'Tuple(a UInt8, `b c` String)')",
    ]  # fmt: skip
    sql = f"SELECT {', '.join(types)} FROM numbers(70000)"
    result = server.app.query("sql", sql, raw="clickhouse", form="Native", max_rows=100_000)
    plain = result.table["data"][0].as_buffer().to_pybytes()
    blocks = with_revision(plain, 54460)
    info = b"\x01\x00\x02\xff\xff\xff\xff\x00"
    count = blocks.count(info + bytes([len(types)]))
    assert count >= 2
    assert len(blocks) == len(plain) + count * (len(info) + len(types))

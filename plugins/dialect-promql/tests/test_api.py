"""The HTTP API: shapes, statuses, limits, and what is hostile."""

from __future__ import annotations

from typing import Any

import cramjam
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metaflow_dialect_promql.api.chunks import crc32c
from metaflow_dialect_promql.api.wire import messages
from metaflow_dialect_promql.plugin import metaflow_dialects, metaflow_services

from metaflow_core.testing.contracts import DialectContract, ServiceContract

BASE = 1_800_000_000
NOW = BASE + 3607


class TestDialect(DialectContract):
    factory = next(iter(metaflow_dialects()))
    malformed = (
        *DialectContract.malformed[:4],
        "a" * 100_000,
        "(" * 5000 + "a" + ")" * 5000,
        "-" * 5000 + "1",
        "rate(",
        "{}",
    )


class TestService(ServiceContract):
    factory = next(iter(metaflow_services()))


async def get(api: Any, path: str, method: str = "GET", **parameters: Any) -> tuple[int, Any]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://test") as client:
        if method == "GET":
            answer = await client.get(f"/api/v1/{path}", params=parameters)
        else:
            answer = await client.post(f"/api/v1/{path}", data=parameters)
        return answer.status_code, answer.json()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_instant_query(api: Any, method: str) -> None:
    status, body = await get(api, "query", method, query="sum by (job) (limits)", time=str(NOW))
    assert status == 200
    assert body["status"] == "success"
    assert body["data"] == {
        "resultType": "vector",
        "result": [
            {"metric": {"job": "api"}, "value": [NOW, "5000"]},
            {"metric": {"job": "web"}, "value": [NOW, "3000"]},
        ],
    }


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_range_query(api: Any, method: str) -> None:
    status, body = await get(
        api, "query_range", method, query="limits{job='api'} + 1", start=str(NOW), end=str(NOW + 60), step="30s"
    )
    assert status == 200
    values = [[NOW, "5001"], [NOW + 30, "5001"], [NOW + 60, "5001"]]
    assert body["data"] == {"resultType": "matrix", "result": [{"metric": {"job": "api"}, "values": values}]}


async def test_grafana_asks_whether_it_is_there(api: Any) -> None:
    status, body = await get(api, "query", "POST", query="1+1", time="4")
    assert (status, body["data"]) == (200, {"resultType": "scalar", "result": [4, "2"]})
    assert "features" not in (await get(api, "status/buildinfo"))[1]["data"]


async def test_string_and_matrix(api: Any) -> None:
    assert (await get(api, "query", query='"x"', time="4"))[1]["data"] == {"resultType": "string", "result": [4.0, "x"]}
    body = (await get(api, "query", query="limits{job='api'}[30s]", time=str(NOW)))[1]
    assert body["data"]["resultType"] == "matrix"
    assert len(body["data"]["result"][0]["values"]) == 2


@pytest.mark.parametrize(
    ("path", "parameters", "status", "kind", "text"),
    [
        ("query", {"query": "sum("}, 400, "bad_data", "parse error"),
        ("query", {}, 400, "bad_data", "no expression found"),
        ("query", {"query": "up", "time": "soon"}, 400, "bad_data", 'invalid parameter "time"'),
        ("query", {"query": "up", "timeout": "x"}, 400, "bad_data", 'invalid parameter "timeout"'),
        ("query", {"query": "up", "limit": "-1"}, 400, "bad_data", 'invalid parameter "limit"'),
        ("query_range", {"query": "up", "start": "2", "end": "1", "step": "1"}, 400, "bad_data", "end timestamp"),
        ("query_range", {"query": "up", "start": "0", "end": "1e6", "step": "1"}, 400, "bad_data", "11,000 points"),
        ("query_range", {"query": "up", "start": "0", "end": "1", "step": "0"}, 400, "bad_data", "zero or negative"),
        ("query_range", {"query": "up", "start": "0", "end": "1"}, 400, "bad_data", 'invalid parameter "step"'),
        ("query", {"query": "http_requests_total + on(job) memory_bytes", "time": str(NOW)}, 422, "execution", "many"),
        (
            "query",
            {"query": "label_replace(limits,'a','b','job','(')", "time": str(NOW)},
            422,
            "execution",
            "invalid reg",
        ),
        ("query", {"query": "flow_metrics__network__bytes"}, 422, "execution", "did you mean 'byte'"),
        ("series", {}, 400, "bad_data", "no match[]"),
        ("series", {"match[]": "{}"}, 400, "bad_data", "parse error"),
        ("label/a-b/values", {}, 400, "bad_data", "invalid label name"),
        ("format_query", {"query": "a +"}, 400, "bad_data", "parse error"),
        ("nothing", {}, 404, "not_found", "nothing"),
    ],
)
async def test_errors(api: Any, path: str, parameters: dict[str, str], status: int, kind: str, text: str) -> None:
    found, body = await get(api, path, **parameters)
    assert (found, body["status"], body["errorType"]) == (status, "error", kind)
    assert text in body["error"]


async def test_series_labels_and_values(api: Any) -> None:
    window = {"start": str(BASE), "end": str(NOW)}
    _, body = await get(api, "series", **{"match[]": ["limits", "info"]}, **window)
    assert {"__name__": "limits", "job": "web"} in body["data"]
    assert len(body["data"]) == 4
    _, body = await get(api, "labels", **{"match[]": "http_requests_total"}, **window)
    assert body["data"] == ["__name__", "code", "env", "instance", "job"]
    _, body = await get(api, "label/job/values", **window)
    assert body["data"] == ["api", "db", "web"]
    _, body = await get(api, "label/__name__/values", **window)
    assert {"limits", "flow_metrics__network__byte__1m"} <= set(body["data"])
    _, body = await get(api, "label/job/values", limit="1", **window)
    assert (body["data"], body["warnings"]) == (["api"], ["results truncated due to limit"])


async def test_limit_of_series(api: Any) -> None:
    _, body = await get(api, "query", query="memory_bytes", time=str(NOW), limit="3")
    assert len(body["data"]["result"]) == 3
    assert body["warnings"] == ["results truncated due to limit"]


async def test_remarks(api: Any) -> None:
    _, body = await get(api, "query", query="rate(memory_bytes[5m])", time=str(NOW))
    assert "might not be a counter" in body["infos"][0]


async def test_metadata_and_lists(api: Any) -> None:
    _, body = await get(api, "metadata", metric="flow_metrics__network__byte__1m")
    assert body["data"]["flow_metrics__network__byte__1m"][0]["unit"] == "byte"
    for path in ("rules", "alerts", "targets", "status/config", "status/flags"):
        assert (await get(api, path))[0] == 200
    assert (await get(api, "query_exemplars", query="up"))[1] == {"status": "success", "data": []}


@pytest.mark.parametrize(
    "text",
    ["sum by (job) (rate(a{b=\"c\"}[5m] offset 1m)) / on (job) group_left (x) b @ 1.000", "-(a + 1) * 2", "a[5m:1m] @ end()",
     'label_replace(a, "b", "$1", "c", "(.*)\\\\d")', "topk without (x) (3, a)", "1e-07 + Inf"],
)  # fmt: skip
async def test_format_keeps_the_meaning(api: Any, text: str) -> None:
    _, first = await get(api, "format_query", query=text)
    _, again = await get(api, "format_query", query=first["data"])
    assert first == again
    assert (await get(api, "parse_query", query=text))[1] == (await get(api, "parse_query", query=first["data"]))[1]


async def _read(api: Any, body: bytes) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://test") as client:
        return await client.post("/api/v1/read", content=body)


async def test_remote_read(api: Any) -> None:
    request = messages()["ReadRequest"]()
    query = request.queries.add(start_timestamp_ms=BASE * 1000, end_timestamp_ms=(BASE + 7200) * 1000)
    query.matchers.add(type=0, name="__name__", value="gappy")
    query.matchers.add(type=2, name="kind", value="sta.*")
    answer = await _read(api, bytes(cramjam.snappy.compress_raw(request.SerializeToString())))
    assert (answer.status_code, answer.headers["content-encoding"]) == (200, "snappy")
    response = messages()["ReadResponse"].FromString(bytes(cramjam.snappy.decompress_raw(answer.content)))
    (series,) = response.results[0].timeseries
    assert [(label.name, label.value) for label in series.labels] == [("__name__", "gappy"), ("kind", "stale")]
    import struct

    bits = [struct.unpack("<Q", struct.pack("<d", sample.value))[0] for sample in series.samples]
    assert 0x7FF0000000000002 in bits


def _unframed(data: bytes) -> list[Any]:
    """Messages out of their frames, each checked."""
    import struct

    found, at = [], 0
    while at < len(data):
        size = shift = 0
        while True:
            byte = data[at]
            at += 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        (checksum,) = struct.unpack_from(">I", data, at)
        message = data[at + 4 : at + 4 + size]
        assert crc32c(message) == checksum
        found.append(messages()["ChunkedReadResponse"].FromString(message))
        at += 4 + size
    return found


async def test_remote_read_in_chunks(api: Any) -> None:
    """What the chunks hold is decided by a real Prometheus, in receiver-prometheus' tests; here the frames and their order."""
    request = messages()["ReadRequest"](accepted_response_types=[1, 0])
    for name in ("gappy", "limits"):
        query = request.queries.add(start_timestamp_ms=BASE * 1000, end_timestamp_ms=(BASE + 7200) * 1000)
        query.matchers.add(type=0, name="__name__", value=name)
    answer = await _read(api, bytes(cramjam.snappy.compress_raw(request.SerializeToString())))
    assert answer.headers["content-type"].startswith(
        "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
    )
    found = _unframed(answer.content)
    assert [each.query_index for each in found] == sorted(each.query_index for each in found)
    rows = [tuple((label.name, label.value) for label in each.chunked_series[0].labels) for each in found]
    assert len(rows) > 2
    assert rows == sorted(rows)
    first = found[0].chunked_series[0].chunks[0]
    assert first.type == 1
    assert BASE * 1000 <= first.min_time_ms <= first.max_time_ms
    unknown = messages()["ReadRequest"](accepted_response_types=[7])
    assert (await _read(api, bytes(cramjam.snappy.compress_raw(unknown.SerializeToString())))).status_code == 400


def test_checksum() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720, appendix B.4 and the catalogue of checksums
    assert crc32c(bytes(32)) == 0x8A9136AA


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_remote_read_of_garbage(api: Any, body: bytes) -> None:
    assert (await _read(api, body)).status_code in (200, 400)


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_text_is_answered(api: Any, text: str) -> None:
    status, body = await get(api, "query", "POST", query=text, time="4")
    assert status in (200, 400, 422)
    assert body["status"] in ("success", "error")

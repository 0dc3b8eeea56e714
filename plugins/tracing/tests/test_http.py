"""The three APIs over stored rows."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from metaflow_storage_memory.storage import MemoryStorage
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.testclient import TestClient
from synth import BASE_US, World, batch_of, rows_of

from metaflow_core.api import RecordBatch

TABLE = "flow_log.l7_flow_log"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
Fill = Callable[[list[dict[str, Any]]], None]
NOW = {"start": str(BASE_US // 10**6 - 60), "end": str(BASE_US // 10**6 + 600)}


@pytest.fixture(scope="module")
def world() -> World:
    return World(3, clock_error_us=2_000)


@pytest.fixture(scope="module")
def batches(world: World) -> list[pa.RecordBatch]:
    """A trace with headers and spans, one with neither, and one with short ids; made once, since no test changes them."""
    return [
        batch_of(rows_of(world, world.tree(6), threads=True, w3c=TRACE, apps=True)),
        batch_of(rows_of(world, world.tree(4, start=5_000_000), threads=True)),
        batch_of(rows_of(World(4), World(4).tree(3), b3="0" * 16 + "00000000deadbeef")),
    ]


@pytest.fixture
def stored(storage: MemoryStorage, world: World, batches: list[pa.RecordBatch]) -> World:
    for batch in batches:
        storage.add(RecordBatch(TABLE, batch))
    return world


def test_one_trace_with_its_evidence(client: TestClient, stored: World) -> None:
    found = client.get(f"/v1/trace/{TRACE}").json()
    assert found["trace_ids"] == [TRACE]
    assert found["root_count"] == 1
    assert found["plans"] <= 6
    ids = {span["id"] for span in found["spans"]}
    for span in found["spans"]:
        if span["parent_id"] is None:
            assert span["missing"]["reason"]
            continue
        assert span["parent_id"] in ids
        assert span["edge"]["kind"]
        assert 0 < span["edge"]["confidence"] <= 1
        assert span["edge"]["matched"]
    assert {span["edge"]["kind"] for span in found["spans"] if span["edge"]} >= {"tcp_seq", "span_id"}
    assert sum(each["share"] for each in found["services"]) == pytest.approx(1, abs=0.01)
    assert any(span["is_critical"] for span in found["spans"])


@pytest.mark.parametrize("path", ["/v1/trace", "/v1/trace/"])
def test_list_and_row(client: TestClient, stored: World, path: str) -> None:
    """Traces without any id are found by a row; a list leads there."""
    listed = client.get(path, params={**NOW, "where": "l7_protocol > 0", "limit": "200"}).json()["traces"]
    assert len(listed) == 3
    silent = next(each for each in listed if not each["trace_ids"])
    whole = client.get(f"/v1/trace/{silent['row_id']}").json()
    assert whole["span_count"] == silent["span_count"]
    assert whole["hop_count"] == 4
    posted = client.post("/v1/trace", json={"id": silent["row_id"]}).json()
    assert posted["spans"] == whole["spans"]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/trace/ffff", 404, "no row has the trace id"),
        ("/v1/trace?where=nonsense+%3D+1", 400, "nonsense"),
        ("/v1/trace?limit=x", 400, "whole number"),
        ("/v1/trace/0000", 422, "no trace id"),
        ("/v1/trace/1.2.3?start=5&end=1", 422, "before it begins"),
        ("/tempo/api/search?q={", 400, ""),
        ("/tempo/api/search?q={}>>{}", 400, "one set"),
        ("/tempo/api/search?start=abc", 422, "seconds"),
        ("/tempo/api/traces/0", 400, "no trace id"),
        ("/jaeger/api/traces?tags=[1", 400, "JSON"),
        ("/jaeger/api/traces/abcd", 404, "not found"),
        ("/jaeger/api/traces?minDuration=fast", 400, "duration"),
    ],
)
def test_refusals_are_sentences(client: TestClient, path: str, status: int, said: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert said in answer.text


def test_no_storage_is_told(client: TestClient) -> None:
    from conftest import Mounted
    from metaflow_tracing.config import TracingConfig
    from metaflow_tracing.service import TracingService

    from metaflow_core.api import Kind
    from metaflow_core.testing import build_context

    service = TracingService(build_context(Kind.SERVICE, "tracing", services={"storages": {}}), TracingConfig())
    answer = TestClient(Mounted(service)).get("/v1/trace/abc")
    assert answer.status_code == 503
    assert "storage" in answer.json()["error"]["message"]


def test_tempo_as_grafana_asks(client: TestClient, stored: World) -> None:
    """What the data source sends: echo, v2 first in protobuf, v1 only after a 404."""
    assert client.get("/tempo/api/echo").text == "echo"
    assert client.get("/tempo/ready").status_code == 200
    accept = {"Accept": "application/protobuf"}
    missing = client.get("/tempo/api/v2/traces/ffffffffffffffffffffffffffffffff", headers=accept)
    assert missing.status_code == 404
    answer = client.get(f"/tempo/api/v2/traces/{TRACE}", params=NOW, headers=accept)
    assert answer.headers["content-type"] == "application/protobuf"
    body = answer.content
    assert body[0] == 0x0A
    length, shift, at = 0, 0, 1
    while True:
        length |= (body[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not body[at - 1] & 0x80:
            break
    data = TracesData.FromString(body[at : at + length])
    v1 = TracesData.FromString(client.get(f"/tempo/api/traces/{TRACE}", headers=accept).content)
    assert data == v1
    spans = {span.span_id: span for group in data.resource_spans for scope in group.scope_spans for span in scope.spans}
    assert all(span.trace_id == bytes.fromhex(TRACE) for span in spans.values())
    roots = [span for span in spans.values() if not span.parent_span_id]
    assert len(roots) == 1
    assert all(span.parent_span_id in spans for span in spans.values() if span.parent_span_id)
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano > 0 for span in spans.values())
    names = {
        pair.value.string_value
        for group in data.resource_spans
        for pair in group.resource.attributes
        if pair.key == "service.name"
    }
    assert any(name.startswith("svc") for name in names)
    as_json = client.get(f"/tempo/api/v2/traces/{TRACE}").json()
    first = as_json["trace"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert base64.b64decode(first["traceId"]) == bytes.fromhex(TRACE)
    assert isinstance(first["startTimeUnixNano"], str)
    assert client.get(f"/tempo/api/traces/{TRACE}").json()["batches"]


@pytest.mark.parametrize(
    ("query", "finds"),
    [
        ("{}", True),
        ("", True),
        ("{ status = ok }", True),
        ("{ status = error }", False),
        ('{ resource.service.name =~ "svc.*" && duration > 1ms }', True),
        ("{ duration > 1h }", False),
        ("{ span.http.status_code >= 200 && .http.method = `GET` }", True),
        ("{ span.http.status_code = 500 }", False),
        ('{ name = "GET /call/1" }', True),
        ('{ name = "/call/1" || name = "nothing" }', True),
        ("{ kind = server && !(kind = client) }", True),
        ('{ .no.such.attribute = "x" }', False),
        (f'{{ trace:id = "{TRACE}" }}', True),
        ("{ traceDuration > 1ms && status = ok }", True),
        ("{ trace:duration < 1ms }", False),
        ("{ trace:duration < 1h && duration > 1us }", True),
        ("{ span.http.method != nil }", True),
        ("{ span.http.method = nil && .no.such.attribute != nil }", False),
        ("{ name != nil }", True),
        ('{ statusMessage = "no such words" }', False),
        ("{ true } with (most_recent=true)", True),
        ("{ status = ok } | select(span.http.status_code, resource.service.name)", True),
    ],
)
def test_tempo_search(client: TestClient, stored: World, query: str, finds: bool) -> None:
    answer = client.get("/tempo/api/search", params={"q": query, **NOW, "limit": "10"})
    assert answer.status_code == 200, answer.text
    found = answer.json()["traces"]
    assert bool(found) == finds
    for each in found:
        assert set(each) >= {
            "traceID",
            "rootServiceName",
            "rootTraceName",
            "startTimeUnixNano",
            "durationMs",
            "spanSets",
        }
        assert isinstance(each["startTimeUnixNano"], str)
        assert isinstance(each["durationMs"], int)
        assert isinstance(each["spanSets"][0]["spans"][0]["durationNanos"], str)
        again = client.get(f"/tempo/api/v2/traces/{each['traceID']}")
        assert again.status_code == 200, each


def test_tempo_shows_what_is_selected(client: TestClient, stored: World) -> None:
    query = "{ .http.method = `GET` } | select(span.http.status_code, span.http.method, .no.such.attribute)"
    found = client.get("/tempo/api/search", params={"q": query, **NOW}).json()["traces"]
    shown = {pair["key"]: pair["value"] for pair in found[0]["spanSets"][0]["spans"][0]["attributes"]}
    assert shown["http.status_code"] == {"intValue": "200"}
    assert shown["http.method"] == {"stringValue": "GET"}
    assert "no.such.attribute" not in shown


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("search", "{} | rate()", "metrics"),
        ("search", "{} | count() > 2", "pipelines"),
        ("search", '{ name = "a" } ~ { name = "b" }', "structural"),
        ("search", "{ nestedSetParent < 0 }", "assembled"),
        ("search", "{ traceDuration > 1s || status = error }", "&&"),
        ("search", "{ status = error || traceDuration > 1s }", "&&"),
        ("search", "{ !(traceDuration > 1s) }", "&&"),
        ("search", "{ traceDuration != 1s }", "compared"),
        ("search", "{} | select(", "field"),
        ("search", "{} with (x", "')'"),
        ("search", "{ span.x > nil }", "nil"),
        ("metrics/query_range", "{} | rate()", "PromQL"),
        ("metrics/query", "{} | rate()", "PromQL"),
    ],
)
def test_tempo_says_what_it_cannot(client: TestClient, stored: World, path: str, query: str, said: str) -> None:
    answer = client.get(f"/tempo/api/{path}", params={"q": query, **NOW})
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["message"]


def test_tempo_search_by_tags_and_bounds(client: TestClient, stored: World) -> None:
    found = client.get(
        "/tempo/api/search", params={"tags": 'http.method=GET name="/call/1"', "minDuration": "1ms", **NOW}
    ).json()["traces"]
    assert {each["traceID"] for each in found} >= {TRACE}
    assert not client.get("/tempo/api/search", params={"minDuration": "1h", **NOW}).json()["traces"]
    assert len(client.get("/tempo/api/search", params={"limit": "1", **NOW}).json()["traces"]) == 1


def test_tempo_tags(client: TestClient, stored: World) -> None:
    scopes = client.get("/tempo/api/v2/search/tags", params=NOW).json()["scopes"]
    assert {each["name"] for each in scopes} == {"resource", "span", "intrinsic"}
    assert "service.name" in client.get("/tempo/api/search/tags").json()["tagNames"]
    services = client.get("/tempo/api/v2/search/tag/resource.service.name/values", params=NOW).json()["tagValues"]
    assert {"type": "string", "value": "svc1"} in services
    # Grafana escapes names twice
    again = client.get("/tempo/api/v2/search/tag/resource%252Eservice%252Ename/values", params=NOW).json()["tagValues"]
    assert again == services
    codes = client.get("/tempo/api/v2/search/tag/span.http.status_code/values", params=NOW).json()["tagValues"]
    assert codes == [{"type": "int", "value": "200"}]
    assert client.get("/tempo/api/search/tag/status/values").json()["tagValues"] == ["error", "ok", "unset"]


def test_jaeger(client: TestClient, stored: World) -> None:
    services = client.get("/jaeger/api/services").json()
    assert "svc1" in services["data"]
    assert services["errors"] is None
    span = {"start": str(BASE_US - 10**7), "end": str(BASE_US + 10**8)}
    operations = client.get("/jaeger/api/services/svc1/operations", params=span).json()["data"]
    assert operations
    assert client.get("/jaeger/api/operations", params={"service": "svc1", **span}).json()["data"][0]["name"]
    found = client.get(
        "/jaeger/api/traces",
        params={"service": "svc1", "operation": operations[0], "tags": '{"http.method": "GET"}', **span},
    ).json()["data"]
    assert found
    tagged = {"service": "svc1", "operation": operations[0], "tag": ["http.method:GET", "error:false"], **span}
    assert client.get("/jaeger/api/traces", params=tagged).json()["data"] == found
    wrong = client.get("/jaeger/api/traces", params={"service": "svc1", "tag": "error", **span})
    assert (wrong.status_code, wrong.json()["errors"][0]["msg"]) == (400, "tag is key:value; found 'error'")
    one = client.get(f"/jaeger/api/traces/{TRACE}").json()["data"][0]
    ids = {each["spanID"] for each in one["spans"]}
    assert all(reference["spanID"] in ids for each in one["spans"] for reference in each["references"])
    assert {each["processID"] for each in one["spans"]} <= set(one["processes"])
    calls = client.get(
        "/jaeger/api/dependencies", params={"endTs": str((BASE_US + 10**8) // 1000), "lookback": "600000"}
    ).json()["data"]
    assert {each["child"] for each in calls} > {"svc1"}
    assert not any(":" in each["child"] for each in calls)


def test_short_and_padded_ids(client: TestClient, stored: World) -> None:
    """Tools fill ids up with zeros, or take them away."""
    for name in ("deadbeef", "00000000deadbeef", "000000000000000000000000deadbeef", "DEADBEEF"):
        assert client.get(f"/v1/trace/{name}").status_code == 200, name


def test_a_list_holds_traces_not_rows(client: TestClient, fill: Fill) -> None:
    """A trace of many rows leaves room for the others."""
    world = World(9)
    for number in range(8):
        fill(rows_of(world, world.tree(6, start=number * 100_000), b3=f"{number + 1:032x}"))
    listed = client.get("/v1/trace", params={**NOW, "limit": "5"}).json()["traces"]
    assert len(listed) == 5
    starts = [each["start_us"] for each in listed]
    assert starts == sorted(starts, reverse=True)

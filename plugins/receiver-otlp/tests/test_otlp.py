"""The receiver by its contract, by OpenTelemetry's own SDK over both transports, and by garbage."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metaflow_receiver_otlp.attributes import text
from metaflow_receiver_otlp.collector import OtlpReceiver
from metaflow_receiver_otlp.config import OtlpConfig
from metaflow_receiver_otlp.intake import signals
from metaflow_receiver_otlp.metrics import metrics
from metaflow_receiver_otlp.naming import label_name, metric_name
from metaflow_receiver_otlp.plugin import metaflow_collectors
from otlp_running import Running, running_receiver

from metaflow_core.api import Kind
from metaflow_core.model.catalog.conform import conform
from metaflow_core.testing import build_context
from metaflow_core.testing.contracts import CollectorContract

TRACES, METRICS, LOGS = signals()
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


class TestContract(CollectorContract):
    factory = next(iter(metaflow_collectors()))
    options = {"grpc_port": 0, "http_port": 0}


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async for each in running_receiver():
        yield each


@pytest.fixture
async def guarded() -> AsyncIterator[Running]:
    async for each in running_receiver(token="secret", max_body_bytes=4096, max_message_bytes=8192):
        yield each


def _send_all(receiver: OtlpReceiver, transport: str) -> None:
    """A program that is instrumented with OpenTelemetry's SDK: one server span with a client span inside, numbers, a log."""
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.trace import SpanKind, Status, StatusCode

    spans: Any
    numbers: Any
    if transport == "grpc":
        address = f"http://127.0.0.1:{receiver.grpc_port}"
        gzipped = grpc.Compression.Gzip
        spans = GrpcSpans(address, True, compression=gzipped)
        numbers = GrpcMetrics(address, True, compression=gzipped)
        records = GrpcLogs(address, True, compression=gzipped)
    else:
        base, packed = f"http://127.0.0.1:{receiver.http_port}/v1", Compression.Gzip
        spans = HttpSpans(f"{base}/traces", compression=packed)
        numbers = HttpMetrics(f"{base}/metrics", compression=packed)
        records = HttpLogs(f"{base}/logs", compression=packed)
    resource = Resource.create(
        {
            "service.name": "shop",
            "service.namespace": "prod",
            "service.instance.id": "shop-1",
            "k8s.pod.name": "shop-abc",
        }
    )
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
    tracer = tracer_provider.get_tracer("checkout", "1.2")
    attributes = {
        "http.request.method": "GET",
        "url.path": "/pay",
        "url.query": "by=card",
        "http.response.status_code": 200,
        "client.address": "10.1.2.3",
        "server.port": 8080,
    }
    with tracer.start_as_current_span("GET /pay", kind=SpanKind.SERVER, attributes=attributes):
        query = {
            "db.system.name": "postgresql",
            "db.operation.name": "SELECT",
            "db.query.text": "SELECT 1",
            "server.address": "10.9.9.9",
            "server.port": 5432,
        }
        with tracer.start_as_current_span("SELECT bank", kind=SpanKind.CLIENT, attributes=query) as inner:
            inner.record_exception(RuntimeError("no money"))
            inner.set_status(Status(StatusCode.ERROR, "failed"))
    tracer_provider.shutdown()

    reader = PeriodicExportingMetricReader(numbers, export_interval_millis=60_000)
    meter_provider = MeterProvider(metric_readers=[reader], resource=resource)
    meter = meter_provider.get_meter("checkout")
    meter.create_counter("orders", unit="{order}", description="Orders.").add(3, {"pay.by": "card"})
    meter.create_histogram("http.server.request.duration", unit="s").record(0.07)
    meter_provider.shutdown()

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    request = LOGS.request()
    scope = request.resource_logs.add()
    scope.resource.attributes.add(key="service.name").value.string_value = "shop"
    record: LogRecord = scope.scope_logs.add().log_records.add(
        time_unix_nano=1_700_000_000_123_456_000, severity_number=17
    )
    record.body.string_value = "card refused"
    record.attributes.add(key="card").value.string_value = "visa"
    record.trace_id, record.span_id = bytes(range(16)), bytes(range(8))
    if transport == "grpc":
        with grpc.insecure_channel(f"127.0.0.1:{receiver.grpc_port}") as channel:
            call = channel.unary_unary(f"/{LOGS.service}/Export")
            assert call(request.SerializeToString(), compression=grpc.Compression.Gzip) == b""
    else:
        connection = http.client.HTTPConnection("127.0.0.1", receiver.http_port, timeout=20)
        connection.request("POST", "/v1/logs", request.SerializeToString(), PROTOBUF)
        assert connection.getresponse().status == 200
        connection.close()
    records.shutdown()


@pytest.mark.parametrize("transport", ["grpc", "http"])
async def test_an_instrumented_program(running: Running, transport: str) -> None:
    await asyncio.to_thread(_send_all, running.receiver, transport)
    rows = {row["endpoint"]: row for row in running.rows("flow_log.l7_flow_log")}
    server, client = rows["GET /pay"], rows["SELECT bank"]
    assert server["observation_point"] == "s-app"
    assert client["observation_point"] == "c-app"
    assert (server["app_service"], server["app_instance"]) == ("shop", "shop-1")
    assert server["trace_id"] == client["trace_id"] != ""
    assert client["parent_span_id"] == server["span_id"]
    assert server["parent_span_id"] == ""
    assert (server["request_type"], server["request_resource"]) == ("GET", "/pay?by=card")
    assert (server["response_code"], server["response_status"]) == (200, 0)
    assert (server["ip4_0"], server["server_port"], server["signal_source"]) == (0x0A010203, 8080, 4)
    assert (client["ip4_1"], client["server_port"]) == (0x0A090909, 5432)
    assert (client["response_status"], client["response_exception"]) == (3, "failed")
    assert (client["l7_protocol"], client["biz_protocol"]) == (127, "PostgreSQL")  # the plain catalogue has no parsers
    assert json.loads(client["events"])[0]["attributes"]["exception.message"] == "no money"
    kept = dict(zip(server["attribute_names"], server["attribute_values"], strict=True))
    assert kept["k8s.pod.name"] == "shop-abc"
    assert kept["otel.scope.name"] == "checkout"
    samples = {row["metric_name"]: row for row in running.rows("prometheus.samples")}
    orders = samples["orders_total"]
    labels = dict(zip(orders["label_names"], orders["label_values"], strict=True))
    assert orders["value"] == 3.0
    assert labels == {"instance": "shop-1", "job": "prod/shop", "otel_scope_name": "checkout", "pay_by": "card"}
    assert samples["http_server_request_duration_seconds_count"]["value"] == 1.0
    assert samples["http_server_request_duration_seconds_sum"]["value"] == 0.07
    assert samples["target_info"]["value"] == 1.0
    (line,) = running.rows("application_log.log")
    assert (line["body"], line["severity_number"], line["app_service"]) == ("card refused", 3, "shop")
    assert line["trace_id"] == bytes(range(16)).hex()


async def test_json_is_answered_in_json(running: Running) -> None:
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "name": "job",
        "kind": 1,
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000000500000000",
        "attributes": [{"key": "n", "value": {"arrayValue": {"values": [{"intValue": "7"}]}}}],
        "somethingNew": {"deep": [1]},
    }
    bad = {**span, "spanId": "00"}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span, bad]}]}]}).encode()
    status, kind, answer = await running.post("/v1/traces", gzip.compress(body), {**JSON, "Content-Encoding": "gzip"})
    assert (status, kind) == (200, "application/json")
    told = json.loads(answer)["partialSuccess"]
    assert told["rejectedSpans"] == "1"
    assert "8 bytes" in told["errorMessage"]
    (row,) = running.rows("flow_log.l7_flow_log")
    assert row["trace_id"] == span["traceId"]
    assert row["observation_point"] == "app"
    assert row["response_duration"] == 500_000
    assert dict(zip(row["attribute_names"], row["attribute_values"], strict=True))["n"] == "[7]"


async def test_an_empty_request_is_a_success(running: Running) -> None:
    for name in ("traces", "metrics", "logs"):
        assert await running.post(f"/v1/{name}", b"", PROTOBUF) == (200, "application/x-protobuf", b"")
    assert await running.post("/v1/traces", b"{}", JSON) == (200, "application/json", b"{}")
    assert not running.batches


async def test_the_same_request_has_the_same_id(running: Running) -> None:
    await asyncio.to_thread(_send_all, running.receiver, "http")
    body = METRICS.request()
    gauge = (
        body.resource_metrics.add().scope_metrics.add().metrics.add(name="g").gauge.data_points.add(time_unix_nano=1)
    )
    gauge.as_double = 1
    running.batches.clear()
    for _ in range(2):
        await running.post("/v1/metrics", body.SerializeToString(), PROTOBUF)
    first, second = running.batches
    assert first.batch_id == second.batch_id != ""


async def test_what_is_refused_says_why(guarded: Running) -> None:
    secret = {**PROTOBUF, "Authorization": "Bearer secret"}
    from google.rpc.status_pb2 import Status

    async def refusal(body: bytes, headers: dict[str, str]) -> tuple[int, str]:
        status, _, answer = await guarded.post("/v1/traces", body, headers)
        message = (
            json.loads(answer)["message"] if "json" in headers["Content-Type"] else Status.FromString(answer).message
        )
        return status, message

    assert await refusal(b"", PROTOBUF) == (401, "this receiver wants its token as 'Authorization: Bearer ...'")
    assert (await refusal(b"\xff\xff", secret))[0] == 400
    assert (await refusal(b"[1]", {**secret, **JSON}))[1] == "the body is a JSON list; expected an object"
    assert (await refusal(b"x" * 5000, secret))[0] == 413
    assert (await refusal(gzip.compress(bytes(100_000)), {**secret, "Content-Encoding": "gzip"}))[0] == 413
    assert (await refusal(b"x", {**secret, "Content-Encoding": "br"}))[0] == 415
    assert (await refusal(b"x", {**secret, "Content-Type": "text/plain"}))[0] == 415
    assert (await refusal(b'{"resourceSpans":' + b"[" * 3000, {**secret, **JSON}))[0] == 400
    with grpc.insecure_channel(f"127.0.0.1:{guarded.receiver.grpc_port}") as channel:
        call = channel.unary_unary(f"/{TRACES.service}/Export")
        for metadata, body, wanted in (
            ((), b"", grpc.StatusCode.UNAUTHENTICATED),
            ((("authorization", "Bearer secret"),), b"\xff\xff", grpc.StatusCode.INVALID_ARGUMENT),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                await asyncio.to_thread(call, body, metadata=metadata)
            assert caught.value.code() == wanted  # type: ignore[attr-defined]
        # the same forms as over HTTP
        for said in ("Bearer secret", "bearer  secret"):
            assert await asyncio.to_thread(call, b"", metadata=(("authorization", said),)) == b""
        for said in ("secret", "Basic secret", "Bearer secre", ""):
            with pytest.raises(grpc.RpcError):
                await asyncio.to_thread(call, b"", metadata=(("authorization", said),))
            assert (await guarded.post("/v1/traces", b"", {**PROTOBUF, "Authorization": said}))[0] == 401


async def test_what_is_partly_taken_is_told_in_each_form(running: Running) -> None:
    """Two log records and a span that cannot be: the good ones are kept, the answer counts the bad one, in the form of the request."""
    request = TRACES.request()
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.add(trace_id=bytes(range(16)), span_id=bytes(range(1, 9)), name="good", start_time_unix_nano=10**18)
    scope.spans.add(trace_id=b"short", span_id=bytes(range(1, 9)), name="bad")
    body = request.SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{running.receiver.grpc_port}") as channel:
        call = channel.unary_unary(f"/{TRACES.service}/Export")
        over_grpc = TRACES.response.FromString(await asyncio.to_thread(call, body, compression=grpc.Compression.Gzip))
    # two gzip members, as some writers make
    cut = len(body) // 2
    headers = {**PROTOBUF, "Content-Encoding": "gzip"}
    status, kind, answer = await running.post(
        "/v1/traces", gzip.compress(body[:cut]) + gzip.compress(body[cut:]), headers
    )
    assert (status, kind) == (200, "application/x-protobuf")
    for told in (over_grpc, TRACES.response.FromString(answer)):
        assert told.partial_success.rejected_spans == 1
        assert "16 bytes" in told.partial_success.error_message
    assert [row["endpoint"] for row in running.rows("flow_log.l7_flow_log")] == ["good", "good"]
    status, kind, _ = await running.post("/v1/logs", b"{}", {"Content-Type": "application/json; charset=utf-8"})
    assert (status, kind) == (200, "application/json")


async def test_what_the_pipeline_does_not_take_is_sent_again(running: Running) -> None:
    running.fail = True
    request = LOGS.request()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "x"
    status, _, _ = await running.post("/v1/logs", request.SerializeToString(), PROTOBUF)
    assert status == 503
    with grpc.insecure_channel(f"127.0.0.1:{running.receiver.grpc_port}") as channel:
        call = channel.unary_unary(f"/{LOGS.service}/Export")
        with pytest.raises(grpc.RpcError) as caught:
            await asyncio.to_thread(call, request.SerializeToString())
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
        running.fail = False
        assert await asyncio.to_thread(call, request.SerializeToString()) == b""
    assert [row["body"] for row in running.rows("application_log.log")] == ["x"]


def test_every_kind_of_point() -> None:
    request = METRICS.request()
    scope = request.resource_metrics.add().scope_metrics.add()
    explicit = scope.metrics.add(name="size", unit="By").histogram
    explicit.aggregation_temporality = 2
    explicit.data_points.add(time_unix_nano=1000, count=6, sum=9.5, explicit_bounds=[1, 2.5], bucket_counts=[1, 2, 3])
    powers = scope.metrics.add(name="wait", unit="s").exponential_histogram
    powers.aggregation_temporality = 2
    point = powers.data_points.add(time_unix_nano=1000, count=5, sum=9, scale=0, zero_count=1)
    point.positive.offset = 0
    point.positive.bucket_counts.extend([1, 3])
    quantiles = scope.metrics.add(name="old").summary.data_points.add(time_unix_nano=1000, count=2, sum=3)
    quantiles.quantile_values.add(quantile=0.5, value=1.5)
    delta = scope.metrics.add(name="d").sum
    delta.aggregation_temporality, delta.is_monotonic = 1, True
    delta.data_points.add(time_unix_nano=1000, as_int=1)
    outcome = metrics(request, 5000)
    rows = outcome.batches["prometheus.samples"].to_pylist()
    found = {
        (
            row["metric_name"],
            *(v for n, v in zip(row["label_names"], row["label_values"], strict=True) if n in ("le", "quantile")),
        ): row["value"]
        for row in rows
    }
    assert {key[1]: value for key, value in found.items() if key[0] == "size_bytes_bucket"} == {
        "1": 1,
        "2.5": 3,
        "+Inf": 6,
    }
    assert {key[1]: value for key, value in found.items() if key[0] == "wait_seconds_bucket"} == {
        "0": 1,
        "2": 2,
        "4": 5,
        "+Inf": 5,
    }
    assert found[("old", "0.5")] == 1.5
    assert outcome.rejected == 1
    assert "cumulative" in outcome.sentence()


@pytest.mark.parametrize(
    ("name", "unit", "counter", "gauge", "wanted"),
    [
        ("http.server.duration", "ms", False, False, "http_server_duration_milliseconds"),
        ("orders", "{order}", True, False, "orders_total"),
        ("orders.total", "1", True, False, "orders_total"),
        ("cpu.utilization", "1", False, True, "cpu_utilization_ratio"),
        ("disk.io", "By/s", False, True, "disk_io_bytes_per_second"),
        ("process.time_seconds", "s", False, False, "process_time_seconds"),
        ("9lives", "", False, True, "_9lives"),
        ("___", "", False, True, ""),
    ],
)
def test_names_are_prometheus_names(name: str, unit: str, counter: bool, gauge: bool, wanted: str) -> None:
    assert metric_name(name, unit, counter=counter, gauge=gauge) == wanted


def test_label_names() -> None:
    assert [label_name(each) for each in ("http.method", "9x", "_a", "ok")] == ["http_method", "key_9x", "key_a", "ok"]


def test_values_as_text() -> None:
    assert [text(each) for each in ("a", True, 3, 0.5, b"\x01", [1, {"a": b"\x02"}], None)] == [
        "a",
        "true",
        "3",
        "0.5",
        "AQ==",
        '[1,{"a":"Ag=="}]',
        "",
    ]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(signals()), st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused(signal: Any, body: bytes) -> None:
    receiver = OtlpReceiver(build_context(Kind.COLLECTOR, "otlp"), OtlpConfig(grpc_port=None, http_port=0))
    catalog = build_context(Kind.COLLECTOR).catalog

    async def emit(item: Any) -> None:
        conform(item.data, catalog.table(item.table))

    async def take() -> None:
        from metaflow_core.errors import ParseError

        receiver._intake.emit = emit
        with contextlib.suppress(ParseError):
            await receiver._intake.take(signal, body)

    asyncio.run(take())


def test_options_are_checked() -> None:
    for wrong, sentence in (
        ({"host": "0.0.0.0"}, "a token is needed"),
        ({"grpc_port": None, "http_port": None}, "nothing could be received"),
        ({"grpc_port": 5000, "http_port": 5000}, "a port of its own"),
        ({"tls_cert": "a"}, "go together"),
    ):
        with pytest.raises(ValueError, match=sentence):
            OtlpConfig(**wrong)

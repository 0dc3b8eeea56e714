"""The receiver by its contract, by messages of both versions, and by garbage."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import struct
from collections.abc import AsyncIterator
from typing import Any

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metaflow_receiver_prometheus.collector import PrometheusReceiver
from metaflow_receiver_prometheus.config import PrometheusConfig
from metaflow_receiver_prometheus.decode import EXEMPLAR, METADATA, Decoder, series_id
from metaflow_receiver_prometheus.plugin import metaflow_collectors
from metaflow_receiver_prometheus.wire import messages

from metaflow_core.api import Kind, RecordBatch
from metaflow_core.errors import ParseError, StorageError
from metaflow_core.testing import build_context
from metaflow_core.testing.contracts import CollectorContract

STALE = 0x7FF0000000000002
V1 = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
V2 = {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request", "Content-Encoding": "snappy"}


class TestContract(CollectorContract):
    factory = next(iter(metaflow_collectors()))
    options = {"port": 0}


def first(labels: dict[str, str], points: list[tuple[int, float]]) -> Any:
    request = messages(1)["WriteRequest"]()
    series = request.timeseries.add()
    for name, value in labels.items():
        series.labels.add(name=name, value=value)
    for at, value in points:
        series.samples.add(timestamp=at, value=value)
    return request


def second(labels: dict[str, str], points: list[tuple[int, float]]) -> Any:
    request = messages(2)["Request"]()
    request.symbols.append("")
    series = request.timeseries.add()
    for pair in labels.items():
        for text in pair:
            series.labels_refs.append(len(request.symbols))
            request.symbols.append(text)
    for at, value in points:
        series.samples.add(timestamp=at, value=value)
    return request


def packed(message: Any) -> bytes:
    return bytes(cramjam.snappy.compress_raw(message.SerializeToString()))


class Running:
    def __init__(self, receiver: PrometheusReceiver, batches: list[RecordBatch]) -> None:
        self.receiver = receiver
        self.batches = batches
        self.fail = False

    async def post(
        self, body: bytes, headers: dict[str, str], path: str = "/api/v1/write"
    ) -> tuple[int, dict[str, str], str]:
        def send() -> tuple[int, dict[str, str], str]:
            connection = http.client.HTTPConnection("127.0.0.1", self.receiver.port, timeout=20)
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
            connection.close()
            return found

        return await asyncio.to_thread(send)


async def _running(**options: Any) -> AsyncIterator[Running]:
    receiver = PrometheusReceiver(build_context(Kind.COLLECTOR, "prometheus"), PrometheusConfig(port=0, **options))
    found = Running(receiver, [])

    async def emit(item: Any) -> None:
        if found.fail:
            raise StorageError("the disk is full")
        found.batches.append(item)

    await receiver.start()
    task = asyncio.create_task(receiver.run(emit))
    await asyncio.sleep(0.2)
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.wait([task])
        await receiver.stop()


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async for each in _running():
        yield each


@pytest.fixture
async def guarded() -> AsyncIterator[Running]:
    async for each in _running(token="secret", max_body_bytes=1024, max_message_bytes=4096):
        yield each


LABELS = {"__name__": "up", "job": "a", "instance": "b:1"}


@pytest.mark.parametrize(("make", "headers"), [(first, V1), (second, V2)])
async def test_samples_become_rows(running: Running, make: Any, headers: dict[str, str]) -> None:
    stale = struct.unpack("<d", struct.pack("<Q", STALE))[0]
    # Out of order on purpose: a store sorts, a sender may not.
    status, answer, _ = await running.post(packed(make(LABELS, [(2000, 1.5), (1000, 2.0), (3000, stale)])), headers)
    assert status == 204
    assert answer["x-prometheus-remote-write-samples-written"] == "3"
    assert answer["x-prometheus-remote-write-histograms-written"] == "0"
    assert answer["x-prometheus-remote-write-exemplars-written"] == "0"
    rows = running.batches[0].data
    assert running.batches[0].table == "prometheus.samples"
    assert running.batches[0].batch_id
    assert rows["label_names"].to_pylist() == [["instance", "job"]] * 3
    assert rows["label_values"].to_pylist() == [["b:1", "a"]] * 3
    assert rows["metric_name"].to_pylist() == ["up"] * 3
    assert [each.timestamp() for each in rows["timestamp"].to_pylist()] == [2, 1, 3]
    assert rows["value"].to_numpy().view("uint64")[2] == STALE
    assert set(rows["series_id"].to_pylist()) == {series_id(tuple(sorted(LABELS.items())))}


async def test_exemplars_and_metadata_are_kept(running: Running) -> None:
    request = second(LABELS, [(1000, 1.0)])
    series = request.timeseries[0]
    request.symbols.extend(["trace_id", "abc", "Whether it is up.", "bool"])
    refs = len(request.symbols) - 4
    exemplar = series.exemplars.add(value=7.0, timestamp=900)
    exemplar.labels_refs.extend([refs, refs + 1])
    series.metadata.type, series.metadata.help_ref, series.metadata.unit_ref = 2, refs + 2, refs + 3
    status, answer, _ = await running.post(packed(request), V2)
    assert (status, answer["x-prometheus-remote-write-exemplars-written"]) == (204, "1")
    rows = {row["metric_name"]: row for row in running.batches[0].data.to_pylist()}
    assert dict(zip(rows[EXEMPLAR]["label_names"], rows[EXEMPLAR]["label_values"], strict=True)) == {
        "__series__": "up", "instance": "b:1", "job": "a", "exemplar.trace_id": "abc",
    }  # fmt: skip
    metadata = dict(zip(rows[METADATA]["label_names"], rows[METADATA]["label_values"], strict=True))
    assert metadata == {"metric": "up", "type": "gauge", "help": "Whether it is up.", "unit": "bool"}
    await running.post(packed(request), V2)
    assert METADATA not in running.batches[1].data["metric_name"].to_pylist()


async def test_part_of_a_request_is_taken(running: Running) -> None:
    request = first(LABELS, [(1000, 1.0)])
    request.timeseries.add().samples.add(timestamp=1, value=1.0)
    histogram = request.timeseries.add()
    histogram.labels.add(name="__name__", value="h")
    histogram.histograms.append(b"\x08\x01")
    status, answer, text = await running.post(packed(request), V1)
    assert status == 400
    assert answer["x-prometheus-remote-write-samples-written"] == "1"
    assert "without a metric name" in text
    assert "native histograms" in text
    assert running.batches[0].data.num_rows == 1


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({**V1, "Content-Encoding": "gzip"}, b"", 415),
        ({**V1, "Content-Type": "application/json"}, b"{}", 415),
        ({**V1, "Content-Type": "application/x-protobuf;proto=x.Y"}, b"", 415),
        (V1, b"not snappy at all", 400),
        (V1, bytes(cramjam.snappy.compress_raw(b"\xff\xff\xff")), 400),
        (V2, bytes(cramjam.snappy.compress_raw(b"\xff\xff\xff")), 400),
    ],
)
async def test_what_is_no_remote_write_is_refused(
    running: Running, headers: dict[str, str], body: bytes, status: int
) -> None:
    found, answer, text = await running.post(body, headers)
    assert found == status
    assert text.strip()
    assert answer["x-prometheus-remote-write-samples-written"] == "0"
    assert not running.batches


async def test_not_acknowledged_when_the_pipeline_fails(running: Running) -> None:
    running.fail = True
    status, answer, text = await running.post(packed(first(LABELS, [(1000, 1.0)])), V1)
    assert status == 503
    assert "disk is full" in text
    assert answer["retry-after"]


async def test_token_and_limits(guarded: Running) -> None:
    body = packed(first(LABELS, [(1000, 1.0)]))
    assert (await guarded.post(body, V1))[0] == 401
    allowed = {**V1, "Authorization": "Bearer secret"}
    assert (await guarded.post(body, allowed))[0] == 204
    assert (await guarded.post(b"x" * 2000, allowed))[0] == 413
    assert (await guarded.post(bytes(cramjam.snappy.compress_raw(bytes(100_000)))[:1000], allowed))[0] in (400, 413)


def test_outside_needs_a_token() -> None:
    with pytest.raises(ValueError, match="token"):
        PrometheusConfig(host="0.0.0.0")


@given(st.binary(max_size=300), st.sampled_from([1, 2]))
@settings(max_examples=300, deadline=None)
def test_garbage_never_breaks(body: bytes, version: int) -> None:
    with contextlib.suppress(ParseError):
        Decoder(10).decode(body, version, 0).batch()


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_truncation_never_breaks(data: st.DataObject) -> None:
    version = data.draw(st.sampled_from([1, 2]))
    make = first if version == 1 else second
    whole = make(LABELS, [(i, float(i)) for i in range(20)]).SerializeToString()
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for at in data.draw(st.lists(st.integers(0, max(len(damaged) - 1, 0)), max_size=4)):
        if damaged:
            damaged[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ParseError):
        Decoder(10).decode(bytes(damaged), version, 0).batch()

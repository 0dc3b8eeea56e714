"""librdkafka's broker and its clients on loopback, a real capture: the rows are what the clients counted themselves."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.testing import peers_missing, recorded, replay

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
MESSAGES = 500


NEEDS = peers_missing("tcpdump", modules=["confluent_kafka"], root=True)
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


@pytest.fixture
def broker() -> Iterator[int]:
    """The port of a broker inside librdkafka."""
    from confluent_kafka import Producer

    host = Producer({"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1, "log_level": 0})
    (only,) = host.list_topics(timeout=10).brokers.values()
    yield int(only.port)
    host.flush(0)


def _counted(statistics: list[str]) -> Counter[str]:
    """Requests by their API as librdkafka counted them."""
    found: Counter[str] = Counter()
    for each in json.loads(statistics[-1])["brokers"].values():
        found.update({name: number for name, number in each["req"].items() if number})
    return found


def test_a_producers_requests_are_the_rows(broker: int, tmp_path: Path) -> None:
    """Every request that librdkafka sent is one paired row; every record carries its trace."""
    from confluent_kafka import Producer

    statistics: list[str] = []
    settings: dict[str, Any] = {
        "bootstrap.servers": f"127.0.0.1:{broker}",
        "client.id": "shop",
        "statistics.interval.ms": 200,
        "stats_cb": statistics.append,
        "linger.ms": 5,
        "compression.type": "lz4",
        "enable.idempotence": True,
    }
    with recorded(tmp_path / "kafka.pcap", f"tcp port {broker}"):
        producer = Producer(settings)
        for number in range(MESSAGES):
            headers = [("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())]
            producer.produce("orders", b"value %d" % number * 10, headers=headers)
            if number % 50 == 0:
                producer.poll(0.02)
        assert producer.flush(20) == 0
        until = time.monotonic() + 1
        while time.monotonic() < until:
            producer.poll(0.1)
    rows = replay(tmp_path / "kafka.pcap", parsers=["kafka"])
    assert {row["type"] for row in rows} == {"session"}
    assert {row["l7_protocol"] for row in rows} == {"Kafka"}
    asked, counted = Counter(row["request_type"] for row in rows), _counted(statistics)
    # What is sent while a connection is set up is not in these counts, or only the last try.
    assert asked.pop("ApiVersions") >= counted.pop("ApiVersion", 0)
    assert asked.pop("Metadata") >= counted.pop("Metadata", 0)
    assert asked == counted
    produced = [row for row in rows if row["request_type"] == "Produce"]
    assert {row["request_domain"] for row in produced} == {"orders"}
    assert {row["trace_id"] for row in produced} == {TRACE}
    assert sum(int(row["attributes"]["records"]) for row in produced) == MESSAGES
    # librdkafka's broker does not know the newest ApiVersions and says so; its client asks again.
    failed = {(row["request_type"], row["response_exception"]) for row in rows if row["response_status"] != "ok"}
    assert failed <= {("ApiVersions", "UNSUPPORTED_VERSION")}


def test_a_group_is_named(broker: int, tmp_path: Path) -> None:
    """A group is joined, fetched from, committed and left."""
    from confluent_kafka import Consumer, Producer

    address = f"127.0.0.1:{broker}"
    producer = Producer({"bootstrap.servers": address})
    for number in range(20):
        producer.produce("orders", b"value %d" % number, partition=number % 2)
    assert producer.flush(20) == 0
    with recorded(tmp_path / "kafka.pcap", f"tcp port {broker}"):
        consumer = Consumer(
            {"bootstrap.servers": address, "group.id": "billing", "client.id": "rd", "auto.offset.reset": "earliest"}
        )
        consumer.subscribe(["orders"])
        got, until = 0, time.monotonic() + 20
        while got < 20 and time.monotonic() < until:
            got += len(consumer.consume(20, 0.2))
        consumer.commit(asynchronous=False)
        consumer.close()
        assert got == 20
    rows = replay(tmp_path / "kafka.pcap", parsers=["kafka"])
    own = [row for row in rows if row["attributes"].get("client_id") == "rd"]
    for api in ("FindCoordinator", "JoinGroup", "SyncGroup", "OffsetFetch", "OffsetCommit", "LeaveGroup"):
        assert {row["request_resource"] for row in own if row["request_type"] == api} == {"billing"}, api
    fetched = [row for row in own if row["request_type"] == "Fetch" and "records" in row["attributes"]]
    assert sum(int(row["attributes"]["records"]) for row in fetched) >= 20
    assert {row["endpoint"] for row in fetched} <= {f"orders-{partition}" for partition in range(4)}
    assert {row["request_domain"] for row in own if row["request_type"] == "JoinGroup"} == {"orders"}

"""What the peer tests share: a mosquitto of their own, stopped by its process id, and captures of loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.testing import free_port, running
from metaflow_core.testing import recorded as recorded_on_loopback

Recorded = Callable[[], AbstractContextManager[Path]]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """The port of a mosquitto on loopback that refuses what is published below ``secret/``."""
    port = free_port()
    (tmp_path / "acl").write_text("topic readwrite a/#\n")
    settings = (
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\nacl_file {tmp_path}/acl\n"
    )
    (tmp_path / "mosquitto.conf").write_text(settings)
    with running("mosquitto", "-c", str(tmp_path / "mosquitto.conf")) as broker:
        broker.wait_for(port)
        yield port


@pytest.fixture
def recorded(tmp_path: Path, server: int) -> Recorded:
    """Capture what the broker and its clients say during the block."""
    return lambda: recorded_on_loopback(tmp_path / "mqtt.pcap", f"tcp port {server}")


class _Talker:
    """A client that waits for what it asked for."""

    def __init__(self, port: int, name: str, version: int) -> None:
        import paho.mqtt.client as paho

        self.acknowledged: set[int] = set()
        self.received: list[tuple[str, int]] = []
        self.client: Any = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=version)
        self.client.on_message = lambda _client, _data, message: self.received.append((message.topic, message.qos))
        self.client.on_subscribe = lambda _client, _data, mid, *_rest: self.acknowledged.add(mid)
        self.client.on_unsubscribe = lambda _client, _data, mid, *_rest: self.acknowledged.add(mid)
        self.client.connect("127.0.0.1", port, keepalive=1)
        self.client.loop_start()
        self.until(self.client.is_connected)

    def until(self, done: Callable[[], bool]) -> None:
        for _ in range(400):
            if done():
                return
            time.sleep(0.02)
        raise AssertionError("the broker did not answer")

    def end(self) -> None:
        self.client.disconnect()
        self.until(lambda: not self.client.is_connected())
        self.client.loop_stop()


def _talk(port: int) -> None:
    """As 3.1, 3.1.1 and 5: publications of every quality in both directions, subscriptions, pings, refusals."""
    import paho.mqtt.client as paho
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    for name, version in (("till-31", paho.MQTTv31), ("till-311", paho.MQTTv311), ("till-5", paho.MQTTv5)):
        talker = _Talker(port, name, version)
        mid = talker.client.subscribe([("a/zero/#", 0), ("a/one/+", 1), ("a/two", 2)])[1]
        talker.until(lambda talker=talker, mid=mid: mid in talker.acknowledged)  # type: ignore[misc]
        properties = None
        if version == paho.MQTTv5:
            properties = Properties(PacketTypes.PUBLISH)
            properties.UserProperty = ("traceparent", TRACE)
            properties.ContentType = "text/plain"
        for topic, qos in (("a/zero/x", 0), ("a/one/x", 1), ("a/two", 2)):
            talker.client.publish(topic, b"p" * 2000, qos=qos, properties=properties).wait_for_publish(10)
        talker.until(lambda talker=talker: len(talker.received) == 3)  # type: ignore[misc]
        # Nobody listens, and nobody may write: reasons of MQTT 5.
        talker.client.publish("a/none", b"x", qos=1).wait_for_publish(10)
        talker.client.publish("secret/x", b"x", qos=1).wait_for_publish(10)
        if version == paho.MQTTv5:
            for _ in range(2):
                properties = Properties(PacketTypes.PUBLISH)
                properties.TopicAlias = 3
                talker.client.publish("a/alias", b"x", qos=1, properties=properties).wait_for_publish(10)
        mid = talker.client.unsubscribe("a/two")[1]
        talker.until(lambda talker=talker, mid=mid: mid in talker.acknowledged)  # type: ignore[misc]
        time.sleep(1.5)
        talker.end()


@pytest.fixture
def talk() -> Callable[[int], None]:
    """What paho says to a mosquitto, each thing once; the peer test and the golden capture both use it."""
    return _talk

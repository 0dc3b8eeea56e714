"""A real mosquitto and paho on loopback, a real capture: the rows are what the client asked and was told."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import metaflow_parser_mqtt.plugin
import pytest

from metaflow_core.testing import peers_missing, replay

KINDS = (
    "",
    "CONNECT",
    "",
    "PUBLISH",
    "",
    "",
    "PUBREL",
    "",
    "SUBSCRIBE",
    "",
    "UNSUBSCRIBE",
    "",
    "PINGREQ",
    "",
    "DISCONNECT",
)


NEEDS = peers_missing("mosquitto", "tcpdump", "tshark", modules=["paho"], root=True)
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


def _rows(capture: Path) -> list[Mapping[str, Any]]:
    """The rows, read with this parser whether or not it is installed."""
    installed = {point.name for point in entry_points(group="metaflow.plugins.v1")}
    plugins = [] if "parser-mqtt" in installed else [metaflow_parser_mqtt.plugin]
    return replay(capture, parsers=["mqtt"], plugins=plugins)


def _tshark(capture: Path, port: int) -> Counter[str]:
    """How many packets of each type that asks, as tshark reads them."""
    command = [
        "tshark",
        "-r",
        str(capture),
        "-d",
        f"tcp.port=={port},mqtt",
        "-Y",
        "mqtt",
        "-T",
        "fields",
        "-e",
        "mqtt.msgtype",
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    numbers = (int(number) for line in out.splitlines() for number in line.split(",") if number)
    return Counter(KINDS[number] for number in numbers if number < len(KINDS) and KINDS[number])


def test_rows_are_what_paho_asked(server: int, recorded: Any, talk: Any) -> None:
    """Three versions, every quality of service in both directions, refusals, pings."""
    with recorded() as capture:
        talk(server)
    rows = _rows(capture)
    assert {row["type"] for row in rows} == {"session"}, [row for row in rows if row["type"] != "session"]
    assert Counter(row["request_type"] for row in rows) == _tshark(capture, server)
    by_version = {row["version"]: row["request_domain"] for row in rows}
    assert by_version == {"3.1": "till-31", "3.1.1": "till-311", "5": "till-5"}
    published = Counter(
        (row["request_resource"], row["attributes"]["qos"], row["attributes"].get("from", "client"))
        for row in rows
        if row["request_type"] == "PUBLISH"
    )
    for side in ("client", "server"):
        for topic, qos in (("a/zero/x", "0"), ("a/one/x", "1"), ("a/two", "2")):
            assert published[topic, qos, side] == 3, published
    assert Counter(row["request_resource"] for row in rows if row["request_type"] == "PUBREL") == {"a/two": 6}
    assert {row["request_resource"] for row in rows if row["request_type"] == "SUBSCRIBE"} == {"a/zero/#,a/one/+,a/two"}
    assert {row["response_result"] for row in rows if row["request_type"] == "SUBSCRIBE"} == {"0,1,2"}
    secret = [row for row in rows if row["request_resource"] == "secret/x"]
    assert [row["response_status"] for row in secret] == ["ok", "ok", "client_error"]
    assert (secret[2]["response_code"], secret[2]["response_exception"]) == (0x87, "not authorized")
    traced = [row for row in rows if row["trace_id"]]
    # What the client published, and what the broker passed on.
    assert len(traced) == 6
    assert {row["trace_id"] for row in traced} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    assert sum(row["request_type"] == "PINGREQ" for row in rows) >= 3

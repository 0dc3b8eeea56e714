"""A real provider and consumer (npm's dubbo-remoting) on loopback, a real capture: the rows are the calls that were made."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from metaflow_core.testing import free_port, peers_missing, recorded, replay

PEERS = Path(__file__).parent / "peers"


NEEDS = peers_missing("node", "tcpdump", root=True)
if not NEEDS and not (PEERS / "node_modules" / "dubbo-remoting").is_dir():
    NEEDS = f"npm install was not run in {PEERS}"
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


def test_calls_are_the_rows(tmp_path: Path) -> None:
    """Each call is one paired row with its method, its code and the provider's words."""
    port = free_port()
    command = ["node", str(PEERS / "talk.js"), str(port)]
    talk = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert talk.stdout is not None
        assert talk.stdout.readline() == "ready\n"
        with recorded(tmp_path / "dubbo.pcap", f"tcp port {port}"):
            out, _ = talk.communicate("go\n", timeout=60)
    finally:
        talk.kill()
        talk.wait(timeout=20)
    said = json.loads(out)
    assert said == {"sum": sum(range(1, 201)), "together": [101, 102, 103], "failed": said["failed"]}
    rows = replay(tmp_path / "dubbo.pcap", parsers=["dubbo"])
    calls = [row for row in rows if row["request_type"] != "heartbeat"]
    assert {row["type"] for row in calls} == {"session"}
    assert {row["l7_protocol"] for row in calls} == {"Dubbo"}
    assert Counter(row["endpoint"] for row in calls) == {"shop.CartService/plus": 203, "shop.CartService/fail": 1}
    assert {row["request_resource"] for row in calls} == {"shop.CartService"}
    assert {row["response_code"] for row in calls if row["request_type"] == "plus"} == {20}
    (failed,) = [row for row in calls if row["request_type"] == "fail"]
    assert "no stock" in f"{failed['response_exception']} {failed['response_result']}"
    assert len({row["request_id"] for row in calls}) == 204

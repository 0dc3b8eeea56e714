"""A real provider and consumer (npm's dubbo-remoting) on loopback, a real capture: the rows are the calls that were made."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from metaflow_core.testing import replay

PATH = f"{os.environ['PATH']}:/usr/sbin"
PEERS = Path(__file__).parent / "peers"


def _why_not() -> str:
    missing = [name for name in ("node", "tcpdump") if shutil.which(name, path=PATH) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if not (PEERS / "node_modules" / "dubbo-remoting").is_dir():
        return f"npm install was not run in {PEERS}"
    return "" if os.geteuid() == 0 else "capturing on loopback needs root"


pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(_why_not()), reason=_why_not())]


@contextmanager
def _recorded(port: int, capture: Path) -> Iterator[None]:
    """What a port of loopback says during the block."""
    command = ("-i", "lo", "-U", "--immediate-mode", "-B", "65536", "-w", str(capture), f"tcp port {port}")
    path = shutil.which("tcpdump", path=PATH) or "tcpdump"
    dump = subprocess.Popen([path, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert dump.stderr is not None
        assert any("listening" in line for line in dump.stderr)
        yield
        time.sleep(1)
    finally:
        dump.terminate()
        dump.communicate(timeout=20)


def test_calls_are_the_rows(tmp_path: Path) -> None:
    """Each call is one paired row with its method, its code and the provider's words."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = ["node", str(PEERS / "talk.js"), str(port)]
    talk = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert talk.stdout is not None
        assert talk.stdout.readline() == "ready\n"
        with _recorded(port, tmp_path / "dubbo.pcap"):
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

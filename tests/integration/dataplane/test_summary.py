"""What the summary of a capture says beside its services: what was not answered, and where nobody knows what is spoken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from frames import Talk, write


def test_unanswered_requests_and_unknown_protocols_are_told(tmp_path: Path) -> None:
    get = "GET /item HTTP/1.1\r\nHost: shop\r\n\r\n"
    failed = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
    frames = [
        *Talk(8080, client_port=40001).open().c(get).s(failed).close().frames,
        *Talk(8080, client_port=40002).open().c(get).close().frames,
        *Talk(6379, client_port=40003).open().c("*2\r\n$3\r\nGET\r\n$1\r\na\r\n").s("-ERR no\r\n").close().frames,
        *Talk(4321, client_port=40004, udp=True).c(b"\x81\x05abc").s(b"\x82\x01").frames,
    ]
    command = [sys.executable, "-m", "metaflow_core", "read", str(write(tmp_path / "some.pcap", frames))]
    summary = json.loads(subprocess.run([*command, "--json"], check=True, capture_output=True).stdout)
    assert (summary["requests"], summary["errors"], summary["unanswered"]) == (3, 3, 1)
    assert {each["port"]: (each["errors"], each["unanswered"]) for each in summary["services"]} == {
        8080: (2, 1),
        6379: (1, 0),
    }
    assert summary["strangers"] == [{"server": "10.0.0.2:4321", "transport": 17, "flows": 1, "bytes": 7}]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "4 flows, 3 requests, 3 (100 %) failed (1 of them without an answer)" in text
    assert "Unknown protocols" in text
    assert "GET GET" not in text

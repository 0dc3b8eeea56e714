"""The main job, end to end: ``mflow up`` on this machine with everything installed, and a person's questions answered."""

from __future__ import annotations

import http.client
import http.server
import json
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.testing import capture_refused, free_port

REQUESTS = 40


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(500 if self.path.startswith("/broken") else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


@pytest.fixture
def port(tmp_path: Path, shop: int) -> Iterator[int]:
    """A running ``mflow up`` that watches the shop; its HTTP port."""
    port = free_port()
    command = [sys.executable, "-m", "metaflow_core", "up", "--interface", "lo", "--filter", f"tcp port {shop}"]
    process = subprocess.Popen(
        [*command, "--data", str(tmp_path / "data"), "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        for _ in range(600):
            assert process.poll() is None, process.communicate()
            try:
                if ask(port, "GET", "/v1/health/")[0] == 200:
                    break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail("mflow up did not answer within a minute")
        yield port
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "MetaFlow is up." in out
        assert "Traceback" not in err
    finally:
        process.kill()
        process.wait()


def ask(port: int, method: str, path: str, body: dict[str, str] | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request(method, path, urllib.parse.urlencode(body) if body else None, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def sql(port: int, text: str) -> list[list[Any]]:
    status, body = ask(port, "POST", "/v1/query", {"db": "flow_log", "sql": text})
    assert status == 200, body
    values: list[list[Any]] = json.loads(body)["result"]["values"]
    return values


def _flows(port: int, shop: int) -> str:
    rows = sql(port, f"SELECT flow_id FROM l7_flow_log WHERE server_port = {shop} GROUP BY flow_id")
    return f"({', '.join(str(flow) for [flow] in rows)})"


@pytest.mark.root
@pytest.mark.skipif(bool(capture_refused()), reason=capture_refused())
def test_what_the_machine_did_is_there_to_ask_for(port: int, shop: int) -> None:
    time.sleep(1)
    connection = http.client.HTTPConnection("127.0.0.1", shop)
    for number in range(REQUESTS):
        connection.request("GET", f"/{'broken' if number % 4 == 0 else 'fine'}/{number % 2}")
        connection.getresponse().read()
    connection.close()
    question = (
        f"SELECT response_code, Count(row) AS n FROM l7_flow_log WHERE server_port = {shop} GROUP BY response_code"
    )
    for _ in range(300):
        found = {int(code): int(count) for code, count in sql(port, question)}
        if sum(found.values()) >= REQUESTS:
            break
        time.sleep(0.2)
    assert found == {500: REQUESTS // 4, 200: REQUESTS - REQUESTS // 4}
    steps = sql(port, f"SELECT op FROM explain WHERE flow_id IN {_flows(port, shop)}")
    assert ["confirm"] in steps, "every flow that was read tells why"
    assert sql(port, "SHOW TABLES")
    status, body = ask(port, "GET", "/prom/api/v1/status/buildinfo")
    assert status == 200
    assert json.loads(body)["status"] == "success"
    status, page = ask(port, "GET", "/")
    assert status == 200
    assert b"MetaFlow" in page

"""The packets of a flow, from the machine of the agent that saw it: real processes, real traffic, and either side killed."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.testing import capture_refused, free_port

pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(capture_refused()), reason=capture_refused())]
_MOST_S = 150.0


@contextmanager
def started(log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of MetaFlow, killed at the end."""
    with log.open("ab") as sink:
        process = subprocess.Popen([sys.executable, "-m", "metaflow_core", *words], stdout=sink, stderr=sink)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Silent(http.server.SimpleHTTPRequestHandler):
    """Says nothing of its requests."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def web_server() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def wait(check: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + _MOST_S
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen")


class Asked:
    """The server's HTTP."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def get(self, path: str, body: Any = None) -> tuple[int, bytes, str]:
        """Status, body, and the agent that gave it; status 0 while nobody answers."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}{path}", data, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=90) as response:
                return response.status, response.read(), response.headers.get("x-metaflow-agent", "")
        except urllib.error.HTTPError as error:
            return error.code, error.read(), ""
        except OSError:
            return 0, b"", ""

    def flow(self, web: int) -> str:
        """The number of a flow to this port, once there is a row of one."""
        text = f"SELECT flow_id FROM l7_flow_log WHERE server_port = {web} ORDER BY time DESC LIMIT 1"

        def look() -> str:
            status, body, _ = self.get("/v1/query", {"db": "flow_log", "sql": text})
            rows = json.loads(body)["result"]["values"] if status == 200 else []
            return str(rows[0][0]) if rows else ""

        return str(wait(look, "a row"))

    def steps(self, flow: str) -> list[str]:
        """What was done to find out the flow's protocol, once there are rows of it."""
        text = f"SELECT op FROM explain WHERE flow_id = {flow} ORDER BY time_ns"

        def look() -> list[str]:
            status, body, _ = self.get("/v1/query", {"db": "flow_log", "sql": text})
            return [str(row[0]) for row in json.loads(body)["result"]["values"]] if status == 200 else []

        found: list[str] = wait(look, "a step")
        return found

    def packets(self, flow: str, status: int) -> tuple[bytes, str]:
        """The answer of this status, once there is one: the newest second is not on the disk yet."""
        found: list[tuple[int, bytes, str]] = []

        def look() -> bool:
            found.append(self.get(f"/v1/packets?flow_id={flow}"))
            return found[-1][0] == status

        try:
            wait(look, f"status {status}")
        except AssertionError:
            raise AssertionError(found[-3:]) from None
        return found[-1][1], found[-1][2]


def test_packets_come_from_the_agent_whoever_is_killed(tmp_path: Path) -> None:
    port, listen = free_port(), f"127.0.0.1:{free_port()}"
    token = tmp_path / "token"
    token.write_text("a secret of both\n")
    log = tmp_path / "log"
    common = ["--token-file", str(token)]
    server = ["server", "--listen", listen, "--port", str(port), "--data", str(tmp_path / "server"), *common]
    agent = ["agent", "--server", listen, "--data", str(tmp_path / "agent"), "-i", "lo", "--no-ebpf", *common]
    asked = Asked(port)

    with ExitStack() as stack, web_server() as web:
        running = stack.enter_context(started(log, *server))
        watching = stack.enter_context(started(log, *agent, "--filter", f"tcp port {web}"))
        wait(lambda: b"MetaFlow agent is up" in log.read_bytes(), "the agent's start")

        def can_be_asked() -> bool:
            return b'"can_be_asked":true' in asked.get("/v1/packets")[1].replace(b" ", b"")

        wait(can_be_asked, "an agent that can be asked")
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/", timeout=10) as response:
            response.read()
        flow = asked.flow(web)
        assert {"candidate", "confirm"} <= set(asked.steps(flow)), "why a flow is HTTP is told by the server too"
        pcap, name = asked.packets(flow, 200)
        assert pcap[:4] == b"\x4d\x3c\xb2\xa1"
        assert web.to_bytes(2, "big") in pcap
        assert b"GET / HTTP" not in pcap, "headers only is the default"
        assert name
        watching.kill()
        watching.wait()
        body, _ = asked.packets(flow, 503)
        assert b"cannot be asked now" in body
        # a new life of the agent still has the packets of the one before, and a new life of the server knows whom to ask
        stack.enter_context(started(log, *agent, "--filter", f"tcp port {web}"))
        assert asked.packets(flow, 200)[0] == pcap
        running.kill()
        running.wait()
        stack.enter_context(started(log, *server))
        assert asked.packets(flow, 200)[0] == pcap
    assert b"Traceback" not in log.read_bytes(), log.read_text()[-3000:]

"""``mflow up`` with eBPF: one call through several programs is one trace down to the database, and counts once."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.testing import capture_refused

CALLS = 8
# a threaded server: asks the database, then what is behind it
TIER = """
import http.client, http.server, socket, sys
port, database, behind = (int(word) for word in sys.argv[1:4])
class Tier(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if database:
            with socket.create_connection(("127.0.0.1", database)) as made:
                made.sendall(b"*2\\r\\n$3\\r\\nGET\\r\\n$4\\r\\nitem\\r\\n"); made.recv(100)
        if behind:
            made = http.client.HTTPConnection("127.0.0.1", behind); made.request("GET", "/behind"); made.getresponse().read(); made.close()
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", port), Tier).serve_forever()
"""


def may_watch() -> str:
    """Why processes and packets cannot be watched here, empty when they can."""
    try:
        from metaflow_collector_ebpf.probe import examine
    except ImportError as error:
        return f"needs metaflow-collector-ebpf: {error}"
    missing = capture_refused()
    missing = missing or "; ".join(item.sentence for item in examine() if item.needed and not item.ok)
    return missing or ("" if shutil.which("redis-server") else "redis-server is not installed")


pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(may_watch()), reason=may_watch() or "-")]


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@contextmanager
def running(*command: str, port: int, out: Path, patience_s: float = 60) -> Iterator[None]:
    """A program until the end of the block, from when somebody listens on the port."""
    with out.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        end = time.monotonic() + patience_s
        while True:
            assert process.poll() is None, out.read_text()
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end, out.read_text()
                time.sleep(0.1)
        yield
        process.terminate()
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def sql(port: int, text: str) -> list[list[Any]]:
    data = urllib.parse.urlencode({"db": "flow_log", "sql": text}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/query", data, timeout=60) as answer:
        found: list[list[Any]] = json.load(answer)["result"]["values"]
    return found


def collectors(port: int) -> set[str]:
    """The collectors of an instance that watch by now; none while it does not answer."""
    with suppress(urllib.error.URLError), urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/status") as answer:
        found = [each for each in json.load(answer)["components"] if each["kind"] == "collector"]
        return {each["id"] for each in found if each["state"] in ("running", "degraded")}
    return set()


def test_a_call_through_several_programs_is_one_trace_and_counts_once(tmp_path: Path) -> None:
    pages, front, back, database = free_ports(4)
    for name in ("front", "back"):
        (tmp_path / name).write_text(TIER)
    redis = ("redis-server", "--port", str(database), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path))
    up = [sys.executable, "-m", "metaflow_core", "up", "--capture", "both", "--no-receive", "--port", str(pages)]
    for port in (front, back, database):
        up += ["--only-port", str(port)]
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(running(*redis, port=database, out=tmp_path / "redis.log"))
        for name, own, behind, asked in (("back", back, 0, database), ("front", front, back, 0)):
            words = (sys.executable, str(tmp_path / name), str(own), str(asked), str(behind))
            enter(running(*words, port=own, out=tmp_path / f"{name}.log"))
        enter(running(*up, "--data", str(tmp_path / "data"), port=pages, out=tmp_path / "up.log", patience_s=120))
        # the pages are there before what watches is
        end = time.monotonic() + 60
        while collectors(pages) != {"cbpf", "ebpf"}:
            assert time.monotonic() < end, (tmp_path / "up.log").read_text()
            time.sleep(0.2)
        for number in range(CALLS):
            made = http.client.HTTPConnection("127.0.0.1", front, timeout=30)
            made.request("GET", f"/item/{number}")
            made.getresponse().read()
            made.close()
        question = "SELECT signal_source, observation_point, auto_service_1, Count(row) AS n FROM l7_flow_log GROUP BY signal_source, observation_point, auto_service_1"
        for _ in range(150):
            seen = {(source, place, server): count for source, place, server, count in sql(pages, question)}
            if sum(seen.values()) >= 9 * CALLS:
                break
            time.sleep(0.2)
        programs = {server for _, _, server in seen}
        assert {"front", "back"} < programs
        assert len(programs) == 3
        places = (("packet", "rest"), ("ebpf", "c-p"), ("ebpf", "s-p"))
        assert seen == {(*place, server): CALLS for place in places for server in programs}
        # the names that Grafana reads count each exchange once
        total = urllib.parse.urlencode({"query": "sum(traces_service_graph_request_total)"})
        with urllib.request.urlopen(f"http://127.0.0.1:{pages}/prom/api/v1/query?{total}", timeout=60) as answer:
            assert json.load(answer)["data"]["result"][0]["value"][1] == str(3 * CALLS)
        said = (sys.executable, "-m", "metaflow_core", "trace", "--json", "--url", f"http://127.0.0.1:{pages}")
        listed = subprocess.run(
            [*said, "--where", f"server_port = {front} and observation_point = 's-p'"], capture_output=True, check=True
        )
        [first, *_] = json.loads(listed.stdout)["traces"]
        shown = json.loads(subprocess.run([*said, first["row_id"]], capture_output=True, check=True).stdout)
        hops = {(span["point"], span["client"]["name"], span["server"]["name"]) for span in shown["spans"]}
        leaf = (programs - {"front", "back"}).pop()
        for client, server in (("front", "back"), ("back", leaf)):
            assert {("c-p", client, server), ("s-p", client, server)} < hops
        assert shown["root_count"] == 1
        with urllib.request.urlopen(f"http://127.0.0.1:{pages}/v1/trace/{first['row_id']}", timeout=60) as answer:
            assert json.load(answer)["span_count"] == shown["span_count"] == 9

"""Two agents in network namespaces of their own send to one server over veth: token, TLS, and what each saw under its own name."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SHOP = Path(__file__).resolve().parents[3] / "tests" / "captures" / "shop.pcap"
NAMES = ("mflka", "mflkb")
MFLOW = [sys.executable, "-m", "metaflow_core"]

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("ip") is None, reason="needs root and iproute2: namespaces are made"
    ),
]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[tuple[str, ...]]:
    """A namespace for the server with a wire to each of two others: 10.79.N.1 at the server's end, 10.79.N.2 at the agent's."""
    spaces = ("mflks", *NAMES)
    for name in spaces:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
    for number, name in enumerate(NAMES):
        ip("-n", name, "link", "add", "up0", "type", "veth", "peer", "name", f"down{number}", "netns", "mflks")
        ip("-n", name, "addr", "add", f"10.79.{number}.2/24", "dev", "up0")
        ip("-n", "mflks", "addr", "add", f"10.79.{number}.1/24", "dev", f"down{number}")
        ip("-n", name, "link", "set", "up0", "up")
        ip("-n", "mflks", "link", "set", f"down{number}", "up")
    yield spaces
    for name in spaces:
        ip("netns", "del", name)


def inside(space: str, *words: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as sink:
        return subprocess.Popen(["ip", "netns", "exec", space, *words], stdout=sink, stderr=sink)


def ask(path: str, data: bytes | None = None) -> Any:
    """From inside the server's namespace, as its pages are on its loopback."""
    code = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], sys.argv[2].encode() or None, 30).read().decode())"
    words = [
        "ip",
        "netns",
        "exec",
        "mflks",
        sys.executable,
        "-c",
        code,
        f"http://127.0.0.1:8088{path}",
        (data or b"").decode(),
    ]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def wait(check: Any, logs: list[Path]) -> Any:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if found := check():
                return found
        except (subprocess.CalledProcessError, KeyError):
            pass
        time.sleep(0.3)
    raise AssertionError("\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in logs))


def test_two_hosts_and_a_server(tmp_path: Path, hosts: tuple[str, ...], certificates: Path) -> None:
    logs = [tmp_path / name for name in hosts]
    data = tmp_path / "server-data"
    server = inside(
        "mflks", *MFLOW, "server", "--listen", "0.0.0.0:20133", "--data", str(data), "--tls-cert", str(certificates / "server.pem"),
        "--tls-key", str(certificates / "server.key"), log=logs[0],
    )  # fmt: skip
    processes = [server]
    try:
        wait(lambda: "MetaFlow server is up." in logs[0].read_text(), logs)
        token = data / "agent-token"
        assert token.stat().st_mode & 0o777 == 0o600
        assert f"--token-file {token}" in logs[0].read_text()
        for number, name in enumerate(NAMES):
            processes.append(
                inside(
                    name,
                    *MFLOW,
                    "agent",
                    "--server",
                    f"10.79.{number}.1:20133",
                    "--token-file",
                    str(token),
                    "--tls-ca",
                    str(certificates / "ca.pem"),
                    "--tls-name",
                    "localhost",
                    "--data",
                    str(tmp_path / f"agent-{name}"),
                    "--interface",
                    "lo",
                    log=logs[number + 1],
                )
            )
        wait(lambda: sum(agent["connected"] for agent in ask("/v1/agents")["agents"]) == 2, logs)
        time.sleep(1)
        for number, name in enumerate(NAMES):
            serve = (
                "import http.client, http.server, threading\n"
                "server = http.server.HTTPServer(('127.0.0.1', 8000), http.server.SimpleHTTPRequestHandler)\n"
                "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
                f"for number in range({7 + number}):\n"
                "    client = http.client.HTTPConnection('127.0.0.1', 8000)\n"
                f"    client.request('GET', '/{name}/%d' % number)\n"
                "    client.getresponse().read()\n"
            )
            subprocess.run(
                ["ip", "netns", "exec", name, sys.executable, "-c", serve],
                check=True,
                capture_output=True,
                cwd=tmp_path,
            )
        question = b"db=flow_log&sql=SELECT request_resource, Count(row) AS n FROM l7_flow_log GROUP BY request_resource LIMIT 100"

        def seen() -> dict[str, int]:
            values = ask("/v1/query", question)["result"]["values"]
            return {resource: count for resource, count in values if str(resource).startswith("/mflk")}

        wanted = {f"/{name}/{each}": 1 for number, name in enumerate(NAMES) for each in range(7 + number)}
        wait(lambda: seen() == wanted, logs)
        agents = {agent["address"].split(":")[1]: agent for agent in ask("/v1/agents")["agents"]}
        assert set(agents) == {"10.79.0.2", "10.79.1.2"}
        assert all(agent["rows"] > 0 and agent["last_seen_ns"] for agent in agents.values())
        assert all("collector.cbpf" in agent["capabilities"] for agent in agents.values())
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                assert process.wait(60) == 0, "\n".join(log.read_text()[-2000:] for log in logs)
            finally:
                process.kill()
    assert "Traceback" not in "".join(log.read_text() for log in logs)

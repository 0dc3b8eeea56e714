"""A registry over real HTTP that answers what tests say, and the real servers that tests start."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from metaflow_core.testing import free_port

Answer = tuple[int, Any, dict[str, str]]


class HttpDouble:
    """``answers[path]`` is a document, bytes, or a function of the query; ``calls`` are what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.calls: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.changed = threading.Condition()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                double.answer(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        server, self._server = self._server, None
        assert server is not None
        server.shutdown()
        server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        if self._server is None:
            # a connection that was kept from before
            handler.close_connection = True
            return
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        query = {name: values[0] for name, values in parse_qs(parts.query + "&" + body).items()}
        self.calls.append((parts.path, query, dict(handler.headers)))
        found = self.answers.get(parts.path)
        status, document, headers = 404, {"message": "no such path"}, {}
        if callable(found):
            status, document, headers = found(query, dict(handler.headers))
        elif found is not None:
            status, document = 200, found
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(raw)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(raw)


class ConsulDouble(HttpDouble):
    """The part of Consul that is read, with blocking queries."""

    def __init__(self) -> None:
        self.services: dict[str, list[dict[str, Any]]] = {}
        self.index = 10
        self.deny = False
        super().__init__()
        self.answers["/v1/catalog/services"] = self._catalog

    def register(self, name: str, address: str, port: int, **more: Any) -> None:
        node = more.pop("node", "n1")
        item = {
            "Node": {"Node": node, "Address": more.pop("node_address", "192.168.7.1"), "Datacenter": "dc1"},
            "Service": {"ID": f"{name}-{address}", "Service": name, "Address": address, "Port": port, **more},
            "Checks": [{"Status": "passing"}],
        }
        with self.changed:
            self.services.setdefault(name, []).append(item)
            self._moved()

    def deregister(self, name: str) -> None:
        with self.changed:
            del self.services[name]
            self._moved()

    def _moved(self) -> None:
        self.index += 1
        for name in self.services:
            self.answers[f"/v1/health/service/{name}"] = lambda query, headers, name=name: (
                200,
                self.services.get(name, []),
                {},
            )
        self.changed.notify_all()

    def _catalog(self, query: dict[str, str], headers: dict[str, str]) -> Answer:
        if self.deny:
            return 403, {"message": "Permission denied"}, {}
        index, wait = int(query.get("index", 0)), float(query.get("wait", "0s").removesuffix("s"))
        with self.changed:
            self.changed.wait_for(lambda: self.index > index, wait)
            return 200, {name: [] for name in self.services}, {"X-Consul-Index": str(self.index)}


@contextmanager
def server(command: list[str], port: int, folder: Path, ready: Callable[[], bool]) -> Iterator[subprocess.Popen[bytes]]:
    """A real server, stopped by its process."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, "HOME": str(folder)})
        try:
            deadline = time.monotonic() + 60
            while not ready():
                assert process.poll() is None, (folder / "server.log").read_text()[-2000:]
                assert time.monotonic() < deadline, f"{command[0]} does not listen on {port}"
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def etcd(folder: Path, port: int) -> list[str] | str:
    """The command, or why there is none."""
    program = shutil.which("etcd")
    if program is None:
        return "etcd is not installed (Debian package etcd-server)"
    peer = free_port()
    return [
        program,
        *("--data-dir", str(folder / "data"), "--listen-client-urls", f"http://127.0.0.1:{port}"),
        *("--advertise-client-urls", f"http://127.0.0.1:{port}", "--listen-peer-urls", f"http://127.0.0.1:{peer}"),
        *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"),
        *("--initial-cluster", f"default=http://127.0.0.1:{peer}"),
    ]


def zookeeper(folder: Path, port: int) -> list[str] | str:
    """The command, or why there is none."""
    jar = Path("/usr/share/java/zookeeper.jar")
    program = shutil.which("java")
    if program is None or not jar.exists():
        return "ZooKeeper is not installed (Debian packages zookeeper and a Java runtime)"
    (folder / "zoo.cfg").write_text(
        f"tickTime=500\ndataDir={folder / 'zk'}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
    )
    main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    return [
        program,
        "-XX:TieredStopAtLevel=1",
        "-Xmx128m",
        "-cp",
        str(jar),
        "-Dzookeeper.admin.enableServer=false",
        main,
        "zoo.cfg",
    ]


def consul(folder: Path, port: int) -> list[str] | str:
    """The command, or why there is none."""
    program = shutil.which("consul")
    if program is None:
        return "no program consul in PATH (no Debian package; a build of github.com/hashicorp/consul v1.14 does)"
    return [
        *(program, "agent", "-dev", "-bind", "127.0.0.1", "-http-port", str(port), "-grpc-port", "-1"),
        *("-grpc-tls-port", "-1", "-dns-port", "-1", "-serf-lan-port", str(free_port())),
        *("-serf-wan-port", str(free_port()), "-server-port", str(free_port())),
    ]

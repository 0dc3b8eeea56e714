"""KV1 end to end: a real server and client on loopback, tcpdump, and ``read_pcap`` with the parser in each language."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import socketserver
import struct
import subprocess
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

import metaflow_core as mf
from metaflow_core import ParserFactory, hookimpl

SDK = Path(__file__).resolve().parents[1]
PORT = 7741
HEADER = struct.Struct(">4sBBHII")
GET, SET, DEL = 1, 2, 3
EXCHANGES = 60


def frame(kind: int, code: int, number: int, key: bytes, value: bytes = b"") -> bytes:
    return HEADER.pack(b"KV1!", kind, code, len(key), number, len(key) + len(value)) + key + value


class Server(socketserver.BaseRequestHandler):
    """Keeps values; refuses keys it does not have."""

    store: dict[bytes, bytes] = {}

    def handle(self) -> None:
        stream = self.request.makefile("rb")
        while head := stream.read(HEADER.size):
            _, kind, verb, key_len, number, body_len = HEADER.unpack(head)
            body = stream.read(body_len)
            key, value = body[:key_len], body[key_len:]
            if kind == 3:
                continue
            if verb == SET:
                self.store[key] = value
                answer = frame(2, 0, number, b"stored")
            elif key in self.store:
                answer = frame(2, 0, number, b"found", self.store[key])
            else:
                answer = frame(2, 1, number, b"no such key")
            # in two pieces, so that messages are split over segments
            self.request.sendall(answer[:10])
            time.sleep(0.001)
            self.request.sendall(answer[10:])


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    # a connection that is left open must not keep the test waiting
    daemon_threads = True
    block_on_close = False


@pytest.fixture(scope="session")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of 60 exchanges, of which 20 are refused, and one notice."""
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump is not installed")
    if os.geteuid() != 0:
        pytest.skip("capturing on loopback needs root")
    path = tmp_path_factory.mktemp("kv1") / "kv1.pcap"
    with Listener(("127.0.0.1", PORT), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        dump = subprocess.Popen(
            ["tcpdump", "-i", "lo", "--immediate-mode", "-U", "-s", "0", "-w", str(path), f"tcp port {PORT}"],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert dump.stderr is not None
        assert any("listening" in line for line in dump.stderr)
        with socket.create_connection(("127.0.0.1", PORT), timeout=10) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = client.makefile("rb")
            for number in range(EXCHANGES):
                key = b"key-%d" % (number // 3)
                request = [
                    frame(1, SET, number, key, b"v" * number), frame(1, GET, number, key), frame(1, GET, number, b"missing")
                ][number % 3]  # fmt: skip
                client.sendall(request[:7])
                time.sleep(0.001)
                client.sendall(request[7:])
                head = HEADER.unpack(stream.read(HEADER.size))
                stream.read(head[5])
            client.sendall(frame(3, DEL, 999, b"bye"))
            stream.close()
            time.sleep(0.2)
        time.sleep(1.5)
        dump.terminate()
        dump.wait(10)
        server.shutdown()
    return path


def plugin(factory: ParserFactory) -> ModuleType:
    """A plugin object that offers one parser."""
    module = ModuleType("kv1_plugin")

    @hookimpl
    def metaflow_parsers() -> list[ParserFactory]:
        return [factory]

    module.metaflow_parsers = metaflow_parsers  # type: ignore[attr-defined]
    return module


def check(path: Path, factory: ParserFactory) -> list[dict[str, object]]:
    capture = mf.read_pcap(path, plugins=[plugin(factory)])
    rows = list(capture.requests())
    exchanges = [row for row in rows if row["request_type"] in {"GET", "SET"}]
    assert len(exchanges) == EXCHANGES
    assert {row["type"] for row in exchanges} == {"session"}
    assert sum(row["response_status"] == "client_error" for row in exchanges) == EXCHANGES // 3
    assert sum(row["request_type"] == "SET" for row in exchanges) == EXCHANGES // 3
    assert sorted(row["request_id"] for row in exchanges) == list(range(EXCHANGES))
    assert [row["request_resource"] for row in rows if row["request_type"] == "DEL"] == ["bye"]
    wanted = ("l7_protocol", "request_type", "request_resource", "request_id", "response_status", "response_result", "response_duration")  # fmt: skip
    return [{name: row[name] for name in wanted} for row in rows]


@pytest.fixture(scope="session")
def python_factory() -> ParserFactory:
    spec = importlib.util.spec_from_file_location("kv1_python_e2e", SDK / "python-example/kv1.py")
    assert spec is not None
    assert spec.loader is not None
    kv1 = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kv1)
    return kv1.FACTORY


def test_python(conversation: Path, python_factory: ParserFactory) -> None:
    check(conversation, python_factory)


def test_wasm_in_every_language(conversation: Path, python_factory: ParserFactory, module: Path) -> None:
    factory = ParserFactory(
        type=python_factory.type,
        description=python_factory.description,
        wasm=module,
        summary="KV1",
        limits=python_factory.limits,
    )
    assert check(conversation, factory) == check(conversation, python_factory)

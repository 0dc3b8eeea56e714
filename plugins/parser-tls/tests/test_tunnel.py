"""TLS through a tunnel of HTTP: the flow shows the CONNECT and its answer, then the handshake, and nothing else."""

from __future__ import annotations

import select
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from metaflow_core.testing import free_port, peers_missing, recorded, replay, running

NEEDS = peers_missing("nginx", "curl", "openssl", "tcpdump", root=True)
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


def _relay(client: socket.socket, target: int) -> None:
    """Answers a CONNECT, then passes on bytes both ways until one side ends."""
    with suppress(OSError), client, socket.create_connection(("127.0.0.1", target)) as server:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        while True:
            for ready in select.select([client, server], [], [], 20)[0]:
                data = ready.recv(65_536)
                if not data:
                    return
                (server if ready is client else client).sendall(data)


def test_tls_follows_a_connect(certificate: tuple[str, str], port: int, tmp_path: Path) -> None:
    """curl through a proxy that tunnels: HTTP first, then the handshake with nginx, in one flow."""
    cert, key = certificate
    listen = f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key}; }}"
    conf = f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {listen} }}"
    (tmp_path / "nginx.conf").write_text(conf)
    front = free_port()
    listener = socket.create_server(("127.0.0.1", front))

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=_relay, args=(listener.accept()[0], port), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    with running("nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")) as server:
        server.wait_for(port)
        with recorded(tmp_path / "tunnel.pcap", f"tcp port {front}"):
            url = f"https://shop.example:{port}/"
            for options in (["--tls-max", "1.2"], ["--tls-max", "1.3"]):
                command = ["curl", "-sk", "-o", "/dev/null", "-x", f"http://127.0.0.1:{front}", *options, url]
                subprocess.run(command, check=True, timeout=30)
    listener.close()
    rows = replay(tmp_path / "tunnel.pcap", parsers=["http", "tls", "mysql", "redis"])
    told = [(row["l7_protocol"], row["type"], row["request_type"], row["response_status"]) for row in rows]
    assert told == [("HTTP", "session", "CONNECT", "ok"), ("TLS", "session", "Client Hello", "ok")] * 2, told
    assert [row["version"] for row in rows if row["l7_protocol"] == "TLS"] == ["TLS 1.2", "TLS 1.3"]
    assert {row["request_domain"] for row in rows if row["l7_protocol"] == "TLS"} == {"shop.example"}
    assert len({row["flow_id"] for row in rows}) == 2

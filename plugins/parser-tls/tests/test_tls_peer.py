"""openssl, nginx with curl, and Python's ssl on loopback, a real capture: the rows are what was agreed on."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import metaflow_parser_tls.plugin
import pytest

from metaflow_core.testing import peers_missing, replay, running

NEEDS = peers_missing("openssl", "nginx", "curl", "tcpdump", "tshark", root=True)
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


def _rows(capture: Path) -> list[Mapping[str, Any]]:
    """The rows, read with this parser whether or not it is installed."""
    installed = {point.name for point in entry_points(group="metaflow.plugins.v1")}
    plugins = [] if "parser-tls" in installed else [metaflow_parser_tls.plugin]
    return replay(capture, parsers=["tls"], plugins=plugins)


def _tshark(capture: Path, port: int, kind: int, *names: str) -> list[list[str]]:
    """Fields of every ClientHello (1) or ServerHello (2), as tshark reads them."""
    command = ["tshark", "-r", str(capture), "-d", f"tcp.port=={port},tls", "-Y", f"tls.handshake.type=={kind}"]
    command += ["-T", "fields", *(part for name in names for part in ("-e", name))]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return sorted(line.split("\t") for line in out.splitlines())


def _s_client(port: int, *options: str) -> None:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "shop.example", *options]
    subprocess.run(command, input=b"Q\n", capture_output=True, check=False, timeout=20)


def test_openssl_of_every_version(certificate: tuple[str, str], port: int, recorded: Any, tmp_path: Path) -> None:
    """Each handshake of openssl is an exchange with version, suite, certificate and fingerprints as tshark has them."""
    cert, key = certificate
    server = ("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert, "-key", key, "-quiet")
    groups = ("-groups", "X25519:P-256")
    ticket = str(tmp_path / "session")
    with running(
        *server, "-alpn", "h2,http/1.1", "-verify", "1", "-cipher", "ALL:@SECLEVEL=0", *groups, stdin=subprocess.PIPE
    ) as started:
        started.wait_for(port)
        with recorded(port) as capture:
            old = ("-cipher", "ALL:@SECLEVEL=0")
            _s_client(port, "-tls1", *old)
            _s_client(port, "-tls1_1", *old)
            _s_client(port, "-tls1_2", "-alpn", "h2", "-cert", cert, "-key", key, "-sess_out", ticket)
            _s_client(port, "-tls1_2", "-sess_in", ticket)
            _s_client(port, "-tls1_3", "-alpn", "h2")
            # A key of a group that the server does not take: HelloRetryRequest, and a second ClientHello.
            _s_client(port, "-tls1_3", "-groups", "P-521:X25519")
            _s_client(port, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")
    rows = _rows(capture)
    assert [row["version"] for row in rows[:6]] == ["TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.2", "TLS 1.3", "TLS 1.3"]
    assert {row["type"] for row in rows} == {"session"}
    assert [row["response_status"] for row in rows] == ["ok"] * 6 + ["client_error"]
    assert (rows[6]["response_code"], rows[6]["response_exception"]) == (40, "handshake_failure")
    assert {row["request_domain"] for row in rows} == {"shop.example"}
    full, resumed, modern = (rows[at]["attributes"] for at in (2, 3, 4))
    assert full["server_cert_subject"] == full["client_cert_subject"] == "C=DE,O=MetaFlow,CN=shop.example"
    assert full["server_cert_names"] == "shop.example,127.0.0.1"
    assert full["server_cert_valid_days"] in ("29", "30")
    assert (full["alpn"], full["client_auth"]) == ("h2", "true")
    assert resumed["resumed"] == "true"
    assert "resumed" not in full
    assert modern["cipher_suite"] == "TLS_AES_256_GCM_SHA384"
    assert [row["attributes"].get("hello_retry") for row in rows] == [None] * 5 + ["true", None]
    hellos = _tshark(capture, port, 1, "tls.handshake.extensions_server_name", "tls.handshake.ja3")
    # tshark also has the second ClientHello of the handshake that was retried, and the retry itself.
    assert len(hellos) == len(rows) + 1
    assert all([row["request_domain"], row["attributes"]["ja3"]] in hellos for row in rows)
    answers = _tshark(capture, port, 2, "tls.handshake.ja3s")
    assert len(answers) == 7
    assert all([row["attributes"]["ja3s"]] in answers for row in rows[:6])


def test_nginx_and_curl(certificate: tuple[str, str], port: int, recorded: Any, tmp_path: Path) -> None:
    """curl over TLS 1.2 and 1.3, HTTP/2 and 1.1; a client that does not trust the server says so."""
    cert, key = certificate
    site = f"server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {cert}; ssl_certificate_key {key}; }}"
    conf = f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {site} }}"
    (tmp_path / "nginx.conf").write_text(conf)
    with running("nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")) as server:
        server.wait_for(port)
        with recorded(port) as capture:
            url = f"https://shop.example:{port}/"
            curl = ["curl", "-s", "-o", "/dev/null", "--resolve", f"shop.example:{port}:127.0.0.1", url]
            for options in (["-k"], ["-k", "--tls-max", "1.2"], ["-k", "--http1.1"], ["--tls-max", "1.2"]):
                subprocess.run([*curl, *options], check=False, timeout=30)
    rows = _rows(capture)
    assert [row["version"] for row in rows] == ["TLS 1.3", "TLS 1.2", "TLS 1.3", "TLS 1.2"]
    assert [row["response_status"] for row in rows] == ["ok", "ok", "ok", "server_error"]
    assert rows[3]["response_exception"] == "unknown_ca"
    assert (rows[1]["attributes"]["alpn"], rows[1]["attributes"]["offered_alpn"]) == ("h2", "h2,http/1.1")
    assert all(row["response_duration"] > 0 for row in rows)
    hellos = _tshark(capture, port, 1, "tls.handshake.extensions_server_name", "tls.handshake.ja3")
    assert hellos == sorted([row["request_domain"], row["attributes"]["ja3"]] for row in rows)


def test_pythons_ssl_resumes(certificate: tuple[str, str], port: int, recorded: Any) -> None:
    """A TLS 1.3 session that is resumed by its ticket, and one without a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listener = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), context.wrap_socket(plain, server_side=True) as peer:
                peer.sendall(b"hello")
                peer.recv(10)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    session = None
    with recorded(port) as capture:
        for name in ("shop.example", "shop.example", None):
            with (
                socket.create_connection(("127.0.0.1", port)) as plain,
                client.wrap_socket(plain, server_hostname=name, session=session if name else None) as peer,
            ):
                assert peer.recv(10) == b"hello"
                session = peer.session
                peer.sendall(b"bye")
    listener.close()
    rows = _rows(capture)
    assert [row["response_status"] for row in rows] == ["ok"] * 3
    assert [row["attributes"].get("resumed") for row in rows] == [None, "true", None]
    assert [row["request_domain"] for row in rows] == ["shop.example", "shop.example", ""]
    assert all(row["attributes"]["ja4"].startswith("t13") for row in rows)

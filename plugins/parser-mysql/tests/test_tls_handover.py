"""A MariaDB that speaks TLS after SSLRequest: the flow shows the greeting's session, then the handshake, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from metaflow_core.testing import free_port, peers_missing, recorded, replay, running

NEEDS = peers_missing("mariadbd", "mariadb", "mariadb-install-db", "openssl", "tcpdump", root=True)
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of a MariaDB with a certificate."""
    data, number = tmp_path / "data", free_port()
    install = ("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root", "--skip-test-db")
    subprocess.run([*install, "--auth-root-authentication-method=normal"], capture_output=True, check=True, timeout=120)
    certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db.example"]
    certificate += ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(certificate, capture_output=True, check=True, timeout=60)
    server = ("mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--port={number}")
    tls = (f"--ssl-cert={tmp_path}/cert.pem", f"--ssl-key={tmp_path}/key.pem")
    with running(*server, *tls, f"--socket={tmp_path}/s", "--bind-address=127.0.0.1") as started:
        started.wait_for(number)
        yield number


def _ask(port: int, *options: str) -> None:
    command = ("mariadb", "--no-defaults", "-h127.0.0.1", f"-P{port}", "-uroot", "-Ne", "SELECT 41 + 1", *options)
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "42\n"


def test_tls_follows_the_request(port: int, tmp_path: Path) -> None:
    """``--ssl``: one handshake for each connection, and no statement that was not sent in the clear."""
    with recorded(tmp_path / "tls.pcap", f"tcp port {port}"):
        for version in ("TLSv1.2", "TLSv1.3"):
            _ask(port, "--ssl", "--disable-ssl-verify-server-cert", f"--tls-version={version}")
        _ask(port, "--skip-ssl")
    rows = replay(tmp_path / "tls.pcap", parsers=["mysql", "tls", "postgresql", "http", "redis"])
    handshakes = [row for row in rows if row["l7_protocol"] == "TLS"]
    assert [row["version"] for row in handshakes] == ["TLS 1.2", "TLS 1.3"]
    assert {(row["type"], row["request_type"], row["response_status"]) for row in handshakes} == {
        ("session", "Client Hello", "ok")
    }
    assert handshakes[0]["attributes"]["server_cert_subject"] == "CN=db.example"
    encrypted = {row["flow_id"] for row in handshakes}
    # Nothing is told of what TLS hides; the third connection is read as always.
    assert {row["l7_protocol"] for row in rows} == {"TLS", "MySQL"}
    clear = [row for row in rows if row["flow_id"] not in encrypted]
    assert {row["l7_protocol"] for row in clear} == {"MySQL"}
    assert [row["request_resource"] for row in clear if row["request_type"] == "COM_QUERY"][-1] == "SELECT 41 + 1"
    before = [row for row in rows if row["flow_id"] in encrypted and row["l7_protocol"] != "TLS"]
    assert not any(row["request_resource"] or row["request_type"] == "COM_QUERY" for row in before), before

"""A PostgreSQL that speaks TLS after SSLRequest: the flow shows the request, then the handshake, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from metaflow_core.testing import find_program, free_port, peers_missing, recorded, replay, running

USER = "nobody"
FOLDERS = ["/usr/lib/postgresql/*/bin"]
"""Where Debian keeps its servers and tools, by version."""
NEEDS = peers_missing("postgres", "initdb", "psql", "openssl", "tcpdump", root=True, folders=FOLDERS)
pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.skipif(bool(NEEDS), reason=NEEDS)]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a PostgreSQL with a certificate, which runs as nobody."""
    home = Path("/tmp") / f"metaflow-postgresql-tls-{os.getpid()}"
    home.mkdir(mode=0o755)
    try:
        shutil.chown(home, USER)
        data, number = home / "data", free_port()
        initdb = [find_program("initdb", FOLDERS) or "initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "-N"]
        subprocess.run(initdb, user=USER, cwd=home, capture_output=True, check=True, timeout=120)
        certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=db.example"]
        certificate += ["-keyout", str(data / "server.key"), "-out", str(data / "server.crt")]
        subprocess.run(certificate, user=USER, capture_output=True, check=True, timeout=60)
        (data / "server.key").chmod(0o600)
        options = {"port": number, "listen_addresses": "127.0.0.1", "unix_socket_directories": home, "fsync": "off"}
        options |= {"ssl": "on"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with running("postgres", "-D", str(data), *settings, user=USER, cwd=home, folders=FOLDERS) as server:
            server.wait_for(number)
            yield number
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _psql(port: int, mode: str, version: str = "TLSv1.3") -> None:
    environment = {**os.environ, "PGSSLMODE": mode, "PGGSSENCMODE": "disable", "PGSSLMAXPROTOCOLVERSION": version}
    psql = find_program("psql", FOLDERS) or "psql"
    command = [psql, "-h127.0.0.1", f"-p{port}", "-Upostgres", "-Atc", "SELECT 41 + 1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    assert done.stdout == "42\n"


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_tls_follows_the_request(port: int, tmp_path: Path, version: str) -> None:
    """``sslmode=require``: the request and its answer, then one handshake with its version and the server's certificate."""
    with recorded(tmp_path / "tls.pcap", f"tcp port {port}"):
        for _ in range(3):
            _psql(port, "require", version)
    rows = replay(tmp_path / "tls.pcap", parsers=["postgresql", "tls", "http", "mysql", "redis"])
    told = [(row["l7_protocol"], row["type"], row["request_type"], row["response_status"]) for row in rows]
    assert sorted(told) == sorted(
        [("PostgreSQL", "session", "ssl request", "ok")] * 3 + [("TLS", "session", "Client Hello", "ok")] * 3
    ), told
    handshakes = [row for row in rows if row["l7_protocol"] == "TLS"]
    assert {row["version"] for row in handshakes} == {version.replace("v", " ")}
    if version == "TLSv1.2":
        assert {row["attributes"]["server_cert_subject"] for row in handshakes} == {"CN=db.example"}
    # Both are of one connection, and the handshake comes second.
    flows = {row["flow_id"]: row["l7_protocol"] for row in rows}
    assert set(flows.values()) == {"TLS"}
    assert len(flows) == 3


def test_without_tls_the_session_goes_on(port: int, tmp_path: Path) -> None:
    """``sslmode=disable`` beside it on the same port is read as always."""
    with recorded(tmp_path / "plain.pcap", f"tcp port {port}"):
        _psql(port, "disable")
        _psql(port, "require")
    rows = replay(tmp_path / "plain.pcap", parsers=["postgresql", "tls"])
    told = [(row["l7_protocol"], row["request_type"]) for row in rows if row["request_type"] != "terminate"]
    assert told[:2] == [("PostgreSQL", "startup"), ("PostgreSQL", "simple query")], told
    assert [name for name, _ in told[2:]] == ["PostgreSQL", "TLS"], told

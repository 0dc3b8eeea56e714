"""What the peer tests share: certificates, and captures of loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from metaflow_core.testing import free_port
from metaflow_core.testing import recorded as recorded_on_loopback

Recorded = Callable[[int], AbstractContextManager[Path]]


@pytest.fixture
def port() -> int:
    """A port on which nobody listens."""
    return free_port()


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """Capture what a port of loopback says during the block."""
    return lambda port: recorded_on_loopback(tmp_path / "tls.pcap", f"tcp port {port}")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """Files of a certificate for shop.example that signs itself, and of its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", str(key)]
    command += ["-out", str(cert), "-subj", "/C=DE/O=MetaFlow/CN=shop.example"]
    command += ["-addext", "subjectAltName=DNS:shop.example,IP:127.0.0.1"]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    return str(cert), str(key)

"""What the peer tests share: programs that are stopped by their own process id, certificates, and captures of loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

PATH = f"{os.environ['PATH']}:/usr/sbin"
Running = Callable[..., AbstractContextManager["subprocess.Popen[bytes]"]]
Recorded = Callable[[int], AbstractContextManager[Path]]


@contextmanager
def _running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    path = shutil.which(command[0], path=PATH) or command[0]
    process = subprocess.Popen(
        [path, *command[1:]], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def running() -> Running:
    """Start a program; it is stopped at the end of the block."""
    return _running


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """Capture what a port of loopback says during the block."""

    @contextmanager
    def record(port: int) -> Iterator[Path]:
        capture = tmp_path / "tls.pcap"
        command = ("-i", "lo", "-U", "--immediate-mode", "-B", "65536", "-w", str(capture), f"tcp port {port}")
        with _running("tcpdump", *command) as dump:
            assert dump.stderr is not None
            assert any(b"listening" in line for line in dump.stderr)
            yield capture
            time.sleep(2)

    return record


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """Files of a certificate for shop.example that signs itself, and of its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", str(key)]
    command += ["-out", str(cert), "-subj", "/C=DE/O=MetaFlow/CN=shop.example"]
    command += ["-addext", "subjectAltName=DNS:shop.example,IP:127.0.0.1"]
    subprocess.run(command, capture_output=True, check=True, timeout=60)
    return str(cert), str(key)

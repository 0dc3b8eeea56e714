"""Real programs that the tests watch: started on loopback, stopped by their process id."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from metaflow_core.testing import running as started

HERE = Path(__file__).resolve().parent


def free_port(family: socket.AddressFamily = socket.AF_INET, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(family, kind) as probe:
        probe.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        return int(probe.getsockname()[1])


def needs(*programs: str) -> None:
    missing = [name for name in programs if not shutil.which(name, path=None) and not Path("/usr/sbin", name).exists()]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")


@contextmanager
def running(
    *command: str | Path, port: int = 0, host: str = "127.0.0.1", cwd: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A program while it runs; waits until its port answers."""
    with started(*(str(part) for part in command), stdin=subprocess.DEVNULL, cwd=cwd) as peer:
        if port:
            wait_for_port(port, host, peer.process)
        yield peer.process


def wait_for_port(port: int, host: str, process: subprocess.Popen[str] | None = None, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{process.args} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing answers on {host}:{port}")


def script(name: str, *arguments: object) -> list[str]:
    return [sys.executable, str(HERE / "servers" / name), *(str(item) for item in arguments)]


def curl(*arguments: str) -> str:
    needs("curl")
    done = subprocess.run(["curl", "-s", "--max-time", "20", *arguments], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode(errors="replace")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    needs("openssl")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert

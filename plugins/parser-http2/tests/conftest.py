"""What the peer tests share: programs that are stopped by their own process id, and captures of loopback."""

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
Running = Callable[..., AbstractContextManager["subprocess.Popen[str]"]]
Recorded = Callable[[int], AbstractContextManager[Path]]
TsharkFields = Callable[..., list[dict[str, list[str]]]]


@contextmanager
def _running(*command: str) -> Iterator[subprocess.Popen[str]]:
    path = shutil.which(command[0], path=PATH) or command[0]
    process = subprocess.Popen([path, *command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
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
def recorded(tmp_path: Path) -> Recorded:
    """Capture what a port of loopback says during the block."""

    @contextmanager
    def record(port: int) -> Iterator[Path]:
        capture = tmp_path / f"{port}.pcap"
        command = (
            "tcpdump",
            "-i",
            "lo",
            "-U",
            "--immediate-mode",
            "-B",
            "65536",
            "-w",
            str(capture),
            f"tcp port {port}",
        )
        with _running(*command) as dump:
            assert dump.stderr is not None
            assert any("listening" in line for line in dump.stderr)
            yield capture
            time.sleep(2)

    return record


@pytest.fixture
def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def tshark() -> TsharkFields:
    """Fields of the packets of a capture as tshark reads them; a packet may have several values of each."""

    def fields(capture: Path, port: int, *names: str) -> list[dict[str, list[str]]]:
        command = ["tshark", "-r", str(capture), "-d", f"tcp.port=={port},http2", "-Y", "http2", "-T", "fields"]
        command += ["-E", "separator=/t", "-E", "aggregator=|", "-E", "occurrence=a"]
        for name in names:
            command += ["-e", name]
        out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
        packets = (line.split("\t") for line in out.splitlines())
        return [
            {name: value.split("|") for name, value in zip(names, packet, strict=True) if value} for packet in packets
        ]

    return fields

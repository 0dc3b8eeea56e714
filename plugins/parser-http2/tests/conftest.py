"""What the peer tests share: captures of loopback."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from metaflow_core.testing import free_port
from metaflow_core.testing import recorded as recorded_on_loopback

Recorded = Callable[[int], AbstractContextManager[Path]]
TsharkFields = Callable[..., list[dict[str, list[str]]]]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """Capture what a port of loopback says during the block."""
    return lambda port: recorded_on_loopback(tmp_path / f"{port}.pcap", f"tcp port {port}")


@pytest.fixture
def port() -> int:
    """A port on which nobody listens."""
    return free_port()


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

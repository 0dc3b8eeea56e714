"""Makes ``tests/captures/mosquitto-2.0.pcap``: ``pytest plugins/parser-mqtt/tests/make_captures.py`` as root."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent / "captures" / "mosquitto-2.0.pcap"


def test_make(server: int, recorded: Any, talk: Any) -> None:
    """Record one conversation; the server's port is printed, for ``tests/captures.rs``."""
    with recorded() as capture:
        talk(server)
    shutil.copy(capture, TARGET)
    print(f"port {server}: write it into tests/captures.rs")

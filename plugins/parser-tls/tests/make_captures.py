"""Makes ``tests/captures/openssl-3.0.pcap``: ``pytest plugins/parser-tls/tests/make_captures.py`` as root."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from metaflow_core.testing import running

TARGET = Path(__file__).parent / "captures" / "openssl-3.0.pcap"


def test_make(certificate: tuple[str, str], port: int, recorded: Any, tmp_path: Path) -> None:
    """Record handshakes of each version; the server's port is printed, for ``tests/captures.rs``."""
    cert, key = certificate
    server = ("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert, "-key", key, "-quiet")
    ticket = str(tmp_path / "session")
    with running(
        *server,
        "-alpn",
        "h2",
        "-verify",
        "1",
        "-cipher",
        "ALL:@SECLEVEL=0",
        "-groups",
        "X25519:P-256",
        stdin=subprocess.PIPE,
    ) as started:
        started.wait_for(port)
        with recorded(port) as capture:
            for options in (
                ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
                ("-tls1_2", "-alpn", "h2", "-cert", cert, "-key", key, "-sess_out", ticket),
                ("-tls1_2", "-sess_in", ticket),
                ("-tls1_3", "-groups", "P-521:X25519"),
                ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
            ):
                client = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "shop.example"]
                subprocess.run([*client, *options], input=b"Q\n", capture_output=True, check=False, timeout=20)
    shutil.copy(capture, TARGET)
    print(f"port {port}: write it into tests/captures.rs")

"""Real programs beside a test: found, waited for, recorded, and ended whatever happens."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import pytest

from metaflow_core.testing import find_program, free_port, peers_missing, recorded, running

SERVER = "import socket,sys,time; s=socket.create_server(('127.0.0.1',int(sys.argv[1]))); print('ready',file=sys.stderr,flush=True); time.sleep(60)"
STUBBORN = (
    "import signal,sys,time; signal.signal(signal.SIGTERM,signal.SIG_IGN); print('up',file=sys.stderr); time.sleep(60)"
)


def test_what_is_missing_is_named() -> None:
    assert peers_missing("sh") == ""
    assert (
        peers_missing("sh", "no-such-program", modules=["no_such_module"])
        == "not installed: no-such-program, no_such_module (a Python module)"
    )
    assert find_program("no-such-program") is None


def test_a_program_in_a_folder_of_its_own(tmp_path: Path) -> None:
    for version in ("1", "2"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        (folder / "kept-apart").write_text("#!/bin/sh\n")
        (folder / "kept-apart").chmod(0o755)
    folders = [f"{tmp_path}/*/bin", f"{tmp_path}/none/*"]
    assert find_program("kept-apart") is None
    assert find_program("kept-apart", folders) == str(tmp_path / "2" / "bin" / "kept-apart")
    assert peers_missing("kept-apart", folders=folders) == ""
    assert peers_missing("kept-apart") == "not installed: kept-apart"


def test_a_server_is_waited_for_and_ended() -> None:
    port = free_port()
    with running(sys.executable, "-c", SERVER, str(port)) as server:
        server.wait_for(port)
        socket.create_connection(("127.0.0.1", port)).close()
    assert server.process.returncode == -signal.SIGTERM


def test_a_server_that_ends_early_is_told_with_its_words() -> None:
    with (
        running(sys.executable, "-c", "import sys; sys.exit('no such option')") as server,
        pytest.raises(AssertionError, match="it ended with 1: no such option"),
    ):
        server.wait_for(free_port())


def test_who_does_not_end_is_killed() -> None:
    with running(sys.executable, "-c", STUBBORN, seconds=0.2) as stubborn:
        while "up" not in stubborn.said():
            assert stubborn.process.poll() is None
    assert stubborn.process.returncode == -signal.SIGKILL


@pytest.mark.skipif(bool(peers_missing("tcpdump", root=True)), reason=peers_missing("tcpdump", root=True))
def test_a_capture_holds_what_was_said(tmp_path: Path) -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)) as listener,
        recorded(tmp_path / "a.pcap", f"tcp port {port}") as capture,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        client.sendall(b"what was said")
        listener.accept()[0].close()
    assert b"what was said" in capture.read_bytes()
    assert capture.stat().st_size < 10_000

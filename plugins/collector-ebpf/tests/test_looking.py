"""A session that stands in the kernel and sees nothing is found out, put right, or refused."""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ebpf_programs import running
from ebpf_segments import DATA
from ebpf_watching import watching, why_not
from metaflow_collector_ebpf import looking
from metaflow_collector_ebpf.attach import attach_tracepoints, close_all
from metaflow_collector_ebpf.backends.core import load_core
from metaflow_collector_ebpf.config import EbpfConfig
from metaflow_collector_ebpf.layout import COUNTERS, position
from metaflow_collector_ebpf.looking import Eyes, moved_segments, why_blind
from metaflow_collector_ebpf.session import Session

from metaflow_core.api import Kind
from metaflow_core.errors import StartError
from metaflow_core.testing import build_context

ZERO = bytes(4)
OPEN = EbpfConfig.model_validate({"backend": "core", "tls": {"enabled": False}})

# a socket's name in the file system, held by a descriptor that is none of a socket
PATHS = """
import os, socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])
print("ready", flush=True)
while True: os.close(os.open(sys.argv[1], os.O_PATH))
"""
ECHO = """
import socket
listening = socket.create_server(("127.0.0.1", 0)); near = socket.create_connection(listening.getsockname()); far, _ = listening.accept()
for _ in range(int(__import__("sys").argv[1])): near.sendall(b"to be seen"); far.recv(99)
print(listening.getsockname()[1])
"""


def echo(times: int = 1) -> int:
    """Exchanges of another process; the port."""
    return int(
        subprocess.run([sys.executable, "-c", ECHO, str(times)], capture_output=True, check=True, timeout=30).stdout
    )


@contextlib.contextmanager
def session(**options: Any) -> Iterator[Session]:
    made = Session(OPEN.model_copy(update=options))
    try:
        yield made
    finally:
        made.close()


def totals(**moved: int) -> list[int]:
    names = {
        "seen": position("self_check", "seen"),
        "calls": position("calls"),
        "sockets": position("dropped", "too_many_sockets"),
    }
    values = [0] * len(COUNTERS)
    for name, value in moved.items():
        values[names[name]] = value
    return values


def test_what_the_counters_say_of_an_exchange_that_was_not_seen() -> None:
    nothing = totals()
    assert why_blind(nothing, totals(seen=2, calls=4), knows_sockets=True) == ""
    assert "sys_enter_close" in why_blind(nothing, nothing, knows_sockets=False)
    assert "saw 0: no program at the end of a call ran" in why_blind(nothing, nothing, knows_sockets=True)
    assert "dropped too_many_sockets: 3" in why_blind(nothing, totals(calls=4, sockets=3), knows_sockets=True)
    assert "saw 1: calls were seen" in why_blind(nothing, totals(seen=1, calls=3), knows_sockets=True)


def test_segments_of_this_machine() -> None:
    assert moved_segments("Ip: a\nIp: 1\nTcp: InSegs OutSegs RetransSegs\nTcp: 5 7 9\n") == 12
    for text in ("", "Tcp: InSegs\n", "Tcp: x\nTcp: 1\n"):
        assert moved_segments(text) == 0
    assert moved_segments(Path("/proc/net/snmp").read_text()) >= 0


class Asked:
    """A session that answers what it is told to."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked = self.attached = 0

    def look(self) -> str:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else ""
        if isinstance(answer, Exception):
            raise answer
        return answer

    def attach_anew(self) -> list[str]:
        self.attached += 1
        return []


def eyes(asked: Asked, segments: list[int]) -> tuple[Eyes, list[tuple[str, str]], Any]:
    reports: list[tuple[str, str]] = []
    context = build_context(Kind.COLLECTOR, "ebpf", reports=reports)
    made = Eyes(asked, context.counters, logging.getLogger("test"), context.report, lambda: segments[0])
    return made, reports, context.counters


def test_a_session_is_asked_when_segments_moved_and_no_call_was_seen() -> None:
    asked, segments = Asked(), [0]
    made, reports, _ = eyes(asked, segments)
    for now in range(100):
        made.tick(now, calls=now)  # calls are seen
    for now in range(100, 200):
        made.tick(now, calls=99)  # nothing happens at all
    assert asked.asked == 0
    segments[0] = 1000
    for now in range(200, 2000):
        made.tick(now, calls=99)
    # all is well, and what moves is not to be seen: asked ever more seldom
    assert 3 <= asked.asked <= 10
    assert (asked.attached, reports) == (0, [])


def test_a_blind_session_is_attached_anew_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    asked, segments = Asked("a reason"), [0]
    made, reports, counters = eyes(asked, segments)
    made.tick(0, calls=5)
    segments[0] = 1000
    for now in range(1, 30):
        made.tick(now, calls=5)
    assert asked.attached == 1
    assert reports == [("running", "")]
    assert {(i.reason, i.value) for i in counters.samples() if i.stage == "self_check"} == {("blind", 1), ("healed", 1)}
    assert "see nothing: a reason" in caplog.text
    assert "see again" in caplog.text


def test_one_that_stays_blind_is_degraded_and_tried_again_until_it_sees() -> None:
    asked, segments = Asked("a reason", "another", "a reason", OSError("no"), ""), [0]
    made, reports, _ = eyes(asked, segments)
    made.tick(0, calls=5)
    segments[0] = 1000
    for now in range(1, 60):
        made.tick(now, calls=5)
    assert [state for state, _ in reports] == ["degraded", "degraded", "running"]
    assert "another" in reports[0][1]
    assert "nothing: no;" in reports[1][1]


@pytest.mark.root
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")
class TestOnThisKernel:
    def test_what_a_socket_is_is_told_by_nobody_else(self, tmp_path: Path) -> None:
        """The first file with a socket's mode once taught what a socket is: here it is none."""
        path = str(tmp_path / "s")
        with running(sys.executable, "-c", PATHS, path), session() as made:
            before = made.counters()
            echo(10)
            after = made.counters()
            assert made.look() == ""
        assert after[position("captured", unit="records")] - before[position("captured", unit="records")] >= 20

    def test_a_session_does_not_record_that_it_looks(self) -> None:
        with session(processes=["nobody"], ports=[1]) as made:
            before = made.counters()
            assert made.look() == ""
            moved = [end - start for start, end in zip(before, made.counters(), strict=True)]
            assert moved[position("self_check", "seen")] == looking.OWN_CALLS
            assert moved[position("captured", unit="records")] == 0
            # the thread that looked is not looked at any longer
            looking.exchange()
            assert made.counters()[position("self_check", "seen")] == before[position("self_check", "seen")] + 2
            assert made.records.drain(0).records == 0

    def test_a_session_that_sees_nothing_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("metaflow_collector_ebpf.session.attach_tracepoints", lambda *_: ([], []))
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(
            StartError,
            match="core: of 2 calls .* saw 0: the program at the tracepoint syscalls/sys_enter_close did not run",
        ):
            Session(OPEN)
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    def test_the_next_backend_is_taken_when_one_sees_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        attached: list[int] = []

        def attach(*arguments: Any) -> tuple[list[int], list[str]]:
            attached.append(1)
            return ([], []) if len(attached) <= 2 else attach_tracepoints(*arguments)

        monkeypatch.setattr("metaflow_collector_ebpf.session.attach_tracepoints", attach)
        monkeypatch.setattr("metaflow_collector_ebpf.session._BACKENDS", {"core": load_core, "bcc": load_core})
        with session(backend="auto") as made:
            assert made.backend == "bcc"
            assert any("backend core saw nothing" in note for note in made.notes)

    @pytest.mark.parametrize("harm", ["poisoned", "detached"])
    def test_one_that_goes_blind_is_put_right(self, harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(looking, "_FIRST_S", 0.5)
        with watching(backend="core", tls={"enabled": False}) as watch:
            made = watch.collector._session
            assert made is not None
            if harm == "detached":
                close_all(made._held)
            else:
                raw = made.loaded.maps["config"].lookup(ZERO)
                assert raw is not None
                made.loaded.maps["config"].update(ZERO, raw[:-8] + struct.pack("<Q", 0xFFFF8880DEADBEEF))
            end = time.monotonic() + 60
            while not watch.counter("self_check", "healed", "times") and time.monotonic() < end:
                looking.exchange()  # segments move
                time.sleep(0.05)
            port = echo(3)
            found = watch.wait(lambda items: len(items) >= 6, lambda item: port in item.ports and item.kind == DATA)
            assert watch.counter("self_check", "blind", "times") == watch.counter("self_check", "healed", "times") == 1
            assert watch.reports[-1] == ("running", "")
            assert len(found) == 6
            # of what it said to itself nothing was recorded
            assert not watch.segments(lambda item: item.pid == os.getpid())

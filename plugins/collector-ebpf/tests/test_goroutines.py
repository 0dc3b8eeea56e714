"""Goroutines told apart: what is read from files, and what the kernel programs make of it (one session of each backend's kind is in
``test_session.py``; links between programs are judged in the plugin tracing)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ebpf_programs import HERE
from ebpf_segments import CONCURRENT, DATA, IN, OUT, Segment
from ebpf_watching import Watching, watching, why_not
from metaflow_collector_ebpf.kernel.elf import Elf
from metaflow_collector_ebpf.routines.runtime import GoRuntime, go_version, read_runtime

GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
needs_go = pytest.mark.skipif(GO is None, reason="go is not installed (Debian: golang-go)")
needs_kernel = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


def build(folder: Path, *options: str, cgo: str = "0") -> Path:
    out = folder / f"talk{len(options)}{cgo}"
    environment = {**os.environ, "GO111MODULE": "off", "CGO_ENABLED": cgo}
    words = [str(GO), "build", *options, "-o", str(out), str(HERE / "servers" / "talk.go")]
    subprocess.run(words, check=True, capture_output=True, timeout=600, env=environment)
    return out


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("go"), "-ldflags", "-s -w")


@needs_go
def test_the_version_is_read_from_a_stripped_program(talk: Path) -> None:
    data = talk.read_bytes()
    elf = Elf(data)
    said = subprocess.run([str(GO), "version", str(talk)], check=True, capture_output=True, text=True).stdout
    assert go_version(elf) == said.split(": ")[1].strip()
    found = read_runtime(elf)
    assert found.is_known
    assert found.local in (-8, 0)
    # a version that nobody has looked at is not guessed, and damage ends no collector
    section = elf.section(".go.buildinfo")
    assert section is not None
    for at, value in ((33, b"go1.99.9"), (33, b"devel go"), (32, b"\xff"), (15, b"\x00"), (0, b"\x00")):
        bad = bytearray(data)
        bad[section.offset + at : section.offset + at + len(value)] = value
        assert not read_runtime(Elf(bytes(bad))).is_known


@needs_go
def test_where_the_running_goroutine_is_told_when_c_is_linked_in(tmp_path: Path) -> None:
    """The linker of the C compiler places it; symbols tell where."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    found = read_runtime(Elf(build(tmp_path, "-ldflags", "-linkmode=external", cgo="1").read_bytes()))
    assert found.is_known
    assert found.local in (-8, 0)


def test_what_is_no_go_program_has_no_version() -> None:
    elf = Elf(Path("/proc/self/exe").read_bytes())
    assert go_version(elf) == ""
    assert read_runtime(elf) == GoRuntime("", read_runtime(elf).local)


def talked(watch: Watching, program: Path, how: str) -> tuple[list[list[int]], list[Segment]]:
    """What the program says of its goroutines, and the segments of its calls."""
    watch.forget()
    done = subprocess.run([program, how], check=True, capture_output=True, text=True, timeout=60)
    lines = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    ports = {line[1] for line in lines}
    found = watch.wait(
        # four turns, each sent and received twice
        lambda items: len(items) >= len(lines) * 16,
        lambda item: item.kind == DATA and bool(ports & item.ports) and b"call" in item.payload,
        30,
    )
    return lines, found


@needs_go
@needs_kernel
@pytest.mark.root
def test_numbers_are_those_that_go_says(everything: Watching, talk: Path) -> None:
    """64 goroutines that block at each turn, so that they change threads, on connections of their own."""
    lines, found = talked(everything, talk, "apart")
    assert len(lines) == 64
    for number, port in lines:
        sent = [item for item in found if item.local_port == port and item.direction == OUT]
        assert sent
        assert {item.coroutine_id for item in sent} == {number}
        assert not any(item.flags & CONCURRENT for item in sent)
        received = [item for item in found if item.remote_port == port and item.direction == IN]
        # the server has one for each connection
        assert len({item.coroutine_id for item in received}) == 1
        assert received[0].coroutine_id not in (0, number)


@needs_go
@needs_kernel
@pytest.mark.root
def test_goroutines_are_left_alone_when_told_so(talk: Path) -> None:
    with watching(goroutines=False) as watch:
        _, found = talked(watch, talk, "apart")
    assert found
    assert not any(item.coroutine_id for item in found)
    assert all(item.flags & CONCURRENT for item in found)

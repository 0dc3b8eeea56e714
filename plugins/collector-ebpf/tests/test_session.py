"""Starting, refusing, losing and ending; files and texts that are not what they should be."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from importlib import machinery
from pathlib import Path
from typing import Any

import pytest
from ebpf_programs import curl, free_port, running, script
from ebpf_segments import DATA, LOST, OUT, TRUNCATED
from ebpf_watching import Watching, watching, why_not
from hypothesis import given, settings
from hypothesis import strategies as st
from metaflow_collector_ebpf.attach import Place, Probes, close_all
from metaflow_collector_ebpf.backends.bcc import source
from metaflow_collector_ebpf.backends.core import load_core, object_path
from metaflow_collector_ebpf.collector import EbpfCollector
from metaflow_collector_ebpf.config import EbpfConfig
from metaflow_collector_ebpf.kernel.btf import BadBtf, Btf
from metaflow_collector_ebpf.kernel.casting import with_casts
from metaflow_collector_ebpf.kernel.elf import BadElf, Elf
from metaflow_collector_ebpf.native import Blocks
from metaflow_collector_ebpf.plugin import metaflow_collectors, metaflow_examinations
from metaflow_collector_ebpf.points import LIBRARIES
from metaflow_collector_ebpf.probe import bcc_path, examine, missing_capabilities

from metaflow_core.api import FindingState, Kind, SegmentBlock, Surroundings
from metaflow_core.errors import StartError, UnavailableError
from metaflow_core.testing import CollectorContract, build_context

ROOT = Path(__file__).resolve().parents[3]
[FACTORY] = metaflow_collectors()
needs_kernel = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


@pytest.mark.root
@needs_kernel
class TestContract(CollectorContract):
    factory = FACTORY


def test_the_objects_in_the_repository_are_what_the_sources_compile_to() -> None:
    pytest.importorskip("ziglang", reason="ziglang is not installed (script/bootstrap --tests)")
    done = subprocess.run(
        [sys.executable, str(ROOT / "bpf" / "build.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_each_missing_capability_is_named() -> None:
    assert missing_capabilities("CapEff:\t0000000000000000\n") == [
        "CAP_DAC_READ_SEARCH",
        "CAP_SYS_PTRACE",
        "CAP_SYS_ADMIN",
        "CAP_PERFMON",
        "CAP_BPF",
    ]
    assert missing_capabilities(f"CapEff:\t{1 << 21 | 1 << 2 | 1 << 19:016x}\n") == []
    assert missing_capabilities(f"CapEff:\t{1 << 38 | 1 << 39 | 1 << 2:016x}\n") == ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN"]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="gives its privileges away, so it must have some")
def test_without_privileges_it_says_what_is_missing_and_what_else_there_is() -> None:
    code = (
        "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from metaflow_collector_ebpf.session import Session\nfrom metaflow_collector_ebpf.config import EbpfConfig\n"
        "try: Session(EbpfConfig())\nexcept Exception as error: print(type(error).__name__, error)\n"
    )
    # imported first: what is installed may not be readable for nobody
    done = subprocess.run(
        [sys.executable, "-c", "import metaflow_collector_ebpf.session, metaflow_collector_ebpf.native as n; n.load_library()\n" + code],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("UnavailableError")
    for part in ("CAP_BPF", "CAP_PERFMON", "run as root", "collector cbpf"):
        assert part in done.stdout


def test_findings_are_sentences(tmp_path: Path) -> None:
    assert all(item.sentence and item.name for item in examine())
    told = [
        finding
        for examination in metaflow_examinations()
        for finding in examination.run(Surroundings(data_dir=tmp_path))
    ]
    assert len(told) == len(examine())
    assert (FindingState.MISSING in {finding.state for finding in told}) == bool(why_not())
    assert all(finding.said and (finding.remedy or finding.state in ("ok", "note")) for finding in told)


@pytest.mark.root
@needs_kernel
def test_filters() -> None:
    ports = [free_port() for _ in range(2)]
    with (
        running(*script("web.py", ports[0]), port=ports[0]) as kept,
        running(*script("web.py", ports[1]), port=ports[1]) as other,
        watching(
            exclude_ports=[ports[1]], exclude_processes=["curl"], capture_bytes=16, tls={"enabled": False}
        ) as watch,
    ):
        for port in ports:
            curl(f"http://127.0.0.1:{port}/x")
        curl(f"http://127.0.0.1:{ports[0]}/last")
        found = watch.wait(lambda i: len(i) >= 6, lambda i: bool({*ports} & i.ports))
    assert {item.pid for item in found} == {kept.pid}
    assert other.pid not in {item.pid for item in watch.segments()}
    assert all(item.cap_len <= 16 for item in found)
    assert any(
        item.flags & TRUNCATED and item.payload == b"HTTP/1.1 200 OK\r" for item in found if item.direction == OUT
    )
    assert watch.counter("left_out", "filtered", "calls") > 0


@pytest.mark.root
@needs_kernel
def test_only_some_programs() -> None:
    port = free_port()
    with (
        watching(processes=["web.py", "curl"], tls={"enabled": False}) as watch,
        running(*script("web.py", port), port=port),
    ):
        curl(f"http://127.0.0.1:{port}/x")
        found = watch.wait(lambda i: len(i) >= 2, lambda i: port in i.ports and i.kind == DATA)
    assert {item.comm for item in found} == {"curl"}


@pytest.mark.root
@needs_kernel
def test_a_full_ring_loses_what_it_counts_and_blocks_nobody() -> None:
    code = (
        "import socket, threading\n"
        "s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True)\n"
        "a = socket.create_connection(s.getsockname()); b, _ = s.accept()\n"
        "def echo():\n while True: b.sendall(b.recv(4096))\n"
        "threading.Thread(target=echo, daemon=True).start()\n"
        "for n in range(4000): a.sendall(b'%04d' % n + b'x' * 1000); a.recv(4096)\n"
        "import time; time.sleep(1.0)\n"
        "for n in range(3): a.sendall(b'the end'); a.recv(99)\n"
    )
    with watching(ring_mib=1, tick_ms=10, tls={"enabled": False}) as watch:
        watch.hold = 0.8
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        watch.hold = 0.0
        port = int(done.stdout)
        found = watch.wait(lambda i: any(b"the end" in x.payload for x in i), lambda i: port in i.ports)
        lost = [item for item in found if item.kind == LOST]
    assert watch.counter("dropped", "ring_full") > 0
    assert lost
    # what was seen and what was told to be lost is everything, in each direction of each socket
    for socket_id in {item.socket_id for item in found if item.kind == DATA}:
        for direction in (0, 1):
            mine = [
                i for i in found if i.socket_id == socket_id and i.direction == direction and i.kind in (DATA, LOST)
            ]
            at: int | None = None
            for item in mine:
                if item.kind == LOST:
                    assert item.wire_len > 0
                    at = (at + item.wire_len) & 0xFFFFFFFF if at is not None else None
                    continue
                assert at is None or item.tcp_seq == at
                at = (item.tcp_seq + item.wire_len) & 0xFFFFFFFF


@pytest.mark.root
@needs_kernel
async def test_a_pipeline_that_takes_nothing_does_not_keep_the_end_waiting() -> None:
    """The thread that hands blocks on waits for a full pipeline; when everything ends, the block is given up and counted."""
    context = build_context(Kind.COLLECTOR, "ebpf")
    collector = EbpfCollector(context, EbpfConfig.model_validate({"tls": {"enabled": False}}))
    stuck = asyncio.Event()

    async def emit(item: Any) -> None:
        if isinstance(item, SegmentBlock):
            stuck.set()
            await asyncio.Event().wait()

    await collector.start()
    task = asyncio.ensure_future(collector.run(emit))

    def talk() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            subprocess.run(
                [sys.executable, "-c", f"import socket; socket.create_connection({server.getsockname()!r}).send(b'x')"],
                check=True,
                timeout=30,
            )

    await asyncio.to_thread(talk)
    await asyncio.wait_for(stuck.wait(), 20)
    task.cancel()
    await asyncio.wait_for(collector.stop(), 60)
    await asyncio.gather(task, return_exceptions=True)
    dropped = {item.reason: item.value for item in context.counters.samples() if item.stage == "dropped"}
    assert dropped["stopping"] > 0


@pytest.mark.root
@needs_kernel
def test_probes_one_by_one_where_the_kernel_does_not_take_many(
    everything: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels before 6.6 say that they do not know what is asked of them; each place is then an attachment of its own."""
    session = everything.collector._session
    assert session is not None
    library = Path(sys.executable).resolve()
    read, write = LIBRARIES["openssl"][:2]
    places = [Place(read, 0x1000), Place(write, 0x1040), Place(read, 0x1080, (0x1090, 0x10A0))]
    many = Probes(session.loaded.programs)
    held = many.attach(str(library), places)
    # two programs at returns, one of them at given places too, and one at entries
    assert len(held) == 4
    close_all(held)
    asked: list[int] = []

    def unknown(*arguments: Any, **others: Any) -> int:
        asked.append(1)
        raise OSError(errno.EINVAL, "unknown")

    monkeypatch.setattr("metaflow_collector_ebpf.attach.link_probes", unknown)
    one_by_one = Probes(session.loaded.programs)
    held = one_by_one.attach(str(library), places)
    assert len(held) == 7
    close_all(held)
    assert len(asked) == 1
    # a place that cannot be: nothing is left behind, and the reason is the kernel's
    with pytest.raises(OSError, match="perf"):
        one_by_one.attach("/no/such/file", places)


@pytest.mark.root
@needs_kernel
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_in_the_kernel(how: signal.Signals) -> None:
    code = (
        "from metaflow_collector_ebpf.session import Session\nfrom metaflow_collector_ebpf.config import EbpfConfig\nimport time, signal\n"
        "s = Session(EbpfConfig()); print(s.loaded.programs['leave_buffer'], flush=True)\n"
        "signal.signal(signal.SIGTERM, lambda *_: (s.close(), exit(0)))\ntime.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        fd = int(child.stdout.readline())
        number = _program_number(child.pid, fd)
        assert number in _programs()
        child.send_signal(how)
        child.wait(30)
        child.stdout.close()
        end = time.monotonic() + 20
        while number in _programs() and time.monotonic() < end:
            time.sleep(0.1)
        assert number not in _programs()
    finally:
        child.kill()
        child.wait()


def _program_number(pid: int, fd: int) -> int:
    text = Path(f"/proc/{pid}/fdinfo/{fd}").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("prog_id")))


def _programs() -> set[int]:
    from metaflow_collector_ebpf.kernel import calls

    found: set[int] = set()
    number = 0
    while True:
        import ctypes

        buffer = ctypes.create_string_buffer(struct.pack("<III", number, 0, 0).ljust(168, b"\0"), 168)
        if calls._LIBC.syscall(calls._BPF, 11, buffer, 168) < 0:  # BPF_PROG_GET_NEXT_ID
            return found
        (number,) = struct.unpack_from("<I", buffer.raw, 4)
        found.add(number)


def test_a_block_is_used_again_when_nobody_looks_at_it() -> None:
    blocks = Blocks(4096)
    first = blocks.take()
    where = id(first)
    view = memoryview(first).cast("B")[:100].toreadonly()
    del first
    assert id(blocks.take()) != where
    part = view[10:20]
    del view
    assert id(blocks.take()) != where
    del part
    assert id(blocks.take()) == where
    held = [memoryview(blocks.take()) for _ in range(100)]
    assert len({id(view.obj) for view in held}) == 100


@pytest.mark.root
@needs_kernel
@pytest.mark.skipif(bcc_path() is None, reason="python3-bpfcc is not installed")
def test_bcc_sees_the_same_exchanges(everything: Watching) -> None:
    port = free_port()
    with watching(backend="bcc", tls={"enabled": False}) as watch:
        assert watch.collector.backend == "bcc"
        with running(*script("web.py", port), port=port):
            for number in range(5):
                curl(f"http://127.0.0.1:{port}/{number}")
            with socket.create_connection(("127.0.0.1", port)):
                pass

            def seen(item: Any) -> bool:
                return port in item.ports and item.kind == DATA and item.payload[:4] in (b"GET ", b"HTTP", b"from")

            ours, theirs = (w.wait(lambda i: len(i) >= 25, seen, 20) for w in (watch, everything))

    def told(items: list[Any]) -> list[Any]:
        return sorted(
            (i.way, i.pid, i.direction, i.role, i.tcp_seq, i.payload, i.netns, i.process_start, i.comm) for i in items
        )

    assert len(ours) >= 20
    assert told(ours) == told(theirs)


def test_the_text_for_bcc_has_every_map_and_no_macro_around_one() -> None:
    objects = object_path().parent
    texts = {path.name: path.read_text() for path in [*objects.glob("*.c"), *(objects / "include").glob("*.h")]}
    text = source(texts, {"records": 1 << 20, "processes": 1 << 18})
    body = text.split('BPF_TABLE("array", u32, struct config, config, 1);')[1]
    for name in ("MAP_GET(", "MAP_PUT(", "MAP_DELETE(", "RING_OUTPUT(", "#include"):
        assert name not in body.replace("#define " + name, "")


def test_an_unknown_group_is_a_sentence() -> None:
    if why_not():
        pytest.skip(why_not())
    with pytest.raises(StartError, match="there is no control group 'no/such'"), watching(cgroups=["no/such"]):
        pass


def test_a_missing_backend_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    if why_not():
        pytest.skip(why_not())
    monkeypatch.setattr("metaflow_collector_ebpf.probe._BCC_PATHS", ())
    with pytest.raises(StartError, match=r"bcc is not installed .*collector cbpf"), watching(backend="bcc"):
        pass


def test_what_the_verifier_said_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    if why_not():
        pytest.skip(why_not())
    from metaflow_collector_ebpf.kernel import objects

    whole = objects._filled_in

    def broken(*arguments: Any) -> bytes:
        # a program that ends without an answer
        code = whole(*arguments)
        return b"\x95" + bytes(7) + code[8:]

    monkeypatch.setattr(objects, "_filled_in", broken)
    with pytest.raises(StartError, match="the kernel refused the program") as error, watching(backend="core"):
        pass
    assert "R0 !read_ok" in str(error.value) or "unreachable" in str(error.value)


def test_casts_are_filled_in() -> None:
    """A call of the kernel's function by its number, and whether it is there; everything else stays."""
    cast, asks, other = (
        struct.pack("<BBhi", 0x85, 0, 0, 0x7FFF0001),
        struct.pack("<BBhi", 0x85, 0, 0, 0x7FFF0002),
        b"\x95" + bytes(7),
    )
    assert with_casts(other + cast + asks, 77) == other + struct.pack("<BBhi", 0x85, 0x20, 0, 77) + struct.pack(
        "<BBhi", 0xB7, 0, 0, 1
    )
    assert with_casts(asks, 0) == struct.pack("<BBhi", 0xB7, 0, 0, 0)


@pytest.mark.root
@needs_kernel
def test_a_kernel_that_does_not_cast(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of the one way is no reason not to take the other: here by a number that is no such function."""
    asked: list[int] = []

    def numbered() -> int:
        asked.append(1)
        return 1

    monkeypatch.setattr("metaflow_collector_ebpf.kernel.objects.casting_function", numbered)
    loaded = load_core({})
    try:
        assert asked
        assert "leave_buffer" in loaded.programs
    finally:
        loaded.close()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_files_are_refused_and_nothing_worse(data: st.DataObject) -> None:
    whole = bytearray(object_path().read_bytes() if object_path().exists() else object_path("x86_64").read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.sampled_from([*range(64), *range(len(whole) - 2000, len(whole))]))
        whole[place] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    try:
        elf = Elf(cut)
        elf.function_offsets(frozenset({"SSL_read", "enter_read"}))
        elf.symbols()
        elf.relocations()
    except BadElf:
        pass


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_damaged_types_are_refused(noise: bytes) -> None:
    with pytest.raises(BadBtf):
        Btf(noise)
    with contextlib.suppress(BadBtf, ValueError, IndexError):
        Btf(b"\x9f\xeb\x01\x00\x18\x00\x00\x00" + noise).find(1, "x")


def test_unavailable_is_what_a_missing_library_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from metaflow_collector_ebpf import native

    monkeypatch.setattr(machinery, "EXTENSION_SUFFIXES", [".nothing"])
    with pytest.raises(UnavailableError, match="installed without its native library"):
        native.load_library()

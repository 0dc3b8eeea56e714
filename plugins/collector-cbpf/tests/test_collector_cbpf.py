"""Live capture on loopback and on a veth pair in namespaces of the tests' own."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from metaflow_collector_cbpf.collector import CbpfCollector
from metaflow_collector_cbpf.config import CbpfConfig
from metaflow_collector_cbpf.filters import compile_filter, expression
from metaflow_collector_cbpf.interfaces import Interface, choose, list_interfaces
from metaflow_collector_cbpf.plugin import metaflow_collectors

from metaflow_core.api import BlockFormat, CollectorFactory, Kind
from metaflow_core.errors import ConfigError, StartError, UnavailableError
from metaflow_core.testing import CollectorContract, build_context, capture_refused

[FACTORY] = metaflow_collectors()


needs_capture = pytest.mark.skipif(bool(capture_refused()), reason=capture_refused())
pytestmark = pytest.mark.root


def packets(block: bytes) -> Iterator[bytes]:
    """Frames of a TPACKET_V3 block (linux/if_packet.h)."""
    count, first = struct.unpack_from("=II", block, 12)
    at = first
    for _ in range(count):
        step, _, _, snap, _, _, mac, _ = struct.unpack_from("=IIIIIIHH", block, at)
        yield block[at + mac : at + mac + snap]
        at += step


@asynccontextmanager
async def capturing(**options: Any) -> AsyncIterator[tuple[list[Any], Any]]:
    reports: list[tuple[str, str]] = []
    context = build_context(Kind.COLLECTOR, "cbpf", reports=reports)
    collector = CbpfCollector(context, CbpfConfig(ring_mib=4, block_kib=256, retire_ms=5, **options))
    blocks: list[Any] = []

    async def emit(block: Any) -> None:
        blocks.append(block)

    await collector.start()
    task = asyncio.create_task(collector.run(emit))
    await asyncio.sleep(0.05)
    try:
        yield blocks, (context, reports)
    finally:
        await asyncio.sleep(0.15)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await collector.stop()


def send(count: int, port: int, address: str = "127.0.0.1") -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(count):
            sender.sendto(b"metaflow-%d" % number, (address, port))


@needs_capture
async def test_sees_each_packet_of_loopback_once() -> None:
    async with capturing(interfaces=["lo"], filter="udp port 47123") as (blocks, (context, _)):
        await asyncio.to_thread(send, 50, 47123)
    frames = [frame for block in blocks for frame in packets(bytes(block.data))]
    assert [frame[-11:] for frame in frames if b"metaflow-1" in frame[-11:]]
    assert len(frames) == 50
    assert all(block.format is BlockFormat.TPACKET3 and block.link_type == 1 for block in blocks)
    counts = {(item.stage, item.reason): item.value for item in context.counters.samples()}
    assert counts == {("received", ""): 50}


@needs_capture
async def test_own_ports_are_left_out() -> None:
    async with capturing(interfaces=["lo"], filter="udp", exclude_ports=[47124]) as (blocks, _):
        await asyncio.to_thread(send, 5, 47124)
        await asyncio.to_thread(send, 5, 47125)
    frames = [frame for block in blocks for frame in packets(bytes(block.data))]
    ports = {struct.unpack_from(">H", frame, 36)[0] for frame in frames}
    assert 47125 in ports
    assert 47124 not in ports


@needs_capture
async def test_several_rings_share_the_flows() -> None:
    async with capturing(interfaces=["lo"], filter="udp port 47126", rings=2) as (blocks, _):
        for _ in range(40):
            await asyncio.to_thread(send, 1, 47126)
    assert sum(len(list(packets(bytes(block.data)))) for block in blocks) == 40


@pytest.fixture
def veth() -> Iterator[str]:
    """An interface that the test may take away."""
    name = f"mfc{os.getpid() % 100_000}"
    made = subprocess.run(
        ["ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"a veth pair cannot be made here: {made.stderr.strip()}")
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    subprocess.run(["ip", "link", "set", f"{name}p", "up"], check=True)
    yield name
    subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)


@needs_capture
async def test_interface_that_goes_away_and_returns(veth: str) -> None:
    async with capturing(interfaces=[veth, "lo"], filter="udp port 47127", rescan_s=0.1) as (blocks, (_, reports)):
        await asyncio.to_thread(subprocess.run, ["ip", "link", "del", veth], check=True)
        for _ in range(50):
            if any(state == "degraded" for state, _ in reports):
                break
            await asyncio.sleep(0.05)
        assert any(state == "degraded" and veth in sentence for state, sentence in reports)
        await asyncio.to_thread(send, 3, 47127)
        add = ["ip", "link", "add", veth, "type", "veth", "peer", "name", f"{veth}p"]
        await asyncio.to_thread(subprocess.run, add, check=True)
        await asyncio.to_thread(subprocess.run, ["ip", "link", "set", veth, "up"], check=True)
        for _ in range(50):
            if ("running", "") in reports:
                break
            await asyncio.sleep(0.05)
        assert ("running", "") in reports
    assert sum(len(list(packets(bytes(block.data)))) for block in blocks) == 3


@needs_capture
async def test_an_interface_that_went_away_before_its_ring_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    ghost = Interface("ghost0", 2**30, 1, False, True)
    monkeypatch.setattr("metaflow_collector_cbpf.collector.list_interfaces", lambda: [ghost, *list_interfaces()])
    async with capturing(interfaces=["ghost0", "lo"], filter="udp port 9") as (blocks, (_, reports)):
        send(3, 9)
        await asyncio.sleep(0.2)
    assert b"".join(block.data for block in blocks).count(b"metaflow-") == 3
    assert reports[0][0] == "degraded"
    assert reports[0][1].startswith("interface ghost0: the capture ring cannot be set up: [Errno 19]")
    with pytest.raises(StartError, match="ghost0"):
        async with capturing(interfaces=["ghost0"]):
            pass


async def test_no_matching_interface_is_a_sentence() -> None:
    collector = CbpfCollector(build_context(Kind.COLLECTOR, "cbpf"), CbpfConfig(interfaces=["surely-not"]))
    with pytest.raises(StartError, match=r"no interface that is up matches surely-not; this machine has: .*lo"):
        await collector.start()


async def test_missing_privilege_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("metaflow_collector_cbpf.ring.socket.socket", refuse)
    collector = CbpfCollector(build_context(Kind.COLLECTOR, "cbpf"), CbpfConfig(interfaces=["lo"]))
    with pytest.raises(UnavailableError, match="CAP_NET_RAW.*run as root"):
        await collector.start()


def test_wrong_filter_is_libpcaps_sentence() -> None:
    with pytest.raises(ConfigError, match="'tcp prt 80' is wrong: .*syntax error"):
        compile_filter("tcp prt 80", 1)


def test_filter_compiles_to_instructions() -> None:
    program = compile_filter(expression("tcp port 80", [9000]), 1)
    assert len(program) % 8 == 0
    assert len(program) > 80
    assert compile_filter("", 1) == b""


def test_interfaces_are_read_from_sys(tmp_path: Path) -> None:
    for name, kind, flags in (("eth0", 1, 0x1003), ("lo", 772, 0x9), ("down0", 1, 0x1002), ("odd", 999, 0x1)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "type").write_text(f"{kind}\n")
        (folder / "ifindex").write_text("7\n")
        (folder / "flags").write_text(f"{flags:#x}\n")
    (tmp_path / "vanishing").mkdir()
    found = list_interfaces(tmp_path)
    assert [item.name for item in found] == ["down0", "eth0", "lo", "odd"]
    assert choose(["*"], found) == [Interface("eth0", 7, 1, False, True), Interface("lo", 7, 1, True, True)]
    assert [item.name for item in choose(["eth*"], found)] == ["eth0"]


@needs_capture
class TestContract(CollectorContract):
    factory: CollectorFactory = FACTORY
    options = {"interfaces": ["lo"], "ring_mib": 1, "block_kib": 64}

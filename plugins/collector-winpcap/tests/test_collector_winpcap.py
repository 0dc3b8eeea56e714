"""The pcap library on loopback: the same calls that Npcap answers on Windows."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from metaflow_collector_winpcap.collector import WinpcapCollector
from metaflow_collector_winpcap.config import WinpcapConfig
from metaflow_collector_winpcap.library import devices, load_library
from metaflow_collector_winpcap.plugin import metaflow_collectors

from metaflow_core.api import BlockFormat, CollectorFactory, Kind
from metaflow_core.errors import ConfigError, StartError, UnavailableError
from metaflow_core.testing import CollectorContract, build_context, capture_refused

[FACTORY] = metaflow_collectors()


def may_capture() -> str:
    """Why packets cannot be captured here, empty when they can."""
    try:
        load_library()
    except UnavailableError as error:
        return f"needs libpcap: {error}"
    return capture_refused()


needs_capture = pytest.mark.skipif(bool(may_capture()), reason=may_capture())
pytestmark = pytest.mark.root


def packets(records: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(records):
        _, _, cap_len, _ = struct.unpack_from("=IIII", records, at)
        yield records[at + 16 : at + 16 + cap_len]
        at += 16 + cap_len


@asynccontextmanager
async def capturing(**options: Any) -> AsyncIterator[tuple[list[Any], Any]]:
    context = build_context(Kind.COLLECTOR, "winpcap")
    collector = WinpcapCollector(context, WinpcapConfig(read_ms=5, **options))
    blocks: list[Any] = []

    async def emit(block: Any) -> None:
        blocks.append(block)

    await collector.start()
    task = asyncio.create_task(collector.run(emit))
    await asyncio.sleep(0.05)
    try:
        yield blocks, context
    finally:
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await collector.stop()


def send(count: int, port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(count):
            sender.sendto(b"metaflow-%06d" % number, ("127.0.0.1", port))


@needs_capture
async def test_packets_come_as_pcap_records_in_order() -> None:
    async with capturing(interfaces=["lo"], filter="udp port 47223") as (blocks, context):
        await asyncio.to_thread(send, 200, 47223)
    frames = [frame for block in blocks for frame in packets(block.data)]
    texts = [frame[-15:] for frame in frames]
    assert texts == [b"metaflow-%06d" % number for number in range(200)]
    assert all(block.format is BlockFormat.PCAP and block.link_type == 1 for block in blocks)
    assert {(item.stage, item.reason): item.value for item in context.counters.samples()} == {("received", ""): 200}


@needs_capture
async def test_small_blocks_lose_nothing() -> None:
    async with capturing(interfaces=["lo"], filter="udp port 47224", block_bytes=4096) as (blocks, _):
        await asyncio.to_thread(send, 5000, 47224)
        await asyncio.sleep(0.3)
    assert sum(len(list(packets(block.data))) for block in blocks) == 5000


@needs_capture
async def test_wrong_filter_is_the_librarys_sentence() -> None:
    with pytest.raises(ConfigError, match="'tcp prt 80' is wrong: .*syntax error"):
        async with capturing(interfaces=["lo"], filter="tcp prt 80"):
            pass


@needs_capture
async def test_unknown_device_is_a_sentence() -> None:
    with pytest.raises(StartError, match="device surely-not: cannot be opened"):
        async with capturing(interfaces=["surely-not"]):
            pass
    with pytest.raises(StartError, match=r"no device matches surely\*; the library knows: .*lo"):
        async with capturing(interfaces=["surely*"]):
            pass


@needs_capture
def test_devices_are_listed() -> None:
    assert "lo" in [name for name, _ in devices(load_library())]


def test_missing_library_is_a_sentence() -> None:
    with pytest.raises(UnavailableError, match=r"/nothing/libpcap.so: .*install libpcap"):
        load_library("/nothing/libpcap.so")


@needs_capture
class TestContract(CollectorContract):
    factory: CollectorFactory = FACTORY
    options = {"interfaces": ["lo"]}

"""Capture files: every form, damage, order, filters."""

from __future__ import annotations

import asyncio
import gzip
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from captures import FRAMES, pcap, pcapng
from metaflow_collector_pcap.collector import PcapCollector
from metaflow_collector_pcap.config import PcapConfig
from metaflow_collector_pcap.opening import open_capture
from metaflow_collector_pcap.packets import Packet, packets
from metaflow_collector_pcap.plugin import metaflow_collectors

from metaflow_core.api import BlockFlag, BlockFormat, CollectorFactory, Kind
from metaflow_core.errors import InputError
from metaflow_core.testing import CollectorContract, build_context

[FACTORY] = metaflow_collectors()
FORMS = {
    "pcap little-endian us": pcap(),
    "pcap big-endian us": pcap(order=">"),
    "pcap little-endian ns": pcap(nanoseconds=True),
    "pcap big-endian ns": pcap(order=">", nanoseconds=True),
    "pcapng little-endian ns": pcapng(),
    "pcapng big-endian ns": pcapng(order=">"),
    "pcapng us": pcapng(resolution=6),
}
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def read(path: Path) -> list[Packet]:
    capture = open_capture(str(path))
    try:
        return list(packets(capture))
    finally:
        capture.close()


def collect(*paths: Path, **options: Any) -> tuple[list[Any], dict[tuple[str, str], int]]:
    context = build_context(Kind.COLLECTOR, "pcap")
    collector = PcapCollector(context, PcapConfig(files=[str(path) for path in paths], **options))

    async def run() -> list[Any]:
        emitted: list[Any] = []

        async def emit(item: Any) -> None:
            emitted.append(item)

        await collector.start()
        await collector.run(emit)
        await collector.stop()
        return emitted

    return asyncio.run(run()), {(item.stage, item.reason): item.value for item in context.counters.samples()}


def records(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(data):
        cap_len, _, timestamp, _, _, _ = struct.unpack_from("<IIQHHI", data, at)
        found.append((timestamp, data[at + 24 : at + 24 + cap_len]))
        at += 24 + cap_len + (-cap_len % 8)
    return found


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_packets(tmp_path: Path, form: str, packing: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(PACKINGS[packing](FORMS[form]))
    found = read(path)
    exact = form.endswith("ns")
    for packet, (timestamp, data) in zip(found, FRAMES, strict=True):
        assert packet.data == data
        assert packet.wire_len == len(data) + 4
        assert packet.timestamp_ns == (timestamp if exact else timestamp // 1000 * 1000)
        assert packet.link_type == 1


def test_one_file_goes_by_the_block_untouched(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(pcap(order=">", nanoseconds=True))
    blocks, counts = collect(path, block_bytes=4096)
    assert b"".join(block.data for block in blocks) == pcap(order=">", nanoseconds=True)[24:]
    assert blocks[0].format is BlockFormat.PCAP
    assert blocks[0].flags == BlockFlag.BIG_ENDIAN | BlockFlag.NANOSECONDS
    assert counts[("received", "")] == len(pcap()) - 24


def test_several_files_are_merged_by_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap(FRAMES[1:], nanoseconds=True))
    (tmp_path / "b").write_bytes(gzip.compress(pcapng(FRAMES[:1])))
    [block], _ = collect(tmp_path / "a", tmp_path / "b")
    assert block.format is BlockFormat.RECORDS
    assert records(block.data) == FRAMES


def test_filter_selects_in_libpcaps_language(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap(nanoseconds=True))
    blocks, counts = collect(tmp_path / "a", filter="ip6")
    assert records(blocks[0].data) == FRAMES[2:]
    assert counts[("dropped", "filter")] == 2


def test_wrong_filter_is_libpcaps_own_sentence(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pcap())
    with pytest.raises(InputError, match=r"capture filter 'tcp prt 80' is wrong: .*syntax error"):
        collect(tmp_path / "a", filter="tcp prt 80")


@pytest.mark.parametrize("make", [pcap, pcapng], ids=["pcap", "pcapng"])
def test_cut_file_keeps_everything_before_the_cut(tmp_path: Path, make: Callable[..., bytes]) -> None:
    whole = make(nanoseconds=True) if make is pcap else make()
    other = tmp_path / "other"
    other.write_bytes(make([]))
    for end in range(24 if make is pcap else 48, len(whole), 7):
        path = tmp_path / "cut"
        path.write_bytes(whole[:end])
        blocks, _ = collect(path, other)
        found = [record for block in blocks for record in records(block.data)]
        assert found == FRAMES[: len(found)]


def test_damaged_gzip_keeps_what_came_before(tmp_path: Path) -> None:
    frames = [(timestamp, random.Random(index).randbytes(1000)) for index, (timestamp, _) in enumerate(FRAMES * 50)]
    packed = gzip.compress(pcap(frames))
    (tmp_path / "x").write_bytes(packed[: len(packed) // 2])
    blocks, counts = collect(tmp_path / "x", block_bytes=4096)
    assert counts[("frames", "damaged_file")] == 1
    assert len(blocks) > 5


def test_garbage_after_the_header_never_breaks(tmp_path: Path) -> None:
    rng = random.Random(5)
    for head in (pcap([]), pcapng([])):
        for number in range(200):
            path = tmp_path / f"{number}"
            path.write_bytes(head + rng.randbytes(rng.randrange(200)))
            collect(path, path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"not a capture at all", "is not a capture: it begins with 6e 6f 74 20"),
        (b"PK\x03\x04....", "zip archive"),
        (b"\xfd7zXZ\x00", "xz -d"),
        (b"\xd4\xc3\xb2\xa1\x02\x00", "ends inside the pcap file header"),
        (gzip.compress(b"hello world"), "is not a capture"),
        (b"\x1f\x8b\x08\x00garbage", "damaged"),
    ],
)
def test_what_is_no_capture_is_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        collect(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        collect(tmp_path / "nothing.pcap")
    with pytest.raises(InputError, match="is a folder"):
        collect(tmp_path)


class TestContract(CollectorContract):
    factory: CollectorFactory = FACTORY
    ends = True

    @pytest.fixture(autouse=True)
    def _capture(self, tmp_path: Path) -> None:
        path = tmp_path / "x.pcap"
        path.write_bytes(pcap())
        type(self).options = {"files": [str(path)]}

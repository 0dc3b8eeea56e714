"""What is kept, how long, and that the packets of one flow are found again."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from metaflow_packets.files import PacketFiles, listed
from metaflow_packets.finding import Flow, find, kept_since_s
from packets_of_shop import keeper, shop_blocks

from metaflow_core.api import SegmentBlock
from metaflow_core.errors import InputError, StartError

SERVER, CLIENT = ("127.0.0.1", 18080), ("127.0.0.1", 56506)
MOST = 1 << 30


def flow(**changes: int) -> Flow:
    return Flow(*SERVER, *CLIENT, 6, **changes)


def packets_of(pcap: bytes) -> list[tuple[int, int, bytes]]:
    """Time in nanoseconds, length on the wire, and bytes of each packet."""
    assert pcap[:4] == b"\x4d\x3c\xb2\xa1"
    found, at = [], 24
    while at < len(pcap):
        seconds, rest, kept, wire = (int.from_bytes(pcap[at + i : at + i + 4], "little") for i in (0, 4, 8, 12))
        found.append((seconds * 10**9 + rest, wire, pcap[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return found


async def test_a_flow_is_found_whichever_end_is_named_first(store: Path) -> None:
    found = find(store, flow(), MOST)
    assert (found.packets, found.left_out, found.damaged) == (79, 0, 0)
    other = find(store, Flow(*CLIENT, *SERVER, 6), MOST)
    assert other.pcap == found.pcap
    kept = packets_of(found.pcap)
    assert len(kept) == 79
    assert [time for time, _, _ in kept] == sorted(time for time, _, _ in kept)
    assert any(b"GET /" in data for _, _, data in kept)
    assert find(store, Flow(*SERVER, "127.0.0.1", 1, 6), MOST).packets == 0
    assert find(store, Flow(*SERVER, *CLIENT, 17), MOST).packets == 0


async def test_time_and_size_narrow_it(store: Path) -> None:
    times = [time for time, _, _ in packets_of(find(store, flow(), MOST).pcap)]
    assert find(store, flow(from_ns=times[10], to_ns=times[19]), MOST).packets == 10
    small = find(store, flow(), 500)
    assert 0 < small.packets < 79
    assert small.packets + small.left_out == 79


async def test_without_payload_only_headers_are_on_the_disk(tmp_path: Path) -> None:
    made = keeper(tmp_path)
    for block in shop_blocks(1000):
        made.push(block)
    await made.stop()
    on_disk = b"".join(file.path.read_bytes() for file in listed(tmp_path))
    assert b"GET /" not in on_disk
    assert b"HTTP/1" not in on_disk
    found = packets_of(find(tmp_path, flow(), MOST).pcap)
    assert len(found) == 79
    assert any(wire > len(data) for _, wire, data in found)


async def test_only_this_user_reads_them(store: Path) -> None:
    assert [stat.S_IMODE(file.path.stat().st_mode) for file in listed(store)] == [0o600]


async def test_what_is_not_written_yet_is_found_after_a_tick(tmp_path: Path) -> None:
    made = keeper(tmp_path)
    await made.start()
    made.push(shop_blocks()[0])
    assert kept_since_s(tmp_path) is None
    made.tick(0)
    assert find(tmp_path, flow(), MOST).packets > 0
    assert kept_since_s(tmp_path) == pytest.approx(1795850833.8, abs=1000 * 86400)
    await made.stop()


def test_the_oldest_files_go_first(tmp_path: Path) -> None:
    files = PacketFiles(tmp_path, 32 << 20, 1e9)
    files.open()
    chunk = bytes(4 << 20)
    for second in range(20):
        files.write(chunk, float(second))
        assert sum(file.size for file in listed(tmp_path)) <= 32 << 20
    files.close()
    numbers = [file.number for file in listed(tmp_path)]
    assert numbers == list(range(numbers[0], 11))
    assert numbers[0] > 1
    # a new process goes on behind what is there
    again = PacketFiles(tmp_path, 32 << 20, 1e9)
    again.write(b"x", 21.0)
    again.close()
    assert listed(tmp_path)[-1].number == 11


def test_files_that_are_too_old_go(tmp_path: Path) -> None:
    files = PacketFiles(tmp_path, 1 << 30, 100.0)
    now = 1_000_000.0
    for at in range(3):
        files.write(b"packets", now + at * 20)
    files.close()
    for file in listed(tmp_path)[:2]:
        os.utime(file.path, (now, now))
    assert files.trim(now + 50) == 0
    assert files.trim(now + 200) == 14
    assert len(listed(tmp_path)) == 1


async def test_a_full_disk_costs_packets_of_the_store_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = keeper(tmp_path)
    await made.start()
    write = os.write

    def full(file: int, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    made.push(shop_blocks()[0])
    made.tick(0)
    assert next(s.value for s in made.counters() if (s.stage, s.reason) == ("dropped", "disk")) > 0
    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr("metaflow_packets.keeper._AGAIN_AFTER_S", 0.0)
    made._again = 0.0
    made.push(shop_blocks()[1] if len(shop_blocks()) > 1 else shop_blocks(999)[0])
    made.tick(0)
    await made.stop()
    assert find(tmp_path, flow(), MOST).damaged == 0


async def test_damaged_files_are_passed_over(store: Path) -> None:
    [file] = listed(store)
    whole = file.path.read_bytes()
    (store / "packets-0000000009.mfk").write_bytes(whole)
    file.path.write_bytes(b"nothing of ours" * 100)
    found = find(store, flow(), MOST)
    assert (found.packets, found.damaged) == (79, 1)
    (store / "packets-0000000009.mfk").write_bytes(whole[:-7])
    assert find(store, flow(), MOST).damaged == 1


async def test_calls_on_sockets_are_no_packets(tmp_path: Path) -> None:
    made = keeper(tmp_path)
    made.push(SegmentBlock(b"1234"))
    assert [(s.stage, s.reason, s.value) for s in made.counters()] == [("dropped", "not_packets", 1)]
    await made.stop()


async def test_a_place_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="packets cannot be kept in"):
        await keeper(tmp_path, path=str(tmp_path / "file")).start()
    with pytest.raises(InputError, match="is no IP address"):
        find(tmp_path, Flow("host", 1, "::1", 2, 6), MOST)

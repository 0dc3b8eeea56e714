"""A packet that the capture lacks costs the exchanges whose bytes it carried, and no other one."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from engine_testing import blocks, build, pcap, run


def records(data: memoryview) -> Iterator[memoryview]:
    """The records of a capture, each with its header."""
    at = 0
    while at < len(data):
        end = at + 16 + struct.unpack_from("<I", data, at + 8)[0]
        yield data[at:end]
        at = end


def answer(record: memoryview) -> tuple[int, int, int]:
    """Client's port, sequence number and length of what a server sends over TCP, IPv4 and Ethernet; no length: anything else."""
    frame = bytes(record[16:])
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return 0, 0, 0
    tcp = 14 + (frame[14] & 15) * 4
    source, client, seq = struct.unpack_from(">HHI", frame, tcp)
    total = 14 + struct.unpack_from(">H", frame, 16)[0]
    length = total - tcp - (frame[tcp + 12] >> 4) * 4
    return (client, seq, length) if source < client else (0, 0, 0)


def exchanges(protocol: str, data: bytes) -> set[tuple[int, int, int]]:
    """Which request met which answer (client's port, both sequence numbers); of answers that are known."""
    rows = run(build("native", [protocol]), blocks(data))["l7_flow_log"].to_pylist()
    known = (row for row in rows if row["type"] == 2 and row["response_status"] != 5)
    return {(row["client_port"], row["req_tcp_seq"], row["resp_tcp_seq"]) for row in known}


@pytest.mark.parametrize("protocol", ["mysql", "http", "redis"])
def test_a_lost_packet_costs_what_it_carried(protocol: str) -> None:
    packets = list(records(pcap(protocol)))
    whole = exchanges(protocol, bytes(pcap(protocol)))
    answers = [at for at, packet in enumerate(packets) if answer(packet)[2]]
    for at in answers[:: max(1, len(answers) // 15)]:
        found = exchanges(protocol, b"".join(packet for index, packet in enumerate(packets) if index != at))
        assert found <= whole, f"packet {at + 1}: an answer was given to another request"
        client, seq, length = answer(packets[at])
        carried = sum(port == client and (own - seq) % (1 << 32) < length for port, _, own in whole)
        # or the rest of one that began before
        assert len(whole - found) <= max(1, carried), f"packet {at + 1} cost {len(whole - found)} exchanges"

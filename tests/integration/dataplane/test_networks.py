"""What networks and capture programs make of a request and its answer: tags, tunnels, fragments, cut packets, one direction."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from frames import Frame, Talk, address, ethernet, ipv4, ipv6, pcap_bytes

import metaflow_core as mf

GET = "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n"
BODY = 3000


def page(length: int = BODY) -> str:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n" + "x" * length


def web(**how: Any) -> list[Frame]:
    return Talk(8080, **how).open().c(GET).s(page()).close().frames


Rows = dict[int, list[dict[str, Any]]]


def read(path: Path, data: bytes) -> tuple[Rows, Rows]:
    """The rows of requests and of flows of a capture file, by the client's port."""
    path.write_bytes(data)
    capture = mf.read_pcap(str(path))
    tables: list[Rows] = [{}, {}]
    for found, name in zip(tables, ("l7_flow_log", "l4_flow_log"), strict=True):
        for row in capture.table(name).to_arrow().to_pylist():
            found.setdefault(row["client_port"], []).append(row)
    return tables[0], tables[1]


def at_once(talks: Iterable[Sequence[Frame]]) -> bytes:
    """Conversations of one time in one capture."""
    return pcap_bytes(sorted((frame for frames in talks for frame in frames), key=lambda frame: frame.time_ns))


def vxlan(inner: bytes, network: int = 100) -> bytes:
    segment = struct.pack(">HHHHII", 50000, 4789, 16 + len(inner), 0, 0x08000000, network << 8) + inner
    return ethernet(ipv4(segment, 17, address("192.168.0.1"), address("192.168.0.2")))


def gre(packet: bytes, kind: int = 0x0800) -> bytes:
    return ipv4(struct.pack(">HH", 0, kind) + packet, 47, address("172.16.0.1"), address("172.16.0.2"))


def mpls(frame: bytes) -> bytes:
    """Two labels between Ethernet and IP."""
    return ethernet(bytes([0, 1, 0, 64, 0, 2, 0x21, 64]) + frame[14:], 0x8847)


def pseudowire(frame: bytes) -> bytes:
    """An Ethernet frame behind a label and a control word."""
    return ethernet(bytes([0, 1, 1, 64, 0, 0, 0, 0]) + frame, 0x8847)


def pppoe(frame: bytes) -> bytes:
    return ethernet(struct.pack(">BBHHH", 0x11, 0, 9, len(frame) - 12, 0x21) + frame[14:], 0x8864)


def chained(frame: bytes) -> bytes:
    """VXLAN GPE with a network service header."""
    inner = bytes([12, 0, 0, 4, 0, 0, 44, 0]) + bytes([0x0F, 0xC2, 2, 3, 0, 0, 1, 255]) + frame
    segment = struct.pack(">HHHH", 50000, 4790, 8 + len(inner), 0) + inner
    return ethernet(ipv4(segment, 17, address("192.168.0.1"), address("192.168.0.2")))


def is_back(frame: bytes) -> bool:
    """The server sent it."""
    return frame[:6] == ethernet(b"\x45", back=True)[:6]


def tagged_back(frame: bytes) -> bytes:
    """The card took the tag from what the client sent."""
    return frame[:12] + bytes([0x81, 0, 0, 5]) + frame[12:] if is_back(frame) else frame


def direct_return(frame: bytes) -> bytes:
    """A load balancer tunnels to the server, which answers past it."""
    if is_back(frame):
        return frame
    return ethernet(ipv4(frame[14:], 4, address("192.168.0.1"), address("192.168.0.2")))


def inside(wrap: Callable[[bytes], bytes], **how: Any) -> list[Frame]:
    return [replace(frame, data=wrap(frame.data)) for frame in web(**how)]


def fragments(talk: Talk, data: str, mtu: int = 1280) -> list[Frame]:
    """A segment of the server as fragments."""
    segment, ends = talk.segment(1, data.encode()), talk._ends(1)
    is_six = len(ends[0]) == 16
    step = (mtu - 48) // 8 * 8
    found = []
    for start in range(0, len(segment), step):
        part, more = segment[start : start + step], start + step < len(segment)
        talk.now += talk.step
        if is_six:
            # A hop-by-hop header (router alert) in front of the fragment's.
            head = bytes([44, 0, 5, 2, 0, 0, 1, 0]) + struct.pack(">BBHI", 6, 0, start | more, 77)
            packet = ipv6(head + part, 0, *ends)
        else:
            packet = ipv4(part, 6, *ends, ident=77, offset=start, more=more)
        found.append(Frame(talk.now, ethernet(packet, back=True)))
    talk.seq[1] += len(data)
    return found


def fragmented(**how: Any) -> list[Frame]:
    talk = Talk(8080, **how).open().c(GET)
    parts = fragments(talk, page())
    times = [frame.time_ns for frame in parts]
    # The last one first.
    talk.frames += [replace(frame, time_ns=time) for frame, time in zip(reversed(parts), times, strict=True)]
    return talk.close().frames


SIX = {"client": "fd00::1", "server": "fd00::2"}
#: What makes the frames of a conversation, of a client's port each, and what its flow's row has then.
NETWORKS: dict[str, tuple[Callable[..., list[Frame]], dict[str, Any]]] = {
    "plain": (web, {"vlan": 0, "tunnel_type": "none"}),
    "VLAN": (partial(web, tags=[(0x8100, 5)]), {"vlan": 5}),
    "VLAN in VLAN": (partial(web, tags=[(0x8100, 5), (0x8100, 7)]), {"vlan": 7}),
    "QinQ": (partial(web, tags=[(0x88A8, 5), (0x8100, 7)]), {"vlan": 7}),
    "three tags": (partial(web, tags=[(0x9100, 5), (0x8100, 7), (0x8100, 8)]), {"vlan": 8}),
    "IP options": (partial(web, options=b"\x94\x04\0\0\x07\x0b\x04" + bytes(8)), {}),
    "IPv6": (partial(web, **SIX), {"ip_0": "fd00::1"}),
    "IPv4 fragments, the last first": (fragmented, {"packet_rx": 5}),
    "IPv6 fragments behind a hop-by-hop header": (partial(fragmented, **SIX), {"packet_rx": 5}),
    "VXLAN": (partial(inside, vxlan), {"tunnel_type": "vxlan", "ip_0": "10.0.0.1"}),
    "GRE in VXLAN": (partial(inside, lambda data: vxlan(ethernet(gre(data[14:])))), {"tunnel_type": "vxlan"}),
    "VXLAN in GRE": (partial(inside, lambda data: ethernet(gre(vxlan(data), 0x6558))), {"tunnel_type": "gre"}),
    "VXLAN in VXLAN": (partial(inside, lambda data: vxlan(vxlan(data, 7))), {"tunnel_type": "vxlan"}),
    "VXLAN, a network each way": (
        partial(inside, lambda data: vxlan(data, 201 if is_back(data) else 200)),
        {"tunnel_tx_id": 200, "tunnel_rx_id": 201, "tunnel_type": "vxlan"},
    ),
    "a tag in one direction": (partial(inside, tagged_back), {"vlan": 0}),
    "a tunnel in one direction": (partial(inside, direct_return), {"tunnel_type": "ipip", "tunnel_tier": 1}),
    "MPLS": (partial(inside, mpls), {"tunnel_type": "none"}),
    "MPLS pseudowire": (partial(inside, pseudowire), {"tunnel_type": "none"}),
    "PPPoE": (partial(inside, pppoe), {"tunnel_type": "none"}),
    "NSH": (partial(inside, chained), {"tunnel_type": "vxlan_nsh", "tunnel_tx_id": 44}),
    "VLAN in VXLAN": (partial(inside, vxlan, tags=[(0x8100, 9)]), {"vlan": 9, "tunnel_type": "vxlan"}),
}


PORTS = {name: 40001 + number for number, name in enumerate(NETWORKS)}


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Rows]:
    talks = (make(client_port=PORTS[name]) for name, (make, _) in NETWORKS.items())
    return read(tmp_path_factory.mktemp("networks") / "all.pcap", at_once(talks))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_way_through_the_network_changes_nothing(name: str, networks: tuple[Rows, Rows]) -> None:
    requests, flows = (rows[PORTS[name]] for rows in networks)
    assert [(row["request_resource"], row["response_code"], row["response_length"]) for row in requests] == [
        ("/a", 200, BODY)
    ]
    assert len(flows) == 1
    flow, wanted = flows[0], NETWORKS[name][1]
    assert (flow["packet_tx"], flow["close_type"], flow["l7_request"]) == (5, "finish", 1)
    assert flow["l4_byte_rx"] == len(page())
    assert {key: flow[key] for key in wanted} == wanted


def test_fragments_that_never_come_together_are_counted(tmp_path: Path) -> None:
    """Lost fragments cost the payload, not the packets: they were on the wire."""
    ask = Talk(5353, udp=True)
    ask.c("question")
    segment, ends, found = ask.segment(1, b"x" * 3000), ask._ends(1), []
    for start in (0, 1480, 2960):
        packet = ipv4(segment[start : start + 1480], 17, *ends, ident=9, offset=start, more=start < 2960)
        found.append(Frame(ask.now + 5 * 10**6 + start, ethernet(packet, back=True)))
    both = read(tmp_path / "whole.pcap", pcap_bytes([*ask.frames, *found]))[1][40000]
    assert [(row["packet_rx"], row["l3_byte_rx"], row["l4_byte_rx"]) for row in both] == [(3, 3008, 3000)]
    lost = read(tmp_path / "lost.pcap", pcap_bytes([*ask.frames, *found[:2]]))[1][40000]
    assert [(row["packet_rx"], row["l3_byte_rx"], row["l4_byte_rx"]) for row in lost] == [(2, 2960, 0)]
    # Without the first nobody knows the ports.
    headless = read(tmp_path / "headless.pcap", pcap_bytes([*ask.frames, *found[1:]]))[1]
    assert [(row["packet_rx"], row["packet_tx"]) for row in headless[40000]] == [(0, 1)]
    assert [(row["packet_tx"], row["l3_byte_tx"], row["protocol"]) for row in headless[0]] == [(2, 1528, "UDP")]


def test_what_two_captures_see_is_one_connection(tmp_path: Path) -> None:
    """The hosts of a client and of a server, 3 ms apart, were both captured: nobody sent anything twice."""
    frames = web()
    late = 3 * 10**6
    at_client = [frame.later(late) if is_back(frame.data) else frame for frame in frames]
    at_server = [frame if is_back(frame.data) else frame.later(late) for frame in frames]
    paths = [tmp_path / "client.pcap", tmp_path / "server.pcap"]
    for path, seen in zip(paths, (at_client, at_server), strict=True):
        path.write_bytes(pcap_bytes(sorted(seen, key=lambda frame: frame.time_ns)))
    capture = mf.read_pcap([str(path) for path in paths])
    alone = mf.read_pcap(str(paths[0]))
    columns = ("packet_tx", "packet_rx", "byte_rx", "retrans_tx", "retrans_rx", "ooo_rx", "syn_count", "close_type")
    both, one = ([[row[name] for name in columns] for row in rows(each)] for each in (capture, alone))
    assert both == one
    assert len(capture.table("l7_flow_log").to_arrow()) == 1


def test_a_mirror_that_sees_packets_twice(tmp_path: Path) -> None:
    frames = [copy for frame in web() for copy in (frame, frame.later(20_000))]
    path = tmp_path / "mirror.pcap"
    path.write_bytes(pcap_bytes(frames))
    (row,) = rows(mf.read_pcap(str(path)))
    assert (row["packet_tx"], row["packet_rx"], row["retrans_syn"], row["retrans_rx"]) == (10, 6, 1, 2)
    (row,) = rows(mf.read_pcap(str(path), options={"engines": {"flow": {"options": {"duplicate_ms": 10}}}}))
    assert (row["packet_tx"], row["packet_rx"], row["retrans_syn"], row["retrans_rx"]) == (5, 3, 0, 0)


def rows(capture: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = capture.table("l4_flow_log").to_arrow().to_pylist()
    return found


def test_segments_larger_than_the_wire_allows(tmp_path: Path) -> None:
    """Jumbo frames, and what a card cuts later (TSO; beyond 64 KiB the IP length is 0)."""
    lengths = [8_900, 60_000, 180_000]
    talks = [
        Talk(8080, client_port=length % 65536).open().c(GET).s(page(length)).c(GET).s(page(2)) for length in lengths
    ]
    requests, flows = read(tmp_path / "large.pcap", at_once(talk.frames for talk in talks))
    for length in lengths:
        port = length % 65536
        assert [row["response_length"] for row in requests[port]] == [length, 2]
        assert flows[port][0]["l4_byte_rx"] == len(page(length)) + len(page(2))


def test_a_head_that_is_cut_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    kept = range(54, 140)
    talks = [[frame.cut(length) for frame in web(client_port=40000 + length)] for length in kept]
    requests, flows = read(tmp_path / "cut.pcap", at_once(talks))
    assert len(flows) == len(kept)
    for length in kept:
        for row in requests.get(40000 + length, []):
            assert row["l7_protocol"] == "HTTP"
            assert "/a".startswith(row["request_resource"])
            assert row["response_code"] in (None, 200)
            # A length is the whole number or none, never the beginning of it.
            assert row["response_length"] in (None, BODY)
        # As much of the first lines as proves them, and both are told.
        if length >= 54 + len("HTTP/1.1 200 OK\r\n"):
            assert [row["type"] for row in requests[40000 + length]] == ["session"], length
    assert flows[40060][0]["l4_byte_rx"] == len(page())


def test_one_direction_alone(tmp_path: Path) -> None:
    both = {40001: bytes.fromhex("020000000001"), 40002: bytes.fromhex("020000000002")}
    talks = [[frame for frame in web(client_port=port) if frame.data[6:12] == mac] for port, mac in both.items()]
    requests, _ = read(tmp_path / "one.pcap", at_once(talks))
    assert [(row["type"], row["response_code"]) for port in both for row in requests[port]] == [
        ("request", None),
        ("response", 200),
    ]


# Files


def _block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, 12 + len(body)) + body + struct.pack(order + "I", 12 + len(body))


def pcapng(order: str, interfaces: Sequence[tuple[int, int | None, int, list[Frame]]]) -> bytes:
    """A section; interfaces are (link type, time resolution as in ``if_tsresol``, offset in seconds, frames)."""
    out = _block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    frames = []
    for number, (link, resolution, offset, own) in enumerate(interfaces):
        options = b"" if resolution is None else struct.pack(order + "HHB3x", 9, 1, resolution)
        options += struct.pack(order + "HHq", 14, 8, offset) if offset else b""
        out += _block(order, 1, struct.pack(order + "HHI", link, 0, 262144) + options + bytes(4))
        frames += [(frame.time_ns, number, frame) for frame in own]
    for time_ns, number, frame in sorted(frames, key=lambda item: item[:2]):
        link, resolution, offset, _ = interfaces[number]
        units = 2 ** (resolution & 127) if resolution is not None and resolution & 128 else 10 ** (resolution or 6)
        ticks = (time_ns - offset * 10**9) * units // 10**9
        data = frame.data[14:] if link == 101 else frame.data
        head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        out += _block(order, 6, head + data)
    return out


OTHER = {"client": "10.1.0.1", "server": "10.1.0.2"}
THIRD = {"client": "10.2.0.1", "server": "10.2.0.2"}
FILES = {
    "microseconds, big-endian": (pcap_bytes(web(), order=">"), 1),
    "nanoseconds": (pcap_bytes(web(), nano=True), 1),
    "nanoseconds, big-endian": (pcap_bytes(web(), nano=True, order=">"), 1),
    "milliseconds": (pcapng("<", [(1, 3, 0, web())]), 1),
    "two sections of two byte orders": (pcapng("<", [(1, 9, 0, web())]) + pcapng(">", [(1, None, 0, web(**OTHER))]), 2),
}
for _order in "<>":
    _three = [(1, None, 0, web()), (1, 9, 0, web(**OTHER)), (101, 0x80 | 20, 1000, web(**THIRD))]
    FILES[f"three interfaces, three resolutions, {_order}"] = (pcapng(_order, _three), 3)


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    data, count = FILES[name]
    requests, _ = read(tmp_path / "capture.pcap", data)
    found = [row for rows in requests.values() for row in rows]
    assert len(found) == count
    for row in found:
        # 2 to the minus 20 of a second is a little less than a microsecond.
        assert abs(row["response_duration"] - 1000) <= 1
        assert (row["request_resource"], row["response_length"]) == ("/a", BODY)
        assert row["start_time"].timestamp() == pytest.approx(1_700_000_000.004, abs=1e-5)

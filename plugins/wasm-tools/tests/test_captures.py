"""A capture's connections reach the module, whole, cut and mid-stream."""

from __future__ import annotations

import struct

import pytest
from metaflow_wasm_tools.captures import play_capture

from metaflow_core.api.python_parser import PythonParser, parser_factory
from metaflow_core.api.wire import Verdict
from metaflow_core.errors import InputError


class Lines(PythonParser):
    delimiter = b"\n"

    def check(self, data, segment):
        return Verdict.REQUEST if data.startswith((b"GET ", b"OK ")) else self.no("no line of ours")

    def message(self, stream, session):
        return {"result": stream.line(b"\n")}


def runtime():
    return parser_factory(Lines, type="lines", protocols=[(200, "Lines")]).python(None)


def packet(order, client, flags, sequence, payload, cut=0):
    ports = struct.pack(">HH", *((5000, 80) if client else (80, 5000)))
    tcp = ports + struct.pack(">IIBBHHH", sequence & 0xFFFFFFFF, 0, 0x50, flags, 0, 0, 0) + payload
    hosts = (b"\x0a\0\0\1", b"\x0a\0\0\2") if client else (b"\x0a\0\0\2", b"\x0a\0\0\1")
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + b"".join(hosts) + tcp
    frame = bytes(12) + b"\x81\0\0\5\x08\0" + ip
    kept = frame[: len(frame) - cut]
    return struct.pack(order + "IIII", 1, 2, len(kept), len(frame)) + kept


@pytest.mark.parametrize(("magic", "order"), [(b"\xd4\xc3\xb2\xa1", "<"), (b"\xa1\xb2\x3c\x4d", ">")])
def test_a_conversation(tmp_path, magic, order):
    top = (1 << 32) - 5  # sequence numbers wrap around inside the stream
    frames = [
        packet(order, True, 2, top, b""),
        packet(order, False, 0x12, 900, b""),
        packet(order, True, 0x18, top + 1, b"GET a\nGE"),
        packet(order, True, 0x18, top + 9, b"T b\n"),
        packet(order, False, 0x18, 901, b"OK 1\nOK 2\nOK 3\n", cut=3),
        packet(order, False, 0x18, 916, b"OK 4\n"),
    ]
    path = tmp_path / "x.pcap"
    path.write_bytes(magic + struct.pack(order + "HHiIII", 2, 4, 0, 0, 65535, 1) + b"".join(frames))
    found = play_capture(path, runtime())
    assert (found.connections, found.accepted, found.faults) == (1, 1, {})
    # the cut packet's tail is lost, and with it the line of which it was a part; the next is found behind a line's end
    assert found.records == {"request": 2, "response": 2, "skipped": 1}


def test_not_a_capture_and_a_cut_one(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match="not a classic pcap"):
        play_capture(path, runtime())
    path.write_bytes(b"\xd4\xc3\xb2\xa1" + struct.pack("<HHiIII", 2, 4, 0, 0, 65535, 1) + bytes(20))
    assert play_capture(path, runtime()).connections == 0

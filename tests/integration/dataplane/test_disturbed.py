"""Captures of real servers, disturbed as networks and senders do: what was asked and answered stays the same.

The disturbances are made here, with a seed, from the engine's own small captures: what ``tc netem`` would do to whole
packets, and what it cannot do, segments that overlap with the same or with other bytes.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from frames import MILLISECOND, Frame, pcap_bytes

import metaflow_core as mf

CAPTURES = Path(__file__).resolve().parents[3] / "plugins" / "engine-flow" / "tests" / "captures"
ASKED = (
    "l7_protocol",
    "type",
    "request_type",
    "request_domain",
    "request_resource",
    "response_status",
    "response_code",
)
TOLD = (*ASKED, "request_length", "response_length", "response_result", "sql_affected_rows")


def load(name: str) -> tuple[int, list[Frame]]:
    """Link type and frames of a little-endian microsecond capture."""
    data = (CAPTURES / f"{name}.pcap").read_bytes()
    link = struct.unpack_from("<I", data, 20)[0]
    frames, at = [], 24
    while at + 16 <= len(data):
        seconds, micros, length, wire = struct.unpack_from("<IIII", data, at)
        time_ns = seconds * 10**9 + micros * 1000
        frames.append(Frame(time_ns, data[at + 16 : at + 16 + length], wire))
        at += 16 + length
    return link, frames


def headers(frame: Frame) -> tuple[int, int] | None:
    """Where the TCP header and its payload begin, of a frame that carries whole payload."""
    data = frame.data
    if data[12:14] != b"\x08\0" or data[23] != 6:
        return None
    tcp = 14 + (data[14] & 15) * 4
    payload = tcp + (data[tcp + 12] >> 4) * 4
    end = 14 + struct.unpack_from(">H", data, 16)[0]
    return (tcp, payload) if payload < end == len(data) else None


def segment(frame: Frame, start: int, stop: int, other: bytes = b"") -> Frame:
    """A part of the frame's payload as a segment of its own, maybe with other bytes."""
    found = headers(frame)
    assert found is not None
    tcp, payload = found
    data = bytearray(frame.data[:payload]) + (other or frame.data[payload + start : payload + stop])
    struct.pack_into(">H", data, 16, len(data) - 14)
    sequence = struct.unpack_from(">I", data, tcp + 4)[0]
    struct.pack_into(">I", data, tcp + 4, (sequence + start) % 2**32)
    return replace(frame, data=bytes(data), wire=0)


Disturb = Callable[[Frame, random.Random], list[Frame]]


def duplicated(frame: Frame, rng: random.Random) -> list[Frame]:
    return [frame, frame.later(rng.randrange(1, 50) * 1000)]


def sent_again(frame: Frame, rng: random.Random) -> list[Frame]:
    return [frame, frame.later(rng.randrange(20, 400) * MILLISECOND)]


def overlapping(frame: Frame, rng: random.Random) -> list[Frame]:
    """Two segments that share bytes, the second before or behind the first."""
    found = headers(frame)
    assert found is not None
    length = len(frame.data) - found[1]
    first, second = sorted((rng.randrange(length + 1), rng.randrange(length + 1)))
    parts = [segment(frame, 0, second), segment(frame, first, length).later(1000)]
    if rng.random() < 0.5:
        parts = [parts[1].later(-1000), parts[0].later(1000)]
    return [part for part in parts if len(part.data) > found[1]]


def overlapping_with_other_bytes(frame: Frame, rng: random.Random) -> list[Frame]:
    """The bytes came; then others for the same place. What came first was delivered to the program."""
    found = headers(frame)
    assert found is not None
    length = len(frame.data) - found[1]
    start = rng.randrange(length)
    return [frame, segment(frame, start, length, rng.randbytes(length - start)).later(1000)]


def cut_up(frame: Frame, rng: random.Random) -> list[Frame]:
    """Many small segments, in any order."""
    found = headers(frame)
    assert found is not None
    length = len(frame.data) - found[1]
    cuts = [0, *sorted(rng.randrange(length + 1) for _ in range(4)), length]
    parts = [segment(frame, start, stop) for start, stop in pairwise(cuts) if start < stop]
    rng.shuffle(parts)
    return [part.later(at * 1000) for at, part in enumerate(parts)]


DISTURBANCES: list[Disturb] = [duplicated, sent_again, overlapping, overlapping_with_other_bytes, cut_up]


def rows(path: Path, columns: tuple[str, ...] = TOLD) -> Counter[tuple[Any, ...]]:
    found = mf.read_pcap(str(path)).table("l7_flow_log").to_arrow().to_pylist()
    return Counter(tuple(row[column] for column in columns) for row in found)


NAMES = ("http", "redis", "mysql")


@pytest.fixture(scope="module")
def undisturbed() -> Mapping[str, Counter[tuple[Any, ...]]]:
    return {name: rows(CAPTURES / f"{name}.pcap") for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("disturb", DISTURBANCES, ids=[disturb.__name__ for disturb in DISTURBANCES])
def test_a_disturbed_capture_tells_the_same(
    name: str, disturb: Disturb, tmp_path: Path, undisturbed: Mapping[str, Counter[tuple[Any, ...]]]
) -> None:
    link, frames = load(name)
    rng = random.Random(f"{name} {disturb.__name__}")
    changed: list[Frame] = []
    for frame in frames:
        hit = headers(frame) is not None and rng.random() < 0.5
        changed += disturb(frame, rng) if hit else [frame]
    # In the order in which they come; a capture has them so.
    changed.sort(key=lambda frame: frame.time_ns)
    assert len(changed) > len(frames)
    path = tmp_path / "disturbed.pcap"
    path.write_bytes(pcap_bytes(changed, link=link))
    assert rows(path) == undisturbed[name]

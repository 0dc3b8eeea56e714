"""Remote read's response type ``STREAMED_XOR_CHUNKS``: samples packed as Prometheus packs them in its blocks, series after series, in
frames that can be sent while the next is made.

Sources: prometheus/prompb ``remote.proto`` (ChunkedReadResponse, framing of ChunkedWriter: length as uvarint, CRC-32C, message) and
"Gorilla: a fast, scalable, in-memory time series database" (VLDB 2015) with Prometheus' widths for the change of the step.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pyarrow as pa

__all__ = ["CONTENT_TYPE", "chunk", "crc32c", "frame", "frames"]

CONTENT_TYPE = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
_SAMPLES_A_CHUNK = 120
_FRAME_BYTES = 256 << 10
_XOR = 1


class _Bits:
    """Bits one after the other."""

    def __init__(self) -> None:
        self._value = 0
        self._count = 0

    def add(self, value: int, width: int) -> None:
        """The lowest ``width`` bits of a number."""
        self._value = (self._value << width) | (value & ((1 << width) - 1))
        self._count += width

    def bytes(self) -> bytes:
        """Filled up with zeros to whole bytes."""
        spare = -self._count % 8
        return (self._value << spare).to_bytes((self._count + spare) // 8, "big")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def chunk(times: Sequence[int], words: Sequence[int]) -> bytes:
    """One XOR chunk.

    :param times: milliseconds, in order. :param words: the values' 64 bits as whole numbers (stale markers keep theirs).
    """
    bits = _Bits()
    step, leading, trailing = 0, -1, 0
    for index, (at, word) in enumerate(zip(times, words, strict=True)):
        if index == 0:
            for byte in _varint(at << 1 if at >= 0 else (-at << 1) - 1):
                bits.add(byte, 8)
            bits.add(word, 64)
            continue
        change = at - times[index - 1] - step
        step += change
        if index == 1:
            for byte in _varint(step):
                bits.add(byte, 8)
        elif change == 0:
            bits.add(0, 1)
        else:
            _add_change(bits, change)
        leading, trailing = _add_value(bits, word ^ words[index - 1], leading, trailing)
    return struct.pack(">H", len(times)) + bits.bytes()


def _add_change(bits: _Bits, change: int) -> None:
    for width, mark, size in ((14, 0b10, 2), (17, 0b110, 3), (20, 0b1110, 4)):
        if -((1 << (width - 1)) - 1) <= change <= 1 << (width - 1):
            bits.add(mark, size)
            bits.add(change, width)
            return
    bits.add(0b1111, 4)
    bits.add(change, 64)


def _add_value(bits: _Bits, difference: int, leading: int, trailing: int) -> tuple[int, int]:
    """Adds how a value differs from the one before; gives the window of bits that is in force then."""
    if difference == 0:
        bits.add(0, 1)
        return leading, trailing
    zeros_before = min(64 - difference.bit_length(), 31)
    zeros_after = (difference & -difference).bit_length() - 1
    if leading >= 0 and zeros_before >= leading and zeros_after >= trailing:
        bits.add(0b10, 2)
        bits.add(difference >> trailing, 64 - leading - trailing)
        return leading, trailing
    width = 64 - zeros_before - zeros_after
    bits.add(0b11, 2)
    bits.add(zeros_before, 5)
    bits.add(width, 6)  # 64 is written as 0
    bits.add(difference >> zeros_after, width)
    return zeros_before, zeros_after


@cache
def _table() -> tuple[int, ...]:
    out = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        out.append(value)
    return tuple(out)


def crc32c(data: bytes) -> int:
    """The checksum of Castagnoli (RFC 3720, appendix B.4)."""
    table, value = _table(), 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 255] ^ value >> 8
    return value ^ 0xFFFFFFFF


def frame(message: bytes) -> bytes:
    """A message with its length and checksum before it."""
    return _varint(len(message)) + struct.pack(">I", crc32c(message)) + message


def frames(types: dict[str, Any], answers: Sequence[pa.Table]) -> Iterator[bytes]:
    """The frames of an answer, one table a query; series in the order of labels, a long one in several frames."""
    for number, table in enumerate(answers):
        labels = table["labels"].to_pylist()
        for row in sorted(range(table.num_rows), key=lambda each: labels[each]):
            times = table["times"][row].values.cast(pa.int64()).to_pylist()
            words = table["values"][row].values.to_numpy(zero_copy_only=False).view("uint64").tolist()
            message, size = _message(types, number, labels[row]), 0
            for start in range(0, len(times), _SAMPLES_A_CHUNK):
                if size > _FRAME_BYTES:
                    yield frame(message.SerializeToString())
                    message, size = _message(types, number, labels[row]), 0
                part = slice(start, start + _SAMPLES_A_CHUNK)
                data = chunk(times[part], words[part])
                message.chunked_series[0].chunks.add(
                    min_time_ms=times[part][0], max_time_ms=times[part][-1], type=_XOR, data=data
                )
                size += len(data)
            yield frame(message.SerializeToString())


def _message(types: dict[str, Any], number: int, labels: Sequence[tuple[str, str]]) -> Any:
    message = types["ChunkedReadResponse"](query_index=number)
    series = message.chunked_series.add()
    for name, value in labels:
        series.labels.add(name=name, value=value)
    return message

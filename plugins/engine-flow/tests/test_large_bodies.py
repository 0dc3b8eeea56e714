"""What a parser of the host says that it passes over, it is not shown: large bodies are neither copied nor walked over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from engine_testing import Connection, External, build, native_parser
from metaflow_engine_flow.tables import TABLES

from metaflow_core.api import BlockFormat, PacketBlock

_SIZE, _ANSWERS, _SEGMENT = 1 << 20, 4, 1400


class Counting(External):
    """Counts the bytes that it is given to parse."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.given = 0
        parse = inner.parse

        def counting(batch: memoryview) -> Any:
            self.given += len(batch)
            return parse(batch)

        self.parse = counting


def _capture(chunked: bool = False) -> bytes:
    def records() -> Iterator[bytes]:
        talk = Connection(80, 1_700_000_000)
        yield from talk.opened()
        at = 0.01
        for number in range(_ANSWERS):
            yield talk.sent(at, 0, b"GET /%d HTTP/1.1\r\nHost: big\r\n\r\n" % number)
            if chunked:
                answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                answer += b"8000\r\n%s\r\n" % (b"x" * 0x8000) * (_SIZE >> 15) + b"0\r\n\r\n"
            else:
                answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % _SIZE + b"x" * _SIZE
            for start in range(0, len(answer), _SEGMENT):
                at += 0.00001
                yield talk.sent(at, 1, answer[start : start + _SEGMENT])
            at += 0.01

    return b"".join(records())


def _rows(engine: Any, data: bytes, size: int) -> dict[str, list[Any]]:
    found: dict[str, list[pa.RecordBatch]] = {name: [] for name in TABLES}
    for start in range(0, len(data), size):
        engine.push(PacketBlock(data[start : start + size], BlockFormat.PCAP, 101))
    engine.finish()
    for name, rows in engine.tables():
        found[name].append(rows)
    engine.close()
    return {name: pa.Table.from_batches(parts).to_pylist() if parts else [] for name, parts in found.items()}


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("kind", ["external", "wasm"])
def test_rows_are_those_of_a_parser_inside_the_engine(kind: str, chunked: bool) -> None:
    data = _capture(chunked)
    expected = _rows(build("native", ["http"]), data, 1 << 20)
    assert [row["response_code"] for row in expected["l7_flow_log"]] == [200] * _ANSWERS
    for size in (40_000, 1 << 20, len(data)):
        assert _rows(build(kind, ["http"]), data, size) == expected, size


@pytest.mark.parametrize("kind", ["external", "wasm"])
def test_of_a_large_body_little_more_is_shown_than_its_beginning(kind: str) -> None:
    engine = build(kind)
    factory, create = native_parser("http")
    counting = Counting(create())
    engine.add_parser(factory.description, counting)
    _rows(engine, _capture(), 1 << 18)
    # All of the first block: only its answer tells that this parser says what it passes over. Then it is asked early.
    assert counting.given < (1 << 18) + _ANSWERS * (1 << 17)

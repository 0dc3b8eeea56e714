"""A Python parser gives the same messages for every split, and loses no more than it must."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaflow_core.api.parsing import ParserFault, ParserRuntime
from metaflow_core.api.python_parser import NotThisProtocol, PythonParser, parser_factory
from metaflow_core.api.wire import BatchBuilder, Verdict, read_checks, read_records


class Boxes(PythonParser):
    """``B<length>\\r\\n<bytes>`` boxes; ``P\\r\\n`` parts that belong to the next; ``S<length>\\r\\n`` is not looked at."""

    delimiter = b"\r\n"
    max_message_bytes = 64
    max_sessions = 4

    def check(self, data, segment):
        if not data:
            return Verdict.MORE
        return Verdict.REQUEST if data[:1] in b"BPS" else self.no("no box", 0)

    def message(self, stream, session):
        line = stream.line()
        if line == b"P":
            return None
        if line == b"X":
            raise NotThisProtocol("an X")
        count = int(line[1:])
        if line[:1] == b"S":
            stream.skip(count)
            return {"request_type": "skip"}
        session.state["boxes"] = session.state.get("boxes", 0) + 1
        return {"request_type": "box", "result": stream.take(count)}


def runtime() -> ParserRuntime:
    factory = parser_factory(Boxes, type="boxes", protocols=[(200, "Boxes")], ports=(1,))
    assert factory.python is not None
    return factory.python(None)


def parse(pieces, **more):
    batch = BatchBuilder()
    for piece in pieces:
        if isinstance(piece, int):
            batch.gap(piece)
        else:
            batch.data(piece, **more)
    batch.close()
    return without_index(read_records(runtime().parse(memoryview(batch.finish()))))


def without_index(records):
    for record in records:
        del record["segment_index"]
    return records


TALK = b"B5\r\nhelloP\r\nB2\r\nhiS100\r\n" + bytes(100) + b"B0\r\nB3\r\nend"


def test_messages_have_offset_length_and_fields():
    first, second, third, *rest = parse([TALK])
    assert first == {"type": 1, "stream_offset": 0, "time_ns": 0, "length": 9, "request_type": "box", "result": "hello"}
    assert (second["stream_offset"], second["length"], second["result"]) == (9, 9, "hi")
    assert (third["request_type"], third["length"]) == ("skip", 106)
    assert [record["request_type"] for record in rest] == ["box", "box"]


@given(st.lists(st.integers(0, len(TALK)), max_size=12))
def test_any_split_gives_the_same_records(cuts):
    edges = [0, *sorted(cuts), len(TALK)]
    pieces = [TALK[start:stop] for start, stop in pairwise(edges)]
    assert parse(pieces) == parse([TALK])


def test_byte_by_byte_and_in_many_batches():
    one = runtime()
    found = []
    builder = BatchBuilder()
    for value in TALK:
        builder.data(bytes([value]))
        found += read_records(one.parse(memoryview(builder.finish())))
    assert without_index(found) == parse([TALK])


def test_a_gap_costs_what_it_must():
    found = parse([b"B5\r\nhel", 4, b"rest of it\r\nB1\r\nx"])
    assert [(record["type"], record["stream_offset"], record["length"]) for record in found] == [(6, 0, 23), (1, 23, 5)]
    assert found[0]["exception"] == "bytes lost in the capture"


def test_a_gap_inside_skipped_bytes_is_no_loss():
    assert parse([b"S10\r\nab", 5, b"cdeB1\r\nx"]) == parse([b"S10\r\n0123456789B1\r\nx"])


def test_a_jump_of_the_offset_is_a_gap_and_a_repetition_is_not_seen_twice():
    batch = BatchBuilder()
    batch.data(b"B1\r\nx")
    batch.data(b"1\r\nxB1\r\ny", stream_offset=1)
    batch.data(b"..\r\nB1\r\nz", stream_offset=20)
    found = read_records(runtime().parse(memoryview(batch.finish())))
    assert [record.get("result") for record in found] == ["x", "y", None, "z"]
    assert found[2]["length"] == 14


def test_too_long_a_message_is_skipped_whatever_the_split():
    talk = b"B90\r\n" + b"z" * 90 + b"\r\nB1\r\nx"
    whole = parse([talk])
    assert [record["type"] for record in whole] == [6, 1]
    assert "more than 64 bytes" in whole[0]["exception"]
    for size in (1, 3, 7, 50):
        assert parse([talk[at : at + size] for at in range(0, len(talk), size)]) == whole


def test_a_line_the_parser_fails_on_is_skipped_and_too_many_end_the_session():
    found = parse([b"Bnine\r\nB1\r\nx"])
    assert [record["type"] for record in found] == [6, 1]
    assert found[0]["exception"].startswith("ValueError")
    assert (found[0]["stream_offset"], found[0]["length"]) == (0, 7)
    bad = parse([b"Bx\r\n" * 20 + b"B1\r\nx"])
    assert bad[-1]["type"] == 5
    assert "8 messages in a row" in bad[-1]["exception"]


def test_another_protocol_is_a_violation_and_the_rest_is_ignored():
    found = parse([b"B1\r\nxX\r\nB1\r\ny", b"B1\r\nz"])
    assert [record["type"] for record in found] == [1, 5]
    assert found[1]["exception"] == "an X"
    assert found[1]["stream_offset"] == 5


def test_a_flow_seen_from_the_middle_waits_for_a_message():
    found = parse([b"iddle\r\nB1\r\nx"], flags=4)
    assert [record["type"] for record in found] == [6, 1]
    assert parse([b"B1\r\nx"], flags=4) == parse([b"B1\r\nx"])


def test_datagrams_hold_whole_messages():
    found = parse([b"B1\r\nxB1\r\ny", b"B5\r\nab", b"B1\r\nz"], transport=17)
    assert [record["type"] for record in found] == [1, 1, 6, 1]
    assert "datagram" in found[2]["exception"]


def test_sessions_are_bounded_and_kept_apart():
    one = runtime()
    batch = BatchBuilder()
    for session in range(100):
        batch.data(b"B3\r\na", session_id=session)
    for session in range(96, 100):
        batch.data(b"bc", session_id=session)
    assert len(read_records(one.parse(memoryview(batch.finish())))) == 4
    assert len(one._young) + len(one._old) <= 8


def test_check_answers_every_segment_and_a_failing_check_is_a_refusal():
    class Broken(Boxes):
        def check(self, data, segment):
            raise RuntimeError("oh")

    batch = BatchBuilder()
    for piece in (b"B1\r\nx", b"", b"GET / HTTP/1.1"):
        batch.data(piece)
    raw = memoryview(batch.finish())
    assert [check.verdict for check in read_checks(runtime().check(raw), 3)] == [2, 1, 0]
    broken = parser_factory(Broken, type="broken", protocols=[(200, "Broken")]).python(None)
    assert "RuntimeError: oh" in read_checks(broken.check(raw), 3)[0].reason


def test_a_malformed_batch_is_a_fault_and_costs_nothing_else():
    one = runtime()
    for raw in (b"", b"MFB1", b"MFB1" + b"\xff" * 60):
        with pytest.raises(ParserFault, match="malformed batch"):
            one.parse(memoryview(raw))
    batch = BatchBuilder()
    batch.data(b"B1\r\nx")
    assert len(read_records(one.parse(memoryview(batch.finish())))) == 1


def test_garbage_never_breaks():
    source = random.Random(7)
    one = runtime()
    batch = BatchBuilder()
    for _ in range(3000):
        piece = bytes(source.choices(b"BSPX0123456789\r\n\xff", k=source.randrange(30)))
        batch.data(
            piece,
            session_id=source.randrange(9),
            direction=source.randrange(2),
            stream_offset=source.choice([None, None, None, 0, 50, 1 << 63, (1 << 64) - 3]),
            flags=source.randrange(8),
            transport=source.choice([6, 6, 17, 1]),
        )
        if source.random() < 0.1:
            batch.gap(source.randrange(1 << 20), session_id=source.randrange(9))
        if source.random() < 0.05:
            batch.close(session_id=source.randrange(9))
        if source.random() < 0.1:
            read_records(one.parse(memoryview(batch.finish())), 1000)

"""The KV1 parser in C, Zig, AssemblyScript and Rust gives the records that it gives in Python, whatever the input."""

from __future__ import annotations

import random

import pytest

from metaflow_core.api import ParserFault
from metaflow_core.api.wire import BatchBuilder, read_checks, read_records

REQUEST, RESPONSE, NOTICE = 1, 2, 3
LOST = "bytes lost in the capture"


def frame(kind, verb, number, key=b"", value=b""):
    body = key + value
    return b"KV1!" + bytes([kind, verb]) + len(key).to_bytes(2) + number.to_bytes(4) + len(body).to_bytes(4) + body


TALK = (
    (frame(REQUEST, 1, 7, b"apple") + frame(REQUEST, 2, 8, "clé".encode(), b"x" * 300) + frame(NOTICE, 3, 9, b"old")),
    (
        frame(RESPONSE, 0, 7, b"a fruit", b"..")
        + frame(RESPONSE, 1, 8, b"no room")
        + frame(RESPONSE, 9, 1, b"b\xffd\xe2\x82")
    ),
)


def run(runtime, batches):
    """Records of the batches; the segment's index is not compared, a split changes it."""
    found = []
    for raw in batches:
        records = read_records(runtime.parse(memoryview(raw)))
        indexes = [record.pop("segment_index") for record in records]
        assert indexes == sorted(indexes)
        found += records
    return found


def cut(source, data, size):
    pieces = []
    while data:
        count = source.randint(1, size)
        pieces.append(data[:count])
        data = data[count:]
    return pieces


def test_golden(create, reference):
    batch = BatchBuilder()
    for direction, data in enumerate(TALK):
        batch.data(data, direction=direction, timestamp_ns=5)
    batch.close()
    raw = batch.finish()
    found = run(create(), [raw])
    assert found == run(reference(), [raw])
    common = {"time_ns": 5}
    assert found == [
        common | {"type": 1, "stream_offset": 0, "length": 21, "request_id": 7, "stream_id": 7,
                  "request_type": "GET", "request_resource": "apple"},
        common | {"type": 1, "stream_offset": 21, "length": 320, "request_id": 8, "stream_id": 8,
                  "request_type": "SET", "request_resource": "clé"},
        common | {"type": 3, "stream_offset": 341, "length": 19, "request_id": 9, "stream_id": 9,
                  "request_type": "DEL", "request_resource": "old"},
        common | {"type": 2, "stream_offset": 0, "length": 25, "request_id": 7, "stream_id": 7,
                  "code": 0, "status": 0, "result": "a fruit"},
        common | {"type": 2, "stream_offset": 25, "length": 23, "request_id": 8, "stream_id": 8,
                  "code": 1, "status": 4, "exception": "no room"},
        common | {"type": 2, "stream_offset": 48, "length": 21, "request_id": 1, "stream_id": 1,
                  "code": 9, "status": 3, "exception": "b\ufffdd\ufffd"},
    ]  # fmt: skip


def test_every_split(create):
    runtime = create()
    data = TALK[0]
    for session, at in enumerate(range(len(data) + 1)):
        batch = BatchBuilder()
        for piece in (data[:at], data[at:]):
            batch.data(piece, session_id=session)
        batch.close(session_id=session)
        assert [record["length"] for record in run(runtime, [batch.finish()])] == [21, 320, 19]


def test_byte_by_byte_over_batches(create, reference):
    batches = []
    batch = BatchBuilder()
    for direction, data in enumerate(TALK):
        for time, value in enumerate(data):
            batch.data(bytes([value]), direction=direction, timestamp_ns=time)
            batches.append(batch.finish())
    assert run(create(), batches) == run(reference(), batches)


def test_a_gap_costs_what_it_must(create, reference):
    data = TALK[0] * 3
    batch = BatchBuilder()
    batch.data(data[:30], timestamp_ns=1)
    batch.gap(100, timestamp_ns=2)
    batch.data(data[130:300], timestamp_ns=3)
    batch.data(data[400:], stream_offset=400, timestamp_ns=4)
    batch.close()
    raw = batch.finish()
    found = run(create(), [raw])
    assert found == run(reference(), [raw])
    assert (found[1]["type"], found[1]["exception"]) == (6, LOST)
    assert found[1]["stream_offset"] + found[1]["length"] == found[2]["stream_offset"]


@pytest.mark.parametrize("seed", range(12))
def test_random_conversations_with_losses_and_damage_are_the_same_as_in_python(create, reference, seed):
    source = random.Random(seed)
    batches, batch = [], BatchBuilder()
    talks = {}
    for session in range(20):
        for direction in range(2):
            data = b""
            for number in range(source.randrange(12)):
                kind = RESPONSE if direction else source.choice([REQUEST, NOTICE])
                key = bytes(source.choices(b"abc\xff\xe2\x82\xac\xf0\x9f\x98\x80\x00", k=source.randrange(12)))
                verb = source.randint(1, 3) if kind != RESPONSE else source.randrange(5)
                data += frame(kind, verb, number, key, bytes(source.randrange(50)))
            if source.random() < 0.2:
                data += b"KV1!" + source.randbytes(40)
            if source.random() < 0.1:
                data = source.randbytes(30) + data
            talks[session, direction] = cut(source, data, source.choice([3, 40, 400]))
    flags = {session: source.choice([0, 0, 4]) for session in range(20)}
    for time in range(4000):
        live = [key for key, pieces in talks.items() if pieces]
        if not live:
            break
        session, direction = key = source.choice(live)
        piece = talks[key].pop(0)
        where = {"session_id": session, "direction": direction, "timestamp_ns": time}
        roll = source.random()
        if roll < 0.04:
            batch.gap(len(piece), **where)
        elif roll < 0.08:
            batch.data(piece[: len(piece) // 2], wire_len=len(piece), **where)
        else:
            batch.data(piece, flags=flags[session], **where)
            if roll < 0.1:
                batch.data(piece, stream_offset=0, **where)  # seen before, or a jump back: never a crash
                offset = batch._offsets[session, direction]
                assert offset >= 0
        if source.random() < 0.02:
            batch.close(session_id=session)
        if source.random() < 0.05:
            batches.append(batch.finish())
    for session in range(20):
        batch.close(session_id=session)
    batches.append(batch.finish())
    runtime, python = create(), reference()
    for raw in batches:
        assert run(runtime, [raw]) == run(python, [raw])


def test_datagrams_and_unknown_kinds(create, reference):
    batch = BatchBuilder()
    whole = frame(REQUEST, 1, 1, b"k")
    batch.data(whole + whole, transport=17)
    batch.data(whole[:10], transport=17)
    batch.data(whole, transport=17)
    raw = bytearray(batch.finish())
    assert run(create(), [raw]) == run(reference(), [raw])
    raw[16 + 4] = 9  # a segment of a kind of a later minor version
    assert run(create(), [raw]) == run(reference(), [raw])


def test_inference(create, reference):
    batch = BatchBuilder()
    good = frame(REQUEST, 1, 1, b"k")
    for data in (good, good[:1], good[:15], b"", b"GET /", frame(RESPONSE, 0, 1), frame(NOTICE, 2, 1), b"KV1!" + bytes(12),
                 b"KV1!\1\7" + bytes(10), b"KV1!\1\1\0\0\0\0\0\0\0\1\0\0", b"KV1!\1\1\0\5\0\0\0\0\0\0\0\1"):  # fmt: skip
        batch.data(data)
    raw = memoryview(batch.finish())
    found = read_checks(create().check(raw), 11)
    assert [check.verdict for check in found] == [2, 1, 1, 1, 0, 3, 2, 0, 0, 0, 0]
    assert found == read_checks(reference().check(raw), 11)


def test_many_messages_in_one_batch(create):
    one = frame(REQUEST, 1, 5, b"key")
    batch = BatchBuilder()
    for session in range(100):
        batch.data(one * 400, session_id=session)
    assert len(run(create(), [batch.finish()])) == 40_000


def test_garbage_and_malformed_batches_never_break(create):
    source = random.Random(3)
    runtime = create()
    for _ in range(300):
        batch = BatchBuilder()
        for _ in range(source.randrange(20)):
            batch.data(
                source.choice([b"KV1!", b"KV1!\1\1\0\1", b""]) + source.randbytes(source.randrange(60)),
                session_id=source.randrange(1 << 40), direction=source.randrange(2), flags=source.randrange(8),
                stream_offset=source.choice([None, 0, 1 << 63, (1 << 64) - 7]), transport=source.choice([6, 17, 1, 99]),
            )  # fmt: skip
        raw = bytearray(batch.finish())
        if source.random() < 0.5:
            raw[source.randrange(len(raw))] = source.randrange(256)
        for call in (runtime.parse, runtime.check):
            try:
                result = call(memoryview(raw))
            except ParserFault as fault:
                # a segment of an unknown kind at the end of a batch may go without a verdict: the host refuses that
                assert "malformed" in str(fault) or "verdicts for" in str(fault)  # noqa: PT017 - it may also succeed
                continue
            (read_records if call == runtime.parse else read_checks)(result)


def test_the_number_of_sessions_is_bounded(create):
    runtime = create()
    batch = BatchBuilder()
    for session in range(3000):
        batch.data(b"KV1!\1\1", session_id=session * 977)
    runtime.parse(memoryview(batch.finish()))
    first = runtime.memory_bytes
    for _ in range(20):
        for _ in range(3000):
            batch.data(b"KV1!\1\1", session_id=random.getrandbits(60))
        runtime.parse(memoryview(batch.finish()))
    assert runtime.memory_bytes <= first * 4 + (16 << 20)

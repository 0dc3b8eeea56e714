"""The ABI's buffers: what is written is read back, and whatever is read raises ParseError or nothing."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaflow_core.api import abi
from metaflow_core.api.wire import (
    BatchBuilder,
    Check,
    CheckBuilder,
    RecordBuilder,
    SegmentBatch,
    Verdict,
    check_frame,
    read_checks,
    read_records,
)
from metaflow_core.errors import ParseError

_NUMBERS = {
    "u8": st.integers(0, 255),
    "i32": st.integers(-(1 << 31), (1 << 31) - 1),
    "u32": st.integers(0, (1 << 32) - 1),
    "u64": st.integers(0, (1 << 64) - 1),
}
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_FIELDS = {
    name: _NUMBERS.get(kind, _TEXT)
    for name, kind in abi.RECORD_COLUMNS.values()
    if name not in {"attributes", "segment_index", "type"}
}
_ATTRIBUTES = st.dictionaries(
    _TEXT.filter(lambda text: "\0" not in text), _TEXT.filter(lambda text: "\0" not in text), min_size=1, max_size=3
)
_RECORD = st.fixed_dictionaries(
    {"segment_index": st.integers(0, 99), "type": st.integers(1, 6)},
    optional=_FIELDS | {"attributes": _ATTRIBUTES},
)


@given(st.lists(_RECORD, max_size=80))
def test_records_come_back_as_they_were_written(records):
    builder = RecordBuilder()
    for record in records:
        builder.add(record)
    data = builder.finish()
    assert read_records(data, 100) == records
    assert check_frame(data, abi.MAGIC_RECORDS) == len(records)
    assert len(data) % 8 == 0
    assert len(builder) == 0


@given(st.lists(st.tuples(st.sampled_from(Verdict), st.integers(0, 99), _TEXT), max_size=20))
def test_checks_come_back(rows):
    builder = CheckBuilder(len(rows))
    for index, row in enumerate(rows):
        builder.set(index, Check(*row))
    assert read_checks(builder.finish(), len(rows)) == [Check(*row) for row in rows]


@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 3), st.integers(0, 1)), max_size=20))
def test_segments_come_back(pieces):
    builder = BatchBuilder()
    for payload, session, direction in pieces:
        builder.data(payload, session_id=session, direction=direction, server_port=80, timestamp_ns=7)
    found = [(bytes(item.payload), item.session_id, item.direction) for item in SegmentBatch(builder.finish())]
    assert found == pieces


def _valid_results():
    builder = RecordBuilder({"own": 1024})
    builder.add({"segment_index": 0, "type": 1, "request_type": "GET", "own": "x", "code": -3})
    builder.add({"segment_index": 1, "type": 2, "result": b"\xff\xfe", "attributes": {"a": "b"}, "length": 1 << 40})
    records = builder.finish()
    checks = CheckBuilder(3)
    checks.set(1, Check(Verdict.NO, 4, "why"))
    batch = BatchBuilder()
    batch.data(b"hello", session_id=9)
    batch.gap(10, session_id=9)
    batch.close(session_id=9)
    return records, checks.finish(), batch.finish()


_RESULTS = _valid_results()


@given(st.data())
def test_damage_raises_parse_error_or_nothing(data):
    source = data.draw(st.sampled_from(_RESULTS))
    damaged = bytearray(source)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.sampled_from([0, 1, 2, 7, 127, 128, 255]))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    for reader in (read_records, read_checks, lambda raw: list(SegmentBatch(raw))):
        try:
            reader(cut)
        except ParseError as error:
            assert str(error)  # noqa: PT017 - it may also succeed


@given(st.binary(max_size=200))
def test_garbage_raises_parse_error_or_nothing(raw):
    for magic, reader in (
        (b"MFR1", read_records),
        (b"MFC1", read_checks),
        (b"MFB1", lambda data: list(SegmentBatch(data))),
    ):
        for text in (raw, magic + raw):
            try:
                reader(text)
            except ParseError:
                continue


def test_private_columns_are_read_by_number_and_unknown_ones_are_passed_over():
    assert read_records(_RESULTS[0])[0]["1024"] == "x"
    unknown = struct.pack("<HBBI", 900, 99, 0, 8) + bytes(8)
    rows = bytearray(_RESULTS[0])
    struct.pack_into("<I", rows, 8, struct.unpack_from("<I", rows, 8)[0] + 1)
    assert read_records(bytes(rows) + unknown) == read_records(_RESULTS[0])


def test_bytes_of_the_wire_are_repaired_and_numbers_that_do_not_fit_are_absent():
    builder = RecordBuilder()
    builder.add({"segment_index": 0, "type": 2, "result": b"a\xffb", "code": 1 << 40, "status": "bad"})
    builder.add({"segment_index": 0, "type": 2, "result": "x" * 70_000, "code": 5})
    first, second = read_records(builder.finish())
    assert first == {"segment_index": 0, "type": 2, "result": "a\ufffdb"}
    assert len(second["result"]) == abi.LIMIT_TEXT_BYTES
    assert second["code"] == 5


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (b"", "16 bytes"),
        (b"MFC1" + bytes(12), "must begin with"),
        (struct.pack("<4sIII", b"MFR1", 1 << 30, 0, 0), "1073741824 rows"),
        (struct.pack("<4sIII", b"MFR1", 1, 0, 0), "lacks segment_index"),
        (struct.pack("<4sIII", b"MFR1", 1, 1, 0), "is missing"),
        (struct.pack("<4sIIIHBBI", b"MFR1", 1, 1, 0, 1, 3, 0, 4096), "claims 4096 bytes"),
        (struct.pack("<4sIIIHBBI8x", b"MFR1", 1, 1, 0, 1, 4, 0, 8), "has type 4"),
    ],
)
def test_the_sentence_says_what_is_wrong(result, sentence):
    with pytest.raises(ParseError, match=sentence):
        read_records(result)


def test_a_record_behind_the_batch_and_too_few_verdicts_are_refused():
    with pytest.raises(ParseError, match="names segment 1"):
        read_records(_RESULTS[0], 1)
    with pytest.raises(ParseError, match="each segment needs one"):
        read_checks(_RESULTS[1], 2)

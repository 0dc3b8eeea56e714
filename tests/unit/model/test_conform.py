"""What producers send becomes exactly what the catalogue says, or is refused with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaflow_core.errors import ParseError
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.catalog.arrow import arrow_schema
from metaflow_core.model.catalog.conform import conform

CATALOG = load_catalog()
REQUESTS = CATALOG.table("l7_flow_log")
NS = 1_700_000_000_123_456_789


def batch(**columns: object) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"flow_id": pa.array([7], pa.uint64()), **columns})


@pytest.mark.parametrize("name", list(CATALOG.tables))
def test_an_empty_batch_fits_every_table(name: str) -> None:
    table = CATALOG.tables[name]
    out = conform(pa.RecordBatch.from_pydict({}), table)
    assert out.schema.equals(arrow_schema(table), check_metadata=True)
    out.validate(full=True)


@pytest.mark.parametrize("name", list(CATALOG.tables))
def test_a_conformed_batch_is_left_as_it_is(name: str) -> None:
    table = CATALOG.tables[name]
    must = {c.name: pa.nulls(0, arrow_schema(table).field(c.name).type) for c in table.columns if c.absent == "must"}
    once = conform(pa.RecordBatch.from_pydict(must), table)
    assert conform(once, table).equals(once)


def test_absent_columns_are_null_or_zero() -> None:
    row = conform(batch(), REQUESTS).to_pylist()[0]
    assert row["response_code"] is None
    assert row["endpoint"] == ""
    assert row["ip6_0"] == bytes(16)
    assert row["attribute_names"] == []
    assert row["is_tls"] is False


def test_nanoseconds_of_the_engine_become_the_times_of_the_table() -> None:
    row = conform(
        batch(start_time_ns=pa.array([NS], pa.uint64()), end_time_ns=pa.array([NS + 1000], pa.uint64())), REQUESTS
    )
    assert row.column("start_time").to_pylist() == [datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)]
    assert row.column("end_time").cast(pa.int64()).to_pylist() == [NS // 1000 + 1]
    assert row.column("time").cast(pa.int64()).to_pylist() == [NS // 10**9]


def test_dictionaries_stay_dictionaries_and_plain_text_becomes_one() -> None:
    encoded = conform(batch(endpoint=pa.array(["/a"]).dictionary_encode(), request_type=pa.array(["GET"])), REQUESTS)
    for name in ("endpoint", "request_type"):
        assert encoded.schema.field(name).type == pa.dictionary(pa.int32(), pa.utf8())
    plain = conform(batch(request_resource=pa.array(["/a?b"]).dictionary_encode()), REQUESTS)
    assert plain.column("request_resource").to_pylist() == ["/a?b"]


def test_missing_values_become_zero_where_null_means_nothing() -> None:
    out = conform(
        batch(
            endpoint=pa.nulls(1, pa.utf8()),
            ip6_1=pa.nulls(1, pa.binary(16)),
            attribute_names=pa.nulls(1, pa.list_(pa.utf8())),
            response_code=pa.nulls(1, pa.int32()),
        ),
        REQUESTS,
    ).to_pylist()[0]
    assert (out["endpoint"], out["ip6_1"], out["attribute_names"], out["response_code"]) == ("", bytes(16), [], None)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"entpoint": ["x"]}, "has a column 'entpoint' that the catalogue does not know; did you mean 'endpoint'?"),
        ({"flow_id": pa.array([-1])}, "the column 'flow_id' of type int64 does not fit u64"),
        ({"client_port": pa.array([70000])}, "'client_port' of type int64 does not fit u16"),
        ({"flow_id": pa.nulls(1, pa.uint64())}, "has 1 rows without 'flow_id', which every row must have"),
        ({"endpoint": pa.array([[1]])}, "'endpoint' of type list"),
    ],
)
def test_what_does_not_fit_is_refused(columns: dict[str, object], sentence: str) -> None:
    with pytest.raises(ParseError) as caught:
        conform(batch(**columns), REQUESTS)
    assert sentence in str(caught.value)
    assert "flow_log.l7_flow_log" in str(caught.value)


def test_a_column_that_must_be_there() -> None:
    with pytest.raises(ParseError, match="lacks the column 'flow_id'"):
        conform(pa.RecordBatch.from_pydict({"endpoint": ["x"]}), REQUESTS)


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=20))
def test_a_time_in_seconds_is_never_after_the_moment(moments: list[int]) -> None:
    out = conform(
        pa.RecordBatch.from_pydict(
            {"flow_id": pa.array([1] * len(moments), pa.uint64()), "end_time_ns": pa.array(moments, pa.uint64())}
        ),
        REQUESTS,
    )
    assert out.column("time").cast(pa.int64()).to_pylist() == [moment // 10**9 for moment in moments]

"""Stored values become what a person reads."""

from __future__ import annotations

import ipaddress
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaflow_core.model.catalog import Member, load_catalog
from metaflow_core.model.catalog.conform import conform
from metaflow_core.model.catalog.decode import decode
from metaflow_core.model.catalog.render import cell_text, render_rows

CATALOG = load_catalog().extend(members={"l7_protocol": (Member(20, "Talk"),)})
MESSAGES = CATALOG.table("l7_message")
NS = 1_700_000_000_123_456_789


def messages(**columns: object) -> pa.RecordBatch:
    rows = pa.table(columns).num_rows
    sent = {"time_ns": pa.array([NS] * rows, pa.uint64()), "flow_id": pa.array([1] * rows, pa.uint64()), **columns}
    return conform(pa.RecordBatch.from_pydict(sent), MESSAGES)


def test_a_message_reads_well() -> None:
    sent = messages(
        l7_protocol=pa.array([20, 99], pa.uint8()),
        type=pa.array([0, 1], pa.uint8()),
        direction=pa.array([0, 1], pa.uint8()),
        response_status=pa.array([None, 3], pa.uint8()),
        is_ipv4=[True, False],
        ip4_0=pa.array([0x0A000001, 0], pa.uint32()),
        ip6_0=pa.array([bytes(16), ipaddress.ip_address("2001:db8::1").packed], pa.binary(16)),
        attribute_names=[["a", "b"], []],
        attribute_values=[["1", "2"], []],
    )
    first, second = render_rows(sent, MESSAGES, CATALOG)
    assert (first["l7_protocol"], first["type"], first["direction"], first["ip_0"]) == (
        "Talk",
        "request",
        "c2s",
        "10.0.0.1",
    )
    assert (second["l7_protocol"], second["response_status"], second["ip_0"]) == ("99", "server_error", "2001:db8::1")
    assert first["response_status"] is None
    assert first["time_ns"] == NS
    assert first["time"] == "2023-11-14T22:13:20Z"
    assert first["attributes"] == {"a": "1", "b": "2"}
    assert second["attributes"] == {}
    assert not {"ip4_0", "ip6_0", "is_ipv4", "attribute_names"} & set(first)
    json.dumps([first, second])


def test_sets_of_bits_and_hardware_addresses() -> None:
    table = CATALOG.table("l4_flow_log")
    sent = pa.RecordBatch.from_pydict(
        {
            "flow_id": pa.array([1]),
            "tcp_flags_bit_0": pa.array([0x12]),
            "mac_0": pa.array([0x0242AC110002]),
            "duration": pa.array([5]),
        }
    )
    row = next(render_rows(conform(sent, table), table, CATALOG))
    assert (row["tcp_flags_bit_0"], row["tcp_flags_bit_1"], row["mac_0"]) == ("SYN|ACK", "", "02:42:ac:11:00:02")


def test_results_of_a_query_are_decoded_by_name_and_others_left_alone() -> None:
    sent = pa.RecordBatch.from_pydict(
        {"close_type": pa.array([5], pa.uint16()), "Sum(byte)": [1.5], "ip4_1": pa.array([1], pa.uint32())}
    )
    assert decode(sent, CATALOG.table("l4_flow_log"), CATALOG).to_pylist() == [
        {"close_type": "forced_report", "Sum(byte)": 1.5, "ip4_1": "0.0.0.1"}
    ]


def test_no_row_can_break_json() -> None:
    table = CATALOG.table("prometheus.samples")
    sent = pa.RecordBatch.from_pydict(
        {
            "timestamp": pa.array([NS // 1000] * 3),
            "metric_name": ["up"] * 3,
            "value": [float("nan"), float("inf"), 1.0],
            "label_names": [["a", "b"], ["a"], None],
            "label_values": [["x"], ["y", "z"], None],
        }
    )
    rows = list(render_rows(conform(sent, table), table, CATALOG))
    assert [row["value"] for row in rows] == [None, None, 1.0]
    assert [row["labels"] for row in rows] == [{"a": "x"}, {"a": "y"}, {}]
    assert rows[0]["timestamp"] == "2023-11-14T22:13:20.123456Z"
    json.dumps(rows, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (True, "true"), ({}, ""), ({"a": "ü"}, '{"a":"ü"}'), ([1, 2], "[1,2]"), (0, "0")]
)
def test_cells(value: object, text: str) -> None:
    assert cell_text(value) == text


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1), st.lists(st.binary(min_size=16, max_size=16), min_size=1))
def test_addresses_read_as_the_standard_library_writes_them(fours: list[int], sixes: list[bytes]) -> None:
    four = messages(ip4_1=pa.array(fours, pa.uint32()), is_ipv4=[True] * len(fours))
    six = messages(ip6_1=pa.array(sixes, pa.binary(16)), is_ipv4=[False] * len(sixes))
    assert decode(four, MESSAGES, CATALOG).column("ip_1").to_pylist() == [
        str(ipaddress.IPv4Address(value)) for value in fours
    ]
    assert decode(six, MESSAGES, CATALOG).column("ip_1").to_pylist() == [
        str(ipaddress.IPv6Address(value)) for value in sixes
    ]

"""Expressions on whole Arrow columns: what every row gets, whatever the width, the dictionary or the slice."""

from __future__ import annotations

import doctest
from typing import Any

import pyarrow as pa
import pytest

import metaflow_core.query.columns as module
from metaflow_core.errors import QueryError, UnsupportedQuery
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import Cidr, Ref, parse_expression
from metaflow_core.query.bind import bind
from metaflow_core.query.columns import Frame, evaluate, mask
from metaflow_core.query.scope import Scope

CATALOG = load_catalog()
TABLE = CATALOG.table("l7_flow_log")

FRAME = Frame(
    3,
    {
        "u8": pa.array([255, 0, None], pa.uint8()),
        "u64": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "i": pa.array([-7, 0, 7]),
        "f": pa.array([1.5, float("inf"), None]),
        "b": pa.array([True, False, None]),
        "text": pa.array(["Ab", "", None]),
        "few": pa.array(["x", "y", "x"]).dictionary_encode(),
        "s": pa.array([-1, 0, 61], pa.timestamp("s", "UTC")),
        "us": pa.array([-1, 0, None], pa.timestamp("us", "UTC")),
        "names": pa.array([["a", "b", "a"], [], None], pa.list_(pa.utf8())),
        "values": pa.array([["1", "2"], ["9"], None], pa.list_(pa.utf8())),
        "ip4": pa.array([0x0A000001, 0xFFFFFFFF, None], pa.uint32()),
        "ip6": pa.array([bytes(15) + b"\x01", b"\xfe\x80" + bytes(14), None], pa.binary(16)),
    },
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("u8 + 1", [256, 1, None]),
        ("u8 - 256", [-1, -256, None]),
        ("u8 > -1", [True, True, None]),
        ("u8 < 256", [True, True, None]),
        ("u8 = 256", [False, False, None]),
        ("u8 in (255, 256, -1)", [True, False, None]),
        ("u64 = 18446744073709551615", [True, False, None]),
        ("u64 >= u64", [True, True, None]),
        ("i % 4", [-3, 0, 3]),
        ("i / 2", [-3.5, 0.0, 3.5]),
        ("1 / i", [-1 / 7, None, 1 / 7]),
        ("-i", [7, 0, -7]),
        ("i = 7.0", [False, False, True]),
        ("f > 1", [True, True, None]),
        ("b or null", [True, None, None]),
        ("b and null", [None, False, None]),
        ("not b", [False, True, None]),
        ("if(b, 1, 2.5)", [1.0, 2.5, 2.5]),
        ("if(b, few, text)", ["x", "", None]),
        ("coalesce(text, few)", ["Ab", "", "x"]),
        ("least(i, 1)", [-7, 0, 1]),
        ("greatest(u8, i)", [255, 0, None]),
        ("text like 'aB'", [True, False, None]),
        ("few = 'x'", [True, False, True]),
        ("few in ('y')", [False, True, False]),
        ("few regexp '^x$'", [True, False, True]),
        ("concat(few, '-', few)", ["x-x", "y-y", "x-x"]),
        ("lower(text)", ["ab", "", None]),
        ("length(text)", [2, 0, None]),
        ("unix(s)", [-1.0, 0.0, 61.0]),
        ("s >= 0", [False, True, True]),
        ("bucket(s, 60) = -60", [True, False, False]),
        ("bucket(s, 60, 1) = 61", [False, False, True]),
        ("bucket(us, 1) = -1000000", [True, False, None]),
        ("has(names, 'b')", [True, False, False]),
        ("map_at(names, values, 'a')", ["1", None, None]),
        ("map_at(names, values, 'b')", ["2", None, None]),
        ("map_at(names, values, 'c')", [None, None, None]),
        ("map_text(names, values)", ['{"a": "1", "b": "2"}', "{}", "{}"]),
        ("mask(ip4, 24)", ["10.0.0.0/24", "255.255.255.0/24", None]),
        ("mask(ip6, 10)", ["::/10", "fe80::/10", None]),
        ("round(f * 10, 0)", [15.0, float("inf"), None]),
        ("sqrt(i)", [None, 0.0, 7**0.5]),
        ("abs(i) + floor(1.5) + ceil(1.5)", [10.0, 3.0, 10.0]),
    ],
)
@pytest.mark.parametrize("offset", [0, 1])
def test_values(text: str, values: list[Any], offset: int) -> None:
    frame = FRAME.slice(offset, 3 - offset)
    assert evaluate(parse_expression(text), frame).to_pylist() == values[offset:]


@pytest.mark.parametrize(
    ("column", "networks", "inside"),
    [
        ("ip4", ("10.0.0.0/8",), [True, False, None]),
        ("ip4", ("0.0.0.0/0",), [True, True, None]),
        ("ip4", ("255.255.255.255", "1.1.1.1"), [False, True, None]),
        ("ip6", ("::/127",), [True, False, None]),
        ("ip6", ("fe80::/10",), [False, True, None]),
    ],
)
def test_networks(column: str, networks: tuple[str, ...], inside: list[Any]) -> None:
    assert evaluate(Cidr(Ref(column), networks), FRAME).to_pylist() == inside


def test_whole_numbers_do_not_wrap_around() -> None:
    with pytest.raises(QueryError, match="beyond whole numbers of 64 bits"):
        evaluate(parse_expression("i * 9223372036854775807"), FRAME)


def test_what_only_a_storage_knows_is_told() -> None:
    with pytest.raises(UnsupportedQuery, match="'pod_0' is resolved by a storage"):
        evaluate(parse_expression("pod_0 = 'x'"), FRAME)


def test_a_condition_on_a_batch_with_few_columns() -> None:
    batch = pa.RecordBatch.from_pydict(
        {"flow_id": pa.array([1, 2], pa.uint64()), "response_status": pa.array([0, 3], pa.uint8())}
    )
    condition = parse_expression("response_status = 'server_error' and endpoint = '' and request = 1")
    bound = bind(condition, Scope.of_table(TABLE, CATALOG))
    assert mask(bound, Frame.of_batch(batch, TABLE)).to_pylist() == [False, True]


def test_an_empty_batch() -> None:
    empty = FRAME.slice(3, 0)
    for text in (
        "u8 + 1 > i",
        "map_at(names, values, 'a') = 'x'",
        "has(names, 'a')",
        "bucket(s, 60) = 0",
        "mask(ip4, 8) = ''",
    ):
        assert evaluate(parse_expression(text), empty).to_pylist() == []


def test_the_example_in_the_documentation_runs() -> None:
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed

"""Whatever condition is written, the rows it keeps are those that an interpreter keeps, row by row."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Row = dict[str, Any]
Test = Callable[[Row], bool | None]
"""True, false, or missing."""

NUMBERS = {
    "server_port": [16379, 13306, 18080, 0],
    "response_duration": [0, 57, 200, 50_000],
    "response_code": [0, 200, 404, 1146],
    "request_length": [32, 100],
}
TEXTS = {"endpoint": ["/cart/1", "", "SET", "nowhere.shop.test"], "request_type": ["GET", "COM_QUERY", "A"], "l7_protocol": ["HTTP", "Redis", "MySQL", "DNS"],
         "response_status": ["ok", "server_error", "client_error", "timeout"]}  # fmt: skip
PATTERNS = ["*", "/c*", "*t", "G?T", "*O*", "a*b", "set", "M*L"]
REGEXPS = ["^/", "[0-9]$", "ar|et", "^$", "L$", "."]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def leaf_number(name: str, op: str, value: int) -> tuple[str, Test]:
    return f"{name} {op} {value}", lambda row: None if row[name] is None else COMPARE[op](row[name], value)


def leaf_text(name: str, op: str, value: str) -> tuple[str, Test]:
    return f"{name} {op} '{value}'", lambda row: None if row[name] is None else COMPARE[op](row[name], value)


def leaf_in(name: str, values: list[Any], negated: bool) -> tuple[str, Test]:
    listed = ", ".join(f"'{value}'" if isinstance(value, str) else str(value) for value in values)
    return (
        f"{name} {'not ' if negated else ''}in ({listed})",
        lambda row: None if row[name] is None else (row[name] in values) != negated,
    )


def leaf_like(name: str, pattern: str, negated: bool) -> tuple[str, Test]:
    whole = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE | re.DOTALL)
    return (
        f"{name} {'not ' if negated else ''}like '{pattern}'",
        lambda row: None if row[name] is None else (whole.fullmatch(row[name]) is not None) != negated,
    )


def leaf_regexp(name: str, pattern: str, negated: bool) -> tuple[str, Test]:
    return (
        f"{name} {'not ' if negated else ''}regexp '{pattern}'",
        lambda row: None if row[name] is None else (re.search(pattern, row[name]) is not None) != negated,
    )


def leaf_null(name: str, negated: bool) -> tuple[str, Test]:
    return f"{name} is {'not ' if negated else ''}null", lambda row: (row[name] is None) != negated


def leaf_between(name: str, low: int, high: int) -> tuple[str, Test]:
    return f"{name} between {low} and {high}", lambda row: None if row[name] is None else low <= row[name] <= high


def leaf_sum(left: str, right: str, value: int) -> tuple[str, Test]:
    return (
        f"{left} + {right} * 2 > {value}",
        lambda row: None if row[left] is None or row[right] is None else row[left] + row[right] * 2 > value,
    )


def both(left: tuple[str, Test], right: tuple[str, Test], word: str) -> tuple[str, Test]:
    def test(row: Row) -> bool | None:
        values = (left[1](row), right[1](row))
        decisive = word in ("or", "||")
        if decisive in values:
            return decisive
        return None if None in values else not decisive

    return f"({left[0]} {word} {right[0]})", test


def opposite(inner: tuple[str, Test]) -> tuple[str, Test]:
    def test(row: Row) -> bool | None:
        value = inner[1](row)
        return None if value is None else not value

    return f"not ({inner[0]})", test


numbers, texts, flags = st.sampled_from(sorted(NUMBERS)), st.sampled_from(sorted(TEXTS)), st.booleans()
leaves = st.one_of(
    numbers.flatmap(lambda name: st.builds(leaf_number, st.just(name), st.sampled_from(sorted(COMPARE)), st.sampled_from(NUMBERS[name]))),
    texts.flatmap(lambda name: st.builds(leaf_text, st.just(name), st.sampled_from(["=", "!="]), st.sampled_from(TEXTS[name]))),
    texts.flatmap(lambda name: st.builds(leaf_in, st.just(name), st.lists(st.sampled_from(TEXTS[name]), min_size=1, max_size=3), flags)),
    numbers.flatmap(lambda name: st.builds(leaf_in, st.just(name), st.lists(st.sampled_from(NUMBERS[name]), min_size=1, max_size=3), flags)),
    st.builds(leaf_like, texts, st.sampled_from(PATTERNS), flags),
    st.builds(leaf_regexp, texts, st.sampled_from(REGEXPS), flags),
    st.builds(leaf_null, st.sampled_from(["response_code", "request_length"]), flags),
    st.builds(leaf_between, numbers, st.integers(0, 100), st.integers(50, 20_000)),
    st.builds(leaf_sum, numbers, numbers, st.integers(0, 50_000)),
)  # fmt: skip
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(both, inner, inner, st.sampled_from(["and", "or", "AND", "&&", "||"])), st.builds(opposite, inner)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="session")
def rows(capture: Any) -> list[Row]:
    return list(capture.table("l7_flow_log"))


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees)
async def test_rows_kept_are_the_interpreters(tree: tuple[str, Test], ask: Any, rows: list[Row]) -> None:
    text, test = tree
    # an enumeration is matched by the names of its members; a row without a value has none
    kept = await ask(f"SELECT flow_id, response_duration FROM l7_flow_log WHERE {text}")
    expected = [(row["flow_id"], row["response_duration"]) for row in rows if test(row) is True]
    found = list(
        zip(kept.table.column("flow_id").to_pylist(), kept.table.column("response_duration").to_pylist(), strict=True)
    )
    assert sorted(found) == sorted(expected), text

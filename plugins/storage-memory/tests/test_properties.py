"""Random expressions and groupings against a row-by-row interpreter in plain Python; the split into batches never matters."""

from __future__ import annotations

import fnmatch
import math
import re
from collections import Counter
from itertools import accumulate, pairwise
from typing import Any

import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from metaflow_storage_memory.storage import MemoryStorage

from metaflow_core.api import RecordBatch
from metaflow_core.errors import QueryError
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import (
    And,
    Arithmetic,
    Call,
    Compare,
    Expr,
    In,
    IsNull,
    Like,
    Literal,
    Negate,
    Not,
    Or,
    Ref,
    Regexp,
)
from metaflow_core.query import Aggregate, Filter, Fold, Named, Plan, Project, Scan

CATALOG = load_catalog()
NUMBERS = ("response_code", "server_port", "response_duration", "request_length")
TEXTS = ("endpoint", "response_result")

rows = st.lists(
    st.fixed_dictionaries(
        {
            "flow_id": st.integers(0, 3),
            "response_code": st.none() | st.integers(-3, 3),
            "server_port": st.integers(0, 3),
            "response_duration": st.integers(0, 5),
            "request_length": st.none() | st.integers(0, 2**40),
            "endpoint": st.sampled_from(["", "a", "A", "ab", "a*b", "ü\n"]),
            "response_result": st.sampled_from(["", "a", "b"]),
            "is_tls": st.booleans(),
        }
    ),
    max_size=12,
)


def expressions() -> tuple[st.SearchStrategy[Expr], st.SearchStrategy[Expr]]:
    """Strategies for conditions and for numbers."""
    number: st.SearchStrategy[Expr] = st.deferred(lambda: numbers)
    condition: st.SearchStrategy[Expr] = st.deferred(lambda: conditions)
    small = st.integers(-3, 5) | st.sampled_from([-(2**40), 2**40, 70000])
    leaf: st.SearchStrategy[Expr] = st.sampled_from([Ref(name) for name in NUMBERS]) | small.map(Literal)
    numbers = leaf | st.one_of(
        st.builds(Arithmetic, st.sampled_from("+-*/%"), leaf, number),
        st.builds(Negate, leaf),
        st.builds(lambda c, a, b: Call("if", (c, a, b)), condition, leaf, number),
        st.builds(lambda a, b: Call("coalesce", (a, b)), leaf, leaf),
        st.builds(lambda a, b: Call("least", (a, b)), leaf, leaf),
    )
    text = st.sampled_from([Ref(name) for name in TEXTS])
    simple: st.SearchStrategy[Expr] = st.one_of(
        st.builds(Compare, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), number, number),
        st.builds(Compare, st.sampled_from(["=", "!=", "<"]), text, st.sampled_from(["a", "ab", ""]).map(Literal)),
        st.builds(Like, text, st.sampled_from(["a", "*b", "a*", "*", "", "a.*"])),
        st.builds(Regexp, text, st.sampled_from(["^a", "b$", "[ab]+", "a.b"])),
        st.builds(In, leaf, st.lists(small.map(Literal), min_size=1, max_size=3).map(tuple)),
        st.builds(In, text, st.lists(st.sampled_from(["a", "b"]).map(Literal), min_size=1).map(tuple)),
        st.builds(IsNull, number),
        st.just(Ref("is_tls")),
    )
    conditions = simple | st.one_of(
        st.builds(Not, condition),
        st.lists(condition, min_size=2, max_size=3).map(lambda items: And(tuple(items))),
        st.lists(condition, min_size=2, max_size=3).map(lambda items: Or(tuple(items))),
    )
    return conditions, numbers


CONDITIONS, NUMBER_EXPRESSIONS = expressions()


def interpret(node: Expr, row: dict[str, Any]) -> Any:
    """What an expression means, one row at a time; None is missing."""
    match node:
        case Ref(name):
            return row[name]
        case Literal(value):
            return value
        case Negate(operand):
            value = interpret(operand, row)
            return None if value is None else -value
        case Arithmetic(op, left, right):
            return _arithmetic(op, interpret(left, row), interpret(right, row))
        case Compare(op, left, right):
            return _compare(op, interpret(left, row), interpret(right, row))
        case In(operand, items):
            value = interpret(operand, row)
            return None if value is None else value in [item.value for item in items]
        case Like(operand, pattern):
            quoted = "*".join(re.sub(r"([?\[])", r"[\1]", part.lower()) for part in pattern.split("*"))
            return fnmatch.fnmatchcase(interpret(operand, row).lower(), quoted)
        case Regexp(operand, pattern):
            return re.search(pattern.replace("$", r"\Z"), interpret(operand, row)) is not None
        case IsNull(operand):
            return interpret(operand, row) is None
        case Not(operand):
            value = interpret(operand, row)
            return None if value is None else not value
        case And(items):
            values = [interpret(item, row) for item in items]
            return False if False in values else None if None in values else True
        case Or(items):
            values = [interpret(item, row) for item in items]
            return True if True in values else None if None in values else False
        case Call("if", (condition, left, right)):
            return interpret(left if interpret(condition, row) else right, row)
        case Call("coalesce", arguments):
            return next((value for each in arguments if (value := interpret(each, row)) is not None), None)
        case Call("least", arguments):
            values = [interpret(each, row) for each in arguments]
            return None if None in values else min(values)
    raise AssertionError(node)


def _arithmetic(op: str, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return None if right == 0 else left / right
        case _:
            # The sign of the left operand, as in C.
            return None if right == 0 else math.fmod(left, right)


def _compare(op: str, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    return {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[op]


def stored(data: list[dict[str, Any]], cuts: list[int]) -> MemoryStorage:
    """The rows in batches of these sizes, the rest in one."""
    storage = MemoryStorage(CATALOG)
    types = {"response_code": pa.int32(), "request_length": pa.uint64()}
    bounds = [0, *(min(cut, len(data)) for cut in accumulate(cuts)), len(data)]
    for start, end in pairwise(bounds):
        part = data[start:end]
        if part:
            columns = {name: pa.array([row[name] for row in part], types.get(name)) for name in part[0]}
            storage.add(RecordBatch("flow_log.l7_flow_log", pa.RecordBatch.from_pydict(columns)))
    return storage


def answer(storage: MemoryStorage, plan: Plan) -> pa.Table:
    """What the storage says, where no number is beyond 64 bits."""
    try:
        return storage.query(plan)
    except QueryError as error:
        assume("beyond whole numbers of 64 bits" not in str(error))
        raise


def close(found: Any, expected: Any) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)


@settings(max_examples=200, deadline=None)
@given(rows, CONDITIONS, st.lists(st.integers(0, 5), max_size=3))
def test_conditions_keep_the_rows_for_which_they_are_true(data: Any, condition: Expr, cuts: list[int]) -> None:
    numbered = [{**row, "flow_id": index} for index, row in enumerate(data)]
    plan = Project(Filter(Scan("l7_flow_log"), condition), (Named("flow_id", Ref("flow_id")),))
    found = answer(stored(numbered, cuts), plan).column("flow_id").to_pylist()
    assert found == [row["flow_id"] for row in numbered if interpret(condition, row) is True]


@settings(max_examples=200, deadline=None)
@given(rows, NUMBER_EXPRESSIONS, st.lists(st.integers(0, 5), max_size=3))
def test_numbers_are_what_they_are_row_by_row(data: Any, expression: Expr, cuts: list[int]) -> None:
    plan = Project(Scan("l7_flow_log"), (Named("x", expression),))
    found = answer(stored(data, cuts), plan).column("x").to_pylist()
    assert len(found) == len(data)
    for value, row in zip(found, data, strict=True):
        expected = interpret(expression, row)
        assert close(value, expected), (value, expected, row)


@settings(max_examples=200, deadline=None)
@given(
    rows,
    CONDITIONS,
    st.lists(st.integers(0, 5), max_size=3),
    st.lists(st.sampled_from(["endpoint", "response_code"]), unique=True),
)
def test_groups_and_folds(data: Any, where: Expr, cuts: list[int], keys: list[str]) -> None:
    length = Ref("request_length")
    folds = (
        Fold("rows", "count"),
        Fold("some", "count", where=where),
        Fold("values", "count", length),
        Fold("sum", "sum", length, where=where),
        Fold("min", "min", length),
        Fold("max", "max", length),
        Fold("first", "any", length),
        Fold("different", "uniq_exact", Ref("response_result")),
        Fold("median", "quantile_exact", length, (0.5,)),
        Fold("best", "topk", Ref("response_result"), (1,)),
    )
    plan = Aggregate(Scan("l7_flow_log"), tuple(Named(key, Ref(key)) for key in keys), folds)
    found = {tuple(row[key] for key in keys): row for row in answer(stored(data, cuts), plan).to_pylist()}
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {} if keys else {(): []}
    for row in data:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    assert found.keys() == groups.keys()
    for key, members in groups.items():
        result = found[key]
        chosen = [row["request_length"] for row in members if interpret(where, row) is True]
        lengths = sorted(row["request_length"] for row in members if row["request_length"] is not None)
        present = [value for value in chosen if value is not None]
        assert result["rows"] == len(members)
        assert result["some"] == len(chosen)
        assert result["values"] == len(lengths)
        assert result["sum"] == (sum(present) if present else None)
        assert (result["min"], result["max"]) == ((lengths[0], lengths[-1]) if lengths else (None, None))
        assert result["first"] == next((r["request_length"] for r in members if r["request_length"] is not None), None)
        assert result["different"] == len({row["response_result"] for row in members})
        middle = (lengths[(len(lengths) - 1) // 2] + lengths[len(lengths) // 2]) / 2 if lengths else None
        assert close(result["median"], middle)
        counts = Counter(row["response_result"] for row in members)
        if members:
            assert counts[result["best"][0]] == max(counts.values())

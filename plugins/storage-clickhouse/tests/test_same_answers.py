"""Random rows and random plans get the answers that the memory storage gives."""

from __future__ import annotations

import math
import os
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from metaflow_storage_memory.storage import MemoryStorage

from metaflow_core.api import RecordBatch
from metaflow_core.errors import QueryError
from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.expression import (
    And,
    Arithmetic,
    Call,
    Cidr,
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
from metaflow_core.query import (
    Aggregate,
    Combine,
    Fill,
    Filter,
    Fold,
    Limit,
    Named,
    Plan,
    Project,
    Scan,
    SemiJoin,
    Sort,
    SortKey,
    TimeRange,
)

CATALOG = load_catalog()
Store = Any
TABLE = "flow_log.l7_flow_log"
NUMBERS = ("response_code", "server_port", "response_duration", "request_length", "l3_epc_id_0", "flow_id", "ip4_0")
TEXTS = ("endpoint", "response_result", "request_resource")
TYPES = {
    "response_code": pa.int32(),
    "request_length": pa.uint64(),
    "ip6_0": pa.binary(16),
    "flow_id": pa.uint64(),
    "attribute_names": pa.list_(pa.utf8()),
    "attribute_values": pa.list_(pa.utf8()),
    "metrics_names": pa.list_(pa.utf8()),
    "metrics_values": pa.list_(pa.float64()),
    "end_time": pa.int64(),
    "time": pa.int64(),
}
HOSTILE = [
    "",
    "a",
    "A",
    "ab",
    "a*b",
    "ü\n",
    "'; DROP TABLE x --",
    "\\",
    "`",
    "a\0b",
    "%(x)s",
    "{x:UInt8}",
    "É",
    "\U0001f600",
]
SIX = [
    bytes(16),
    bytes(15) + b"\1",
    bytes(10) + b"\xff\xff\1\2\3\4",
    b"\x20\x01\x0d\xb8" + bytes(11) + b"\1",
    bytes(12) + b"\1\2\3\4",
]

one_row = st.fixed_dictionaries(
    {
        "time": st.integers(60, 300),
        "end_time": st.integers(-5, 400_000_000),
        "flow_id": st.integers(0, 3) | st.just(2**64 - 1),
        "response_code": st.none() | st.integers(-3, 3),
        "server_port": st.integers(0, 3),
        "response_duration": st.integers(0, 5),
        "request_length": st.none() | st.integers(0, 2**40),
        "l3_epc_id_0": st.sampled_from([0, -2, 7]),
        "ip4_0": st.sampled_from([0, 0x0A000001, 0x0A000002, 0xFFFFFFFF]),
        "ip6_0": st.sampled_from(SIX),
        "is_ipv4": st.booleans(),
        "endpoint": st.sampled_from(HOSTILE),
        "response_result": st.sampled_from(["", "a", "b"]),
        "request_resource": st.sampled_from(HOSTILE),
        "is_tls": st.booleans(),
        "attribute_names": st.lists(st.sampled_from(["a", "b", "c/d", '"']), max_size=3),
        "attribute_values": st.lists(st.sampled_from(["1", "2", "x\ty", "ü/\\"]), max_size=3),
        "metrics_names": st.lists(st.sampled_from(["m", "n"]), max_size=2),
        "metrics_values": st.lists(st.sampled_from([0.0, 1.5, -2.25]), max_size=2),
    }
)
rows = st.lists(one_row, max_size=12)


def _expressions() -> tuple[st.SearchStrategy[Expr], st.SearchStrategy[Expr], st.SearchStrategy[Expr]]:
    number: st.SearchStrategy[Expr] = st.deferred(lambda: numbers)
    condition: st.SearchStrategy[Expr] = st.deferred(lambda: conditions)
    small = st.integers(-3, 5) | st.sampled_from([-(2**40), 2**40, 70000, 0.5, -2.5])
    leaf: st.SearchStrategy[Expr] = st.sampled_from([Ref(name) for name in NUMBERS]) | small.map(Literal)
    plain = st.sampled_from([Ref(name) for name in NUMBERS if name not in ("ip4_0", "flow_id")]) | small.map(Literal)
    text: st.SearchStrategy[Expr] = st.sampled_from([Ref(name) for name in TEXTS])
    numbers = plain | st.one_of(
        st.builds(Arithmetic, st.sampled_from("+-*/%"), plain, number),
        st.builds(Negate, plain),
        st.builds(lambda c, a, b: Call("if", (c, a, b)), condition, plain, number),
        st.builds(lambda f, a, b: Call(f, (a, b)), st.sampled_from(["coalesce", "least", "greatest"]), plain, plain),
        st.builds(lambda f, a: Call(f, (a,)), st.sampled_from(["abs", "floor", "ceil", "sqrt", "round"]), number),
        st.builds(lambda a: Call("round", (a, Literal(1))), number),
        st.builds(lambda a: Call("length", (a,)), text),
        st.builds(lambda n: Call("unix", (Ref(n),)), st.sampled_from(["time", "end_time"])),
        st.just(Call("map_at", (Ref("metrics_names"), Ref("metrics_values"), Literal("m")))),
    )
    addresses = st.sampled_from(
        [("ip4_0", "10.0.0.0/31"), ("ip4_0", "0.0.0.0/0"), ("ip6_0", "2001:db8::/32"), ("ip6_0", "::1")]
    )
    texts = text | st.one_of(
        st.builds(lambda f, a: Call(f, (a,)), st.sampled_from(["lower", "upper"]), text),
        st.builds(lambda a, b: Call("concat", (a, b)), text, text | st.sampled_from(HOSTILE).map(Literal)),
        st.builds(
            lambda n: Call("to_text", (Ref(n),)), st.sampled_from(["ip4_0", "ip6_0", "server_port", "time", "is_tls"])
        ),
        st.builds(
            lambda n, b: Call("mask", (Ref(n), Literal(b))), st.sampled_from(["ip4_0", "ip6_0"]), st.integers(0, 32)
        ),
        st.just(Call("map_at", (Ref("attribute_names"), Ref("attribute_values"), Literal("b")))),
        st.just(Call("map_text", (Ref("attribute_names"), Ref("attribute_values")))),
        st.just(Call("map_text", (Ref("metrics_names"), Ref("metrics_values")))),
    )
    simple: st.SearchStrategy[Expr] = st.one_of(
        st.builds(Compare, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), number, number),
        st.builds(Compare, st.sampled_from(["=", "<", ">="]), leaf, small.map(Literal)),
        st.builds(Compare, st.sampled_from(["=", "!=", "<"]), texts, st.sampled_from(HOSTILE).map(Literal)),
        st.builds(
            Compare,
            st.sampled_from(["<", ">="]),
            st.sampled_from([Ref("time"), Ref("end_time")]),
            st.integers(-9, 400_000_000).map(Literal),
        ),
        st.builds(Like, text, st.sampled_from(["a", "*b", "a*", "*", "", "a.*", "É", "é*", "'*", "\\"])),
        st.builds(Regexp, text, st.sampled_from(["^a", "b$", "[ab]+", "a.b", "ü.", "\\\\", "'"])),
        st.builds(In, leaf, st.lists(small.map(Literal), min_size=1, max_size=3).map(tuple)),
        st.builds(In, text, st.lists(st.sampled_from(HOSTILE).map(Literal), min_size=1).map(tuple)),
        st.builds(lambda each: Cidr(Ref(each[0]), (each[1],)), addresses),
        st.builds(IsNull, number),
        st.builds(lambda key: Call("has", (Ref("attribute_names"), Literal(key))), st.sampled_from(["a", '"'])),
        st.just(Ref("is_tls")),
    )
    conditions = simple | st.one_of(
        st.builds(Not, condition),
        st.lists(condition, min_size=2, max_size=3).map(lambda items: And(tuple(items))),
        st.lists(condition, min_size=2, max_size=3).map(lambda items: Or(tuple(items))),
    )
    return conditions, numbers, texts


CONDITIONS, NUMBER_EXPRESSIONS, TEXT_EXPRESSIONS = _expressions()
MANY = settings(
    max_examples=int(os.environ.get("EXAMPLES", "20")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def batch(data: list[dict[str, Any]]) -> pa.RecordBatch:
    numbered = [{**row, "_id": index} for index, row in enumerate(data)]
    names = numbered[0] if numbered else {}
    return pa.RecordBatch.from_pydict(
        {name: pa.array([row[name] for row in numbered], TYPES.get(name)) for name in names}
    )


class Both:
    """The same rows in both storages."""

    def __init__(self, store: Store, data: list[dict[str, Any]]) -> None:
        self._store = store
        self._memory = MemoryStorage(CATALOG)
        store.clear(TABLE)
        if data:
            rows_ = batch(data)
            self._memory.add(RecordBatch(TABLE, rows_))
            store.write(TABLE, rows_)

    def ask(self, plan: Plan) -> tuple[pa.Table, pa.Table]:
        try:
            expected = self._memory.query(plan)
        except QueryError as error:
            assume("beyond whole numbers of 64 bits" not in str(error))
            raise
        return self._store.query(plan), expected

    def same(self, plan: Plan, *, ordered: bool = False) -> None:
        found, expected = self.ask(plan)
        assert found.column_names == expected.column_names
        left, right = found.to_pylist(), expected.to_pylist()
        if not ordered:
            left, right = sorted(left, key=_key), sorted(right, key=_key)
        assert len(left) == len(right), (left, right)
        for one, other in zip(left, right, strict=True):
            for name in found.column_names:
                assert alike(one[name], other[name]), (name, one, other, self._store.storage.explain(plan))


def _key(row: dict[str, Any]) -> str:
    return repr([_rounded(value) for value in row.values()])


def _rounded(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return float(f"{value:.9g}") if isinstance(value, int | float) else value


def alike(found: Any, expected: Any) -> bool:
    if isinstance(found, int | float) and isinstance(expected, int | float):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9) or (found != found and expected != expected)
    return bool(found == expected)


@MANY
@given(rows, CONDITIONS)
def test_conditions_keep_the_same_rows(shared: Store, data: Any, condition: Expr) -> None:
    Both(shared, data).same(Project(Filter(Scan(TABLE), condition), (Named("_id", Ref("_id")),)))


@MANY
@given(rows, NUMBER_EXPRESSIONS, TEXT_EXPRESSIONS)
def test_expressions_give_the_same_values(shared: Store, data: Any, number: Expr, text: Expr) -> None:
    plan = Project(Scan(TABLE), (Named("_id", Ref("_id")), Named("x", number), Named("t", text)))
    Both(shared, data).same(plan)


FOLDS = st.sampled_from(
    [("count", ()), ("sum", ()), ("min", ()), ("max", ()), ("stddev", ()), ("quantile", (0.5,)), ("quantile_exact", (0.9,)),
     ("uniq", ()), ("uniq_exact", ()), ("histogram", (3,))]
)  # fmt: skip


@MANY
@given(
    rows,
    st.lists(st.tuples(FOLDS, st.sampled_from(NUMBERS[:5]), st.none() | CONDITIONS), min_size=1, max_size=4),
    st.lists(st.sampled_from(["endpoint", "response_code", "ip6_0", "is_tls", "minute"]), unique=True, max_size=3),
    CONDITIONS,
)
def test_groups_and_folds_are_the_same(shared: Store, data: Any, folds: Any, keys: list[str], where: Expr) -> None:
    bucket = Call("bucket", (Ref("time"), Literal(60), Literal(7)))
    named = tuple(Named(key, bucket if key == "minute" else Ref(key)) for key in keys)
    measures = [
        Fold(f"f{i}", op, Ref(name), parameters, test) for i, ((op, parameters), name, test) in enumerate(folds)
    ]
    plan = Aggregate(Filter(Scan(TABLE), where), named, (Fold("rows", "count"), *measures))
    Both(shared, data).same(plan)


@MANY
@given(
    rows,
    st.lists(st.tuples(st.sampled_from(["response_code", "endpoint", "time", "is_tls"]), st.booleans()), max_size=3),
    st.integers(0, 6),
    st.integers(0, 3),
)
def test_order_and_limit_are_the_same(
    shared: Store, data: Any, keys: list[tuple[str, bool]], count: int, offset: int
) -> None:
    # The last key tells all rows apart: their order is then given.
    order = (*(SortKey(name, descending) for name, descending in keys), SortKey("_id"))
    plan = Limit(
        Sort(
            Project(
                Scan(TABLE), tuple(Named(n, Ref(n)) for n in ("_id", "response_code", "endpoint", "time", "is_tls"))
            ),
            order,
        ),
        count,
        offset,
    )
    Both(shared, data).same(plan, ordered=True)
    twice = Project(Filter(plan, Compare(">=", Ref("time"), Literal(100))), (Named("id", Ref("_id")),))
    Both(shared, data).same(twice, ordered=True)


@MANY
@given(rows, CONDITIONS, CONDITIONS)
def test_joins_are_the_same(shared: Store, data: Any, one: Expr, other: Expr) -> None:
    keys = (Named("code", Ref("response_code")), Named("endpoint", Ref("endpoint")))

    def grouped(where: Expr, name: str, fold: str) -> Plan:
        return Aggregate(Filter(Scan(TABLE), where), keys, (Fold(name, fold, Ref("response_duration")),))

    both = Both(shared, data)
    both.same(Combine((grouped(one, "a", "sum"), grouped(other, "b", "count")), ("code", "endpoint")))
    both.same(SemiJoin(grouped(one, "a", "max"), ("code",), grouped(other, "b", "min")))


@MANY
@given(rows, st.integers(0, 300), st.integers(0, 300), st.sampled_from([None, 0]))
def test_ranges_and_filled_intervals_are_the_same(
    shared: Store, data: Any, start: int, end: int, value: int | None
) -> None:
    span = TimeRange(min(start, end) * 10**9 + 1, max(start, end) * 10**9)
    if span.end_ns < span.start_ns:
        return
    minute = Named("minute", Call("bucket", (Ref("time"), Literal(60))))
    counted = Aggregate(
        Scan(TABLE, time=span),
        (minute, Named("tls", Ref("is_tls"))),
        (Fold("n", "count"), Fold("d", "sum", Ref("response_duration"))),
    )
    both = Both(shared, data)
    both.same(counted)
    both.same(
        Sort(Fill(counted, "minute", 60, 0, 300, ("tls",), value), (SortKey("minute"), SortKey("tls"))), ordered=True
    )


@MANY
@given(rows)
def test_tags_are_the_same(shared: Store, data: Any) -> None:
    columns = ("_id", "ip_0", "pod_0", "auto_instance_0", "is_internet_0", "chost_0", "attribute", "attribute.b")
    both = Both(shared, data)
    both.same(Project(Scan(TABLE), tuple(Named(name, Ref(name)) for name in columns)))
    both.same(
        Aggregate(
            Scan(TABLE),
            (Named("who", Ref("auto_instance_0")), Named("ip", Ref("ip_0"))),
            (Fold("n", "count"), Fold("m", "max", Ref("server_port"))),
        )
    )


@pytest.mark.parametrize("fold", ["any", "last", "topk"])
def test_folds_that_may_choose(shared: Store, fold: str) -> None:
    data = [{"time": i, "response_code": i % 3, "endpoint": "ab"[i % 2], "flow_id": i} for i in range(10)]
    rows_ = pa.RecordBatch.from_pydict({k: pa.array([r[k] for r in data], TYPES.get(k)) for k in data[0]})
    shared.clear(TABLE)
    shared.write(TABLE, rows_)
    parameters = {"any": (), "last": ("time",), "topk": (2,)}[fold]
    plan = Aggregate(
        Scan(TABLE),
        (),
        (Fold("x", fold, Ref("response_code"), parameters), Fold("s", fold, Ref("endpoint"), parameters)),
    )
    row = shared.query(plan).to_pylist()[0]
    if fold == "last":
        assert row == {"x": 0, "s": "b"}
    elif fold == "any":
        assert row["x"] in (0, 1, 2)
        assert row["s"] in "ab"
    else:
        assert row["x"][0] == 0
        assert len(row["x"]) == 2
        assert set(row["s"]) == {"a", "b"}

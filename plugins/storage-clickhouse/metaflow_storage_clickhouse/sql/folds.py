"""The folds of :data:`metaflow_core.query.functions.FOLDS` as aggregate functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.model.expression import And, Arithmetic, Call, Compare, Expr, In, Literal, Ref, Value, references
from metaflow_core.query import Fold
from metaflow_storage_clickhouse.sql.expressions import condition, expression
from metaflow_storage_clickhouse.sql.quote import literal
from metaflow_storage_clickhouse.sql.typed import Typed, number, real

__all__ = ["cases", "fold", "merged", "unwrapped"]

_TOPK_CELLS = 10_000
_PASSING = frozenset({"sum", "count", "min", "max", "uniq", "uniq_exact", "quantile", "quantile_exact"})
"""Folds for which a missing value and a row that is left out are the same."""


def fold(node: Fold, columns: Mapping[str, Typed], *, grouped: bool = False) -> Typed:
    """One fold over the rows of a group.

    :param grouped: there are keys, so that no group is without rows.
    :raises UnsupportedQuery: there is no such fold.
    """
    node = unwrapped(node)
    where = None if node.where is None else condition(node.where, columns)
    test = None if where is None else (f"ifNull({where.sql}, false)" if where.nullable else where.sql)
    if node.argument is None:
        return Typed("toInt64(count())" if test is None else f"toInt64(countIf({test}))", "i64")
    if node.op == "sum" and (counted := cases(node.argument)):
        return _counted(counted, test, columns, grouped=grouped)
    value = expression(node.argument, columns)
    if value.type == "null":
        value = number(value)
    suffix, end = ("", "") if test is None else ("If", f", {test}")
    match node.op:
        case "count" if not value.nullable:
            return Typed("toInt64(count())" if test is None else f"toInt64(countIf({test}))", "i64")
        case "count":
            return Typed(f"toInt64(count{suffix}({value.sql}{end}))", "i64")
        case "uniq" | "uniq_exact":
            call = "uniq" if node.op == "uniq" else "uniqExact"
            return Typed(f"toInt64({call}{suffix}({value.sql}{end}))", "i64")
        case "sum":
            value = value if value.type == "f64" or value.family == "int" else number(value)
            type_ = "f64" if value.type == "f64" else "u64" if value.type.startswith("u") else "i64"
            if not grouped or value.nullable:
                return Typed(f"sumOrNull{suffix}({value.sql}{end})", type_, nullable=True)
            # Two plain aggregates are faster than one that remembers whether there was a row, and Avg counts these rows too.
            if test is None:
                return Typed(f"sum({value.sql})", type_)
            added = f"sum({value.sql})" if _only_zeros_left_out(node, value) else f"sumIf({value.sql}, {test})"
            return Typed(f"if(countIf({test}) > 0, {added}, NULL)", type_, nullable=True)
        case "min" | "max":
            return Typed(f"{node.op}OrNull{suffix}({value.sql}{end})", value.type, True, value.column)
        case "any":
            # The smallest is one of them, and the same one whatever order threads read the rows in.
            call = "min" if value.family != "list" else "any"
            missing = value.family != "list"
            name = f"{call}OrNull{suffix}" if missing else f"{call}{suffix}"
            return Typed(f"{name}({value.sql}{end})", value.type, missing, value.column)
        case "last":
            moment = columns[str(node.parameters[0])].sql
            name = f"argMaxOrNull{suffix}" if value.family != "list" else f"argMax{suffix}"
            return Typed(f"{name}({value.sql}, {moment}{end})", value.type, True, value.column)
        case "stddev":
            return Typed(f"stddevPopStableOrNull{suffix}({real(value).sql}{end})", "f64", nullable=True)
        case "quantile" | "quantile_exact":
            call = "quantile" if node.op == "quantile" else "quantileExactInclusive"
            level = min(1.0, max(0.0, _number(node)))
            if value.family == "int" and not value.nullable and grouped:
                # Neither made real first nor remembering whether there was a row: three quarters of the CPU.
                if test is None:
                    return Typed(f"{call}({level!r})({value.sql})", "f64")
                return Typed(f"if(countIf({test}) > 0, {call}If({level!r})({value.sql}, {test}), NULL)", "f64", True)
            # Reals that are no numbers are no measurements.
            tests = [] if test is None else [test]
            if value.type == "f64":
                some = f"not(isNaN({value.sql}))"
                tests.append(f"ifNull({some}, false)" if value.nullable else some)
            if not tests:
                return Typed(f"{call}OrNull({level!r})({real(value).sql})", "f64", nullable=True)
            both = tests[0] if len(tests) == 1 else f"and({', '.join(tests)})"
            return Typed(f"{call}OrNullIf({level!r})({real(value).sql}, {both})", "f64", nullable=True)
        case "topk":
            count = max(1, int(_number(node)))
            cells = max(2, _TOPK_CELLS // count)
            list_type = {"f64": "list_f64", "u32": "list_u32", "i64": "list_i64"}.get(value.type, "list")
            list_type = "list_string" if value.family == "text" else list_type
            return Typed(f"topK{suffix}({count}, {cells})({value.sql}{end})", list_type)
        case "histogram":
            return _histogram(real(value), test, max(1, int(_number(node))))
    raise UnsupportedQuery(f"there is no fold {node.op!r}")


def unwrapped(node: Fold) -> Fold:
    """``sum(if(test, x, missing))`` is the sum of x over the rows of the test, which costs two thirds of it."""
    match node.argument:
        case Call("if", (test, value, Literal(None))) if node.op in _PASSING:
            return replace(node, argument=value, where=test if node.where is None else And((node.where, test)))
    return node


def cases(argument: Expr) -> tuple[Expr, ...]:
    """The tests of ``if(a, 1, 0) + if(b, 1, 0) + ...``; none for anything else."""
    match argument:
        case Call("if", (test, Literal(one), Literal(zero))) if _is(one, 1) and _is(zero, 0):
            return (test,)
        case Arithmetic("+", left, right):
            first, second = cases(left), cases(right)
            return (*first, *second) if first and second else ()
    return ()


def _is(value: object, number: int) -> bool:
    return type(value) is int and value == number


def _only_zeros_left_out(node: Fold, value: Typed) -> bool:
    """The test is ``x > 0`` of the x that is summed, which is never negative: the sum is the same without it."""
    match node.where:
        case Compare(">", left, Literal(zero)) if left == node.argument and _is(zero, 0):
            return value.type.startswith("u")
    return False


def merged(tests: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """``x = 3`` beside ``x = 4`` is ``x IN (3, 4)``: at most one of them is true of a row."""
    together: dict[str, dict[Value, Literal]] = {}
    for case in tests:
        match case:
            case Compare("=", Ref(name), Literal(int() as value) as constant) if value not in together.get(name, {}):
                together.setdefault(name, {})[value] = constant
            case _:
                return tests
    return tuple(In(Ref(name), tuple(items.values())) for name, items in together.items())


def _counted(tests: tuple[Expr, ...], test: str | None, columns: Mapping[str, Typed], *, grouped: bool) -> Typed:
    """A sum of ones and zeros by counting; of no rows at all it is missing, as every sum."""
    counts = []
    for case in merged(tests):
        if isinstance(case, In):
            # A missing value is in no list, and what is missing is not counted.
            found = condition(case, {name: replace(columns[name], nullable=False) for name in references(case)})
            found = replace(found, nullable=any(columns[name].nullable for name in references(case)))
        else:
            found = condition(case, columns)
        # countIf passes over a missing test, and asking for it costs more than the test; not so beside another one.
        sql = f"ifNull({found.sql}, false)" if found.nullable and test is not None else found.sql
        counts.append(f"countIf({sql})" if test is None else f"countIf(and({test}, {sql}))")
    if grouped and test is None:
        return Typed(f"toInt64({' + '.join(counts)})", "i64")
    rows = "count()" if test is None else f"countIf({test})"
    return Typed(f"if({rows} > 0, toInt64({' + '.join(counts)}), NULL)", "i64", nullable=True)


def _number(node: Fold) -> float:
    parameter = node.parameters[0]
    assert isinstance(parameter, int | float)
    return parameter


def _histogram(value: Typed, test: str | None, buckets: int) -> Typed:
    """Equal widths from the smallest to the greatest; ClickHouse's own adapts its widths."""
    finite = f"ifNull(isFinite({value.sql}), false)"
    both = finite if test is None else f"and({test}, {finite})"
    held = f"groupArrayIf(assumeNotNull({value.sql}), {both})"
    # All values alike lie in the middle of a range of width 1.
    index = f"least({buckets - 1}, toInt64(floor(if(hi > lo, (v - lo) / (hi - lo), 0.5) * {literal(float(buckets))})))"
    counts = (
        f"arrayMap((vs, lo, hi) -> arrayMap(i -> toInt64(arrayCount(v -> {index} = i, vs)), range({buckets})), "
        f"[{held}], [arrayMin({held})], [arrayMax({held})])[1]"
    )
    # An empty list stands for a missing one, which ClickHouse does not have.
    return Typed(f"if(empty({held}), [], {counts})", "list_i64", nullable=True)

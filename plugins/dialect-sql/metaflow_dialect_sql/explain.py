"""A plan as text that a person reads: one node a line, inputs below and further in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

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
    Grid,
    Limit,
    Measure,
    Named,
    Plan,
    Project,
    Resolve,
    Scan,
    SemiJoin,
    Sort,
    TimeRange,
    inputs,
)

__all__ = ["expression_text", "plan_lines"]


def plan_lines(plan: Plan, depth: int = 0) -> Iterator[str]:
    """The lines of a plan."""
    yield "  " * depth + _node(plan)
    for each in inputs(plan):
        yield from plan_lines(each, depth + 1)


def _node(plan: Plan) -> str:
    match plan:
        case Scan(table, columns, time):
            read = f": {', '.join(columns)}" if columns else ""
            return f"Scan {table}{_range(time)}{read}"
        case Filter(_, predicate):
            return f"Filter {expression_text(predicate)}"
        case Project(_, columns):
            return f"Project {_named(columns)}"
        case Aggregate(_, keys, measures):
            by = f" by {_named(keys)}" if keys else ""
            return f"Aggregate {', '.join(map(_measure, measures)) or 'nothing'}{by}"
        case Resolve(_, outputs):
            names = (f"{each.name} from {', '.join(each.tag.key)}" for each in outputs)
            return f"Resolve {'; '.join(names)}"
        case Combine(_, keys):
            return f"Combine on {', '.join(keys) or 'nothing'}"
        case SemiJoin(_, keys):
            return f"SemiJoin on {', '.join(keys)}"
        case Sort(_, sorts):
            return f"Sort {', '.join(key.name + (' descending' if key.descending else '') for key in sorts)}"
        case Limit(_, count, offset):
            return f"Limit {count}" + (f" after {offset}" if offset else "")
        case Fill(_, bucket, step, start, end, keys, value):
            by = f" for each {', '.join(keys)}" if keys else ""
            return f"Fill {bucket} every {step} s from {_moment(start)} to {_moment(end)} with {'nothing' if value is None else value}{by}"
        case Grid(_, series, _, value, function):
            return f"Grid {function}({value}) for each {', '.join(series)}"


def _range(time: TimeRange | None) -> str:
    if time is None:
        return ""
    return f" from {_moment(time.start_ns / 1e9)} to {_moment(time.end_ns / 1e9)}"


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g} s"


def _named(columns: tuple[Named, ...]) -> str:
    parts = []
    for each in columns:
        text = expression_text(each.expression)
        parts.append(text if text == each.name else f"{text} as {each.name}")
    return ", ".join(parts)


def _measure(measure: Measure | Fold) -> str:
    if isinstance(measure, Measure):
        return f"{measure.function}({', '.join(map(expression_text, measure.arguments))}) as {measure.name}"
    inner = [] if measure.argument is None else [expression_text(measure.argument)]
    where = f" where {expression_text(measure.where)}" if measure.where is not None else ""
    return f"{measure.op}({', '.join([*inner, *map(str, measure.parameters)])}){where} as {measure.name}"


def expression_text(node: Expr) -> str:
    """An expression as it could be written."""
    match node:
        case Ref(name):
            return name
        case Literal(value):
            return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
        case Negate(operand):
            return f"-{_inner(operand)}"
        case Arithmetic(op, left, right) | Compare(op, left, right):
            return f"{_inner(left)} {op} {_inner(right)}"
        case In(operand, items):
            return f"{_inner(operand)} in ({', '.join(expression_text(item) for item in items)})"
        case Like(operand, pattern):
            return f"{_inner(operand)} like {pattern!r}"
        case Regexp(operand, pattern):
            return f"{_inner(operand)} regexp {pattern!r}"
        case Cidr(operand, networks):
            return f"{_inner(operand)} in {', '.join(networks)}"
        case IsNull(operand):
            return f"{_inner(operand)} is null"
        case And(items):
            return " and ".join(_inner(item) for item in items)
        case Or(items):
            return " or ".join(_inner(item) for item in items)
        case Not(operand):
            return f"not {_inner(operand)}"
        case Call(name, arguments):
            return f"{name}({', '.join(map(expression_text, arguments))})"


def _inner(node: Expr) -> str:
    text = expression_text(node)
    return text if isinstance(node, Ref | Literal | Call) else f"({text})"

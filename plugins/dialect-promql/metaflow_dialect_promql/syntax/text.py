"""Trees as text, and as the JSON of ``parse_query``."""

from __future__ import annotations

from typing import Any

from metaflow_dialect_promql.labels import LABEL_NAME
from metaflow_dialect_promql.numbers import go_float
from metaflow_dialect_promql.syntax.nodes import (
    Aggregation,
    At,
    Binary,
    Call,
    Matcher,
    MatrixSelector,
    Negation,
    Node,
    Number,
    Parens,
    Selector,
    String,
    Subquery,
)

__all__ = ["as_json", "format_query"]

_UNITS = (
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
)
_WIDTH = 100


def _duration(ms: int) -> str:
    """``1h30m``; years and weeks only where nothing is left over, as Prometheus writes it."""
    if ms == 0:
        return "0s"
    out = ""
    for unit, size in _UNITS:
        if unit in ("y", "w") and ms % size:
            continue
        count, ms = divmod(ms, size)
        out += f"{count}{unit}" if count else ""
    return out


def quoted(text: str) -> str:
    """A text between double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _name(name: str) -> str:
    return name if LABEL_NAME.match(name) else quoted(name)


def _names(names: tuple[str, ...]) -> str:
    return f"({', '.join(_name(each) for each in names)})"


def _suffix(offset_ms: int, at: At) -> str:
    out = ""
    if at is not None:
        out += f" @ {at}()" if isinstance(at, str) else f" @ {at / 1000:.3f}"
    if offset_ms:
        out += f" offset {'-' if offset_ms < 0 else ''}{_duration(abs(offset_ms))}"
    return out


def _matchers(node: Selector) -> str:
    sets = []
    for matchers in node.alternatives:
        own = [m for m in matchers if not (node.name and m == Matcher("__name__", "=", node.name))]
        sets.append(",".join(f"{_name(m.name)}{m.op}{quoted(m.value)}" for m in own))
    body = " or ".join(sets)
    return f"{{{body}}}" if body or not node.name else ""


def _modifier(node: Binary) -> str:
    out = " bool" if node.returns_bool else ""
    if node.on or node.labels:
        out += f" {'on' if node.on else 'ignoring'} {_names(node.labels)}"
    if node.card in ("many-to-one", "one-to-many"):
        out += f" group_{'left' if node.card == 'many-to-one' else 'right'} {_names(node.include)}"
    return out


def format_query(node: Node, level: int = 0) -> str:
    """The expression in the layout of Prometheus: on one line where it fits, else indented by two spaces a level."""
    pad = "  " * level
    line = _line(node)
    if len(pad) + len(line) <= _WIDTH:
        return pad + line
    match node:
        case Parens(expr):
            return f"{pad}(\n{format_query(expr, level + 1)}\n{pad})"
        case Negation(expr):
            return f"{pad}-{format_query(expr, level).lstrip()}"
        case Call(name, args):
            inner = ",\n".join(format_query(arg, level + 1) for arg in args)
            return f"{pad}{name}(\n{inner}\n{pad})"
        case Aggregation(op, expr, param):
            parts = ([param] if param is not None else []) + [expr]
            inner = ",\n".join(format_query(part, level + 1) for part in parts)
            return f"{pad}{op}{_grouping(node)}(\n{inner}\n{pad})"
        case Binary(op, left, right):
            return f"{format_query(left, level + 1)}\n{pad}{op}{_modifier(node)}\n{format_query(right, level + 1)}"
        case Subquery(expr):
            return f"{format_query(expr, level)}{_line(node).removeprefix(_line(expr))}"
        case _:
            return pad + line


def _grouping(node: Aggregation) -> str:
    if node.without:
        return f" without {_names(node.labels)} "
    return f" by {_names(node.labels)} " if node.labels else ""


def _line(node: Node) -> str:
    match node:
        case Number(value):
            return go_float(value)
        case String(value):
            return quoted(value)
        case Selector(name):
            return f"{name}{_matchers(node)}{_suffix(node.offset_ms, node.at)}"
        case MatrixSelector(selector, range_ms):
            bare = f"{selector.name}{_matchers(selector)}"
            return f"{bare}[{_duration(range_ms)}]{_suffix(selector.offset_ms, selector.at)}"
        case Subquery(expr, range_ms, step_ms):
            step = "" if step_ms is None else _duration(step_ms)
            return f"{_line(expr)}[{_duration(range_ms)}:{step}]{_suffix(node.offset_ms, node.at)}"
        case Call(name, args):
            return f"{name}({', '.join(_line(arg) for arg in args)})"
        case Aggregation(op, expr, param):
            parts = ([_line(param)] if param is not None else []) + [_line(expr)]
            return f"{op}{_grouping(node)}({', '.join(parts)})"
        case Binary(op, left, right):
            return f"{_line(left)} {op}{_modifier(node)} {_line(right)}"
        case Negation(expr):
            return f"-{_line(expr)}"
        case Parens(expr):
            return f"({_line(expr)})"


def _selector_json(node: Selector) -> dict[str, Any]:
    matchers = [{"name": m.name, "value": m.value, "type": m.op} for each in node.alternatives for m in each]
    return {"name": node.name, "matchers": matchers, **_moved(node.offset_ms, node.at)}


def _moved(offset_ms: int, at: At) -> dict[str, Any]:
    return {
        "offset": offset_ms,
        "timestamp": at if isinstance(at, int) else None,
        "startOrEnd": at if isinstance(at, str) else None,
    }


def as_json(node: Node) -> dict[str, Any]:
    """The tree in the shape of Prometheus' ``/api/v1/parse_query``."""
    match node:
        case Number(value):
            return {"type": "numberLiteral", "val": go_float(value)}
        case String(value):
            return {"type": "stringLiteral", "val": value}
        case Selector():
            return {"type": "vectorSelector", **_selector_json(node)}
        case MatrixSelector(selector, range_ms):
            return {"type": "matrixSelector", "range": range_ms, **_selector_json(selector)}
        case Subquery(expr, range_ms, step_ms):
            moved = _moved(node.offset_ms, node.at)
            return {"type": "subquery", "expr": as_json(expr), "range": range_ms, "step": step_ms or 0, **moved}
        case Call(name, args):
            return {"type": "call", "func": {"name": name}, "args": [as_json(arg) for arg in args]}
        case Aggregation(op, expr, param, labels, without):
            return {
                "type": "aggregation",
                "op": op,
                "expr": as_json(expr),
                "param": None if param is None else as_json(param),
                "grouping": list(labels),
                "without": without,
            }
        case Binary(op, left, right):
            matching = {"card": node.card, "labels": list(node.labels), "on": node.on, "include": list(node.include)}
            return {
                "type": "binaryExpr",
                "op": op,
                "lhs": as_json(left),
                "rhs": as_json(right),
                "matching": matching,
                "bool": node.returns_bool,
            }
        case Negation(expr):
            return {"type": "unaryExpr", "op": "-", "expr": as_json(expr)}
        case Parens(expr):
            return {"type": "parenExpr", "expr": as_json(expr)}

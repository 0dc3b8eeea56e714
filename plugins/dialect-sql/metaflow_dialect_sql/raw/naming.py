"""What names and texts within a parsed question stand for: common table expressions, tables within IN, dictionaries, types."""

from __future__ import annotations

import re

from sqlglot import exp

from metaflow_core.errors import QuerySyntaxError
from metaflow_dialect_sql.statements import at

__all__ = ["called", "check_call", "is_expression", "is_looked_at", "lone", "named_by_in"]

_TYPED = frozenset(
    ["cast", "_cast", "accuratecast", "accuratecastornull", "accuratecastordefault", "reinterpret", "jsonextract"]
)  # fmt: skip
"""Functions whose last argument may be a type as a text."""
_PAIRWISE = frozenset(["hasall", "hasany", "hassubstr"])
"""Functions that compare every element of one list with every element of another, and cannot be stopped meanwhile."""
_MOST_PAIRED = 1000
_STATES = re.compile(r"(?<!simple)aggregatefunction", re.IGNORECASE)
_DICTIONARY = re.compile(r"flow_tag\.[A-Za-z0-9_]+\Z")


def is_expression(node: exp.Expr, name: str) -> bool:
    """Whether a bare name is a common table expression that can be seen from where it stands.

    Within an expression its own name means a table outside (ClickHouse's rule), unless it is recursive.
    """
    below: exp.Expr = node
    up = node.parent
    while up is not None:
        if isinstance(up, exp.With):
            for each in up.expressions:
                if each is below:
                    if up.args.get("recursive") and each.alias == name:
                        return True
                    break
                if _is_query(each, name):
                    return True
            if up.parent is None:
                return False
            below, up = up.parent, up.parent.parent
            continue
        known = up.args.get("with_") or up.args.get("with")
        if known is not None and known is not below and any(_is_query(each, name) for each in known.expressions):
            return True
        below, up = up, up.parent
    return False


def _is_query(each: exp.Expr, name: str) -> bool:
    """A question under a name; ``WITH 1 AS x`` names a value and no table."""
    inner = each.this
    while isinstance(inner, exp.Subquery | exp.Paren):
        inner = inner.this
    return each.alias == name and isinstance(inner, exp.Select | exp.SetOperation) and not each.args.get("scalar")


def named_by_in(node: exp.In) -> str:
    """The table of ``x IN name``; empty where something else follows."""
    field = node.args.get("field")
    if field is None or not isinstance(field, exp.Column):
        return ""
    return ".".join(part.name for part in field.parts)


def lone(node: exp.In) -> exp.Expr | None:
    """What stands alone in the parentheses of ``IN (...)``."""
    listed = node.expressions
    if len(listed) != 1:
        return None
    inner = listed[0]
    while isinstance(inner, exp.Paren):
        inner = inner.this
    return inner if isinstance(inner, exp.Expr) else None


def called(node: exp.Expr) -> str:
    """The name of the function that is called, in small letters."""
    if isinstance(node, exp.Anonymous):
        return str(node.this).lower()
    if isinstance(node, exp.Values):
        return "values"
    return type(node).sql_name().lower().replace("_", "") if isinstance(node, exp.Func) else ""


def is_looked_at(name: str) -> bool:
    """Whether :func:`check_call` looks at what a function is given."""
    low = name.lower()
    return low.startswith("dict") or low in _TYPED or low in _PAIRWISE


def check_call(node: exp.Expr) -> None:
    """Functions that get more than values: a type by name, a dictionary by name.

    :raises QuerySyntaxError: a type that is read from bytes of its own making (states of aggregates), or a dictionary of others.
    """
    if isinstance(node, exp.DataType) and _STATES.search(node.sql("clickhouse")):
        raise QuerySyntaxError("states of aggregates are not read from texts", at(node))
    if not isinstance(node, exp.Func):
        return
    name = called(node)
    if name.startswith("dictget") or name == "dicthas":
        first = node.expressions[0] if node.expressions else node.this
        if not (isinstance(first, exp.Literal) and first.is_string and _DICTIONARY.match(first.name)):
            raise QuerySyntaxError("dictionaries are named by a text: 'flow_tag.NAME'", at(node))
    elif name in _PAIRWISE:
        _check_pairs(node)
    elif name in _TYPED or isinstance(node, exp.Cast | exp.CastToStrType):
        _check_types(node)


def _check_pairs(node: exp.Func) -> None:
    """One of the lists is written out, and short: two of a million elements each would take minutes, whatever the limit of time is."""
    given = [each for each in (node.this, *node.expressions) if isinstance(each, exp.Expr)]
    if not any(_is_short(each) for each in given):
        raise QuerySyntaxError(
            f"{node.name or type(node).__name__} is taken with a list of at most {_MOST_PAIRED} constants, as in hasAny(x, ['a', 'b']); "
            "for two lists that are computed ask notEmpty(arrayIntersect(x, y)), or length(arrayIntersect(x, y))",
            at(node),
        )


def _is_short(node: exp.Expr) -> bool:
    if isinstance(node, exp.Cast | exp.CastToStrType) and isinstance(node.this, exp.Literal):
        # A parameter: {name:Array(String)} has become a text by now.
        return node.this.name.count(",") < _MOST_PAIRED
    return (
        isinstance(node, exp.Array)
        and len(node.expressions) <= _MOST_PAIRED
        and all(isinstance(each, exp.Literal | exp.Boolean | exp.Null | exp.Neg) for each in node.expressions)
    )


def _check_types(node: exp.Func) -> None:
    last: object
    if isinstance(node, exp.CastToStrType):
        last = node.args.get("to")
    elif isinstance(node, exp.Cast):
        kind = node.args.get("to")
        # What is no type that the parser knows is a text, or computed.
        last = kind if not isinstance(kind, exp.DataType) else None
    else:
        given = [each for each in (node.this, *node.expressions) if isinstance(each, exp.Expr)]
        last = given[-1] if len(given) > 1 else None
    if last is None:
        return
    if not (isinstance(last, exp.Literal) and last.is_string):
        raise QuerySyntaxError("a type is named by a text, not computed", at(node))
    if _STATES.search(last.name):
        raise QuerySyntaxError("states of aggregates are not read from texts", at(node))

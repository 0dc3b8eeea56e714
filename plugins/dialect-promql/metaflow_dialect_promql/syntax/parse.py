"""Text to nodes, by the promql-parser library, with Prometheus' names for what is wrong."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import promql_parser as pp

from metaflow_core.errors import QuerySyntaxError
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

__all__ = ["MAX_TEXT", "parse", "parse_selector"]

MAX_TEXT = 64 << 10
"""Characters of an expression; more is refused before the parser sees it."""

_MAX_DEPTH = 200
_FAR_S = 1 << 37
# The parser's library ends a thread when it is asked for a time before 1970; such times are told as times after the year 6325.
_EARLY = re.compile(r"@\s*-\s*(0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
# Prometheus 2's name of a function that 3 renamed.
_OLD_NAME = re.compile(r"\bholt_winters(?=\s*\()")
_LITERALS = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|#[^\n]*')


def parse(text: str) -> Node:
    """The tree of an expression.

    :raises QuerySyntaxError: it is not well-formed; begins with ``parse error:`` as Prometheus' own do.
    """
    if not text.strip():
        raise QuerySyntaxError("parse error: no expression found in input")
    if len(text) > MAX_TEXT:
        raise QuerySyntaxError(
            f"parse error: the expression has {len(text)} characters, at most {MAX_TEXT} are allowed"
        )
    _check_depth(text)
    try:
        return _node(pp.parse(_modern(text)))
    except ValueError as error:
        raise QuerySyntaxError(f"parse error: {error}", _column(text, str(error))) from None
    except BaseException as error:
        # A panic of the parser is no Exception: it would end whatever serves the question.
        if type(error).__name__ != "PanicException":
            raise
        raise QuerySyntaxError("parse error: the expression cannot be read") from None


def parse_selector(text: str) -> Selector:
    """An instant selector such as the API's ``match[]``.

    :raises QuerySyntaxError: it is not well-formed, or another kind of expression.
    """
    node = parse(text)
    if not isinstance(node, Selector):
        raise QuerySyntaxError(f"parse error: expected a series selector, found {text!r}")
    return node


def _modern(text: str) -> str:
    """The text as the parser takes it.

    ``holt_winters(`` has its present name, raw texts between back quotes are quoted, because the parser reads escapes in them, and times
    before 1970 are moved.
    """
    if "holt_winters" not in text and "`" not in text and "@" not in text:
        return text
    parts: list[str] = []
    at = 0
    for literal in _LITERALS.finditer(text):
        parts.append(_words(text[at : literal.start()]))
        parts.append(_quoted(literal.group()))
        at = literal.end()
    return "".join([*parts, _words(text[at:])])


def _words(text: str) -> str:
    return _EARLY.sub(_later, _OLD_NAME.sub("double_exponential_smoothing", text))


def _later(found: re.Match[str]) -> str:
    number = found.group(1)
    seconds = float(int(number, 16)) if number[:2] in ("0x", "0X") else float(number)
    return f"@ {_FAR_S + seconds:.3f}" if seconds < _FAR_S / 2 else found.group()


def _quoted(literal: str) -> str:
    if not literal.startswith("`"):
        return literal
    return '"' + literal[1:-1].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _check_depth(text: str) -> None:
    """The parser and the evaluator descend once a bracket or sign; without a bound a hostile text ends the process."""
    depth = run = 0
    for character in _LITERALS.sub("", text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        run = run + 1 if character in "+-" else 0 if not character.isspace() else run
        if depth > _MAX_DEPTH or run > _MAX_DEPTH:
            raise QuerySyntaxError(f"parse error: more than {_MAX_DEPTH} levels of nesting")
    if len(re.findall(r"[-+*/%^<>=]|\b(?:and|or|unless|atan2)\b", _LITERALS.sub("", text))) > 20 * _MAX_DEPTH:
        raise QuerySyntaxError(f"parse error: more than {20 * _MAX_DEPTH} operators")


def _column(text: str, message: str) -> int | None:
    """Where the mistake is, as far as the message names something that stands in the text once."""
    if "unexpected end" in message or "unclosed" in message or "no expression" in message:
        return len(text)
    named = re.search(r"'([^']+)'|for (.+)$", message)
    if named is not None:
        word = next(group for group in named.groups() if group)
        if text.count(word) == 1:
            return text.index(word) + 1
    return None


def _ms(value: dt.timedelta | None) -> int:
    return 0 if value is None else value // dt.timedelta(milliseconds=1)


def _at(modifier: Any) -> At:
    if modifier is None:
        return None
    if modifier.type == pp.AtModifierType.Start:
        return "start"
    if modifier.type == pp.AtModifierType.End:
        return "end"
    try:
        moment = int((modifier.at - dt.datetime.fromtimestamp(0, dt.UTC)) // dt.timedelta(milliseconds=1))
    except OverflowError:
        raise QuerySyntaxError("parse error: the time behind @ is after the year 9999") from None
    return moment if moment < _FAR_S * 1000 else _FAR_S * 1000 - moment


_OPS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def _matchers(found: Any) -> tuple[Matcher, ...]:
    return tuple(Matcher(each.name, _OPS[str(each.op).rpartition(".")[2]], each.value) for each in found)


def _selector(node: Any) -> Selector:
    own = (Matcher("__name__", "=", node.name),) if node.name else ()
    sets = [_matchers(found) for found in node.matchers.or_matchers] or [_matchers(node.matchers.matchers)]
    return Selector(node.name or "", tuple(own + each for each in sets), _ms(node.offset), _at(node.at))


def _modifier(node: Any) -> dict[str, Any]:
    if node is None:
        return {}
    card = str(node.card).rpartition(".")[2]
    names = {
        "OneToOne": "one-to-one",
        "ManyToOne": "many-to-one",
        "OneToMany": "one-to-many",
        "ManyToMany": "many-to-many",
    }
    matching = node.matching
    fill = node.fill_values
    return {
        "returns_bool": bool(node.return_bool),
        "card": names.get(card.split("(")[0], "one-to-one"),
        "on": matching is not None and str(matching.type).endswith("Include"),
        "labels": tuple(matching.labels) if matching is not None else (),
        "include": tuple(node.group_labels or ()),
        "fill": (fill.lhs, fill.rhs) if fill is not None else (None, None),
    }


def _node(tree: Any) -> Node:
    match type(tree).__name__:
        case "NumberLiteral":
            return Number(float(tree.val))
        case "StringLiteral":
            return String(tree.val)
        case "VectorSelector":
            return _selector(tree)
        case "MatrixSelector":
            return MatrixSelector(_selector(tree.vector_selector), _ms(tree.range))
        case "SubqueryExpr":
            step = _ms(tree.step) if tree.step is not None else None
            return Subquery(_node(tree.expr), _ms(tree.range), step, _ms(tree.offset), _at(tree.at))
        case "Call":
            return Call(tree.func.name, tuple(_node(arg) for arg in tree.args))
        case "AggregateExpr":
            modifier = tree.modifier
            without = modifier is not None and str(modifier.type).endswith("Without")
            labels = tuple(modifier.labels) if modifier is not None else ()
            param = _node(tree.param) if tree.param is not None else None
            return Aggregation(str(tree.op), _node(tree.expr), param, labels, without)
        case "BinaryExpr":
            return Binary(str(tree.op), _node(tree.lhs), _node(tree.rhs), **_modifier(tree.modifier))
        case "UnaryExpr":
            return Negation(_node(tree.expr))
        case "ParenExpr":
            return Parens(_node(tree.expr))
        case other:
            raise QuerySyntaxError(f"parse error: {other} is not supported here")

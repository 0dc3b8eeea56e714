"""Matchers as predicates of a plan, and on label sets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from metaflow_core.model.expression import And, Compare, Expr, Literal, Not, Or, Ref, Regexp
from metaflow_dialect_promql.functions.labelling import matches
from metaflow_dialect_promql.labels import Labels
from metaflow_dialect_promql.syntax.nodes import Matcher

__all__ = ["conjunction", "matching_values", "pushed", "selects"]


def matching_values(values: Sequence[str], matcher: Matcher) -> list[bool]:
    """Which values of a label pass a test; a label that is not there counts as empty.

    :raises QueryError: its regular expression is wrong.
    """
    if matcher.op in ("=", "!="):
        return [(value == matcher.value) == (matcher.op == "=") for value in values]
    found = matches(values, matcher.value)
    return found if matcher.op == "=~" else [not each for each in found]


def selects(labels: Sequence[Labels], alternatives: Sequence[Sequence[Matcher]]) -> list[bool]:
    """Which label sets satisfy all matchers of one alternative."""
    sets = [dict(each) for each in labels]
    chosen = [False] * len(sets)
    for matchers in alternatives:
        passing = [True] * len(sets)
        for matcher in matchers:
            values = [each.get(matcher.name, "") for each in sets]
            unique = list(dict.fromkeys(values))
            verdict = dict(zip(unique, matching_values(unique, matcher), strict=True))
            passing = [there and verdict[value] for there, value in zip(passing, values, strict=True)]
        chosen = [old or new for old, new in zip(chosen, passing, strict=True)]
    return chosen


def conjunction(items: Sequence[Expr]) -> Expr | None:
    """All of the predicates; None for none."""
    return items[0] if len(items) == 1 else And(tuple(items)) if items else None


def pushed(matchers: Sequence[Matcher], operand: Callable[[str], Expr | None]) -> list[Expr]:
    """The matchers that a storage can test, as predicates; the others are tested on the label sets afterwards.

    :param operand: the text that holds a label (empty where it is absent); None where it cannot be had.
    """
    found: list[Expr] = []
    for matcher in matchers:
        side = operand(matcher.name)
        if side is None:
            continue
        if matcher.op in ("=", "!="):
            found.append(Compare(matcher.op, side, Literal(matcher.value)))
            continue
        choices = _choices(matcher.value)
        test: Expr | None
        if choices is not None:
            test = (
                Or(tuple(Compare("=", side, Literal(each)) for each in choices))
                if len(choices) > 1
                else Compare("=", side, Literal(choices[0]))
            )
        else:
            test = _regexp(side, matcher.value)
        if test is not None:
            found.append(test if matcher.op == "=~" else Not(test))
    return found


_PLAIN = re.compile(r"[\w\-./: ]*\Z")


def _choices(pattern: str) -> list[str] | None:
    """``a|b|c`` as its words: comparing is faster than matching. None for any other pattern."""
    words = pattern.split("|")
    return words if all(_PLAIN.match(word) and "." not in word for word in words) and len(words) <= 100 else None


def _regexp(side: Expr, pattern: str) -> Expr | None:
    # Storages check patterns with Python's engine first; what only RE2 reads is tested here later.
    text = f"^(?s:{pattern})$"
    try:
        re.compile(text)
    except re.error:
        return None
    if not isinstance(side, Ref):
        return None
    return Regexp(side, text)

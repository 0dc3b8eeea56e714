"""Comparisons as people write them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Comparison", "read_comparison"]

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "==": operator.eq, "=": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_FORM = re.compile(r"\s*(<=|>=|!=|==|=|<|>)\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*\Z")


@dataclass(frozen=True, slots=True)
class Comparison:
    """An operator and a number."""

    text: str
    holds: Callable[[float], bool]


def read_comparison(text: str) -> Comparison:
    """``<= 5`` and the like.

    :raises ValueError: it is none.
    """
    found = _FORM.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no comparison such as <= 5, = 0, != 1 or > 2.5")
    compare, number = _OPERATORS[found[1]], float(found[2])
    return Comparison(f"{found[1]} {found[2]}", lambda value: compare(value, number))

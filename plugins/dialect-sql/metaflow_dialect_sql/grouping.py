"""Expressions above a grouping: over the names of keys and measures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

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

__all__ = ["over_keys"]


def over_keys(
    node: Expr, keys: Mapping[Expr, str], measures: Collection[str], missing: Callable[[Ref], Exception]
) -> Expr:
    """The expression with every key replaced by its name, the largest first: ``bucket(time, 60)`` before ``time``.

    :param missing: makes the error for a name that is neither a key nor a measure.
    """

    def over(each: Expr) -> Expr:
        name = keys.get(each)
        if name is not None and not isinstance(each, Literal):
            return Ref(name, each.at if isinstance(each, Ref | Call) else None)
        match each:
            case Ref(found):
                if found in measures or found in keys.values():
                    return each
                raise missing(each)
            case Literal():
                return each
            case Negate() | Not() | IsNull() | Like() | Regexp() | Cidr() | In():
                return replace(each, operand=over(each.operand))
            case Arithmetic() | Compare():
                return replace(each, left=over(each.left), right=over(each.right))
            case And() | Or():
                return replace(each, items=tuple(over(item) for item in each.items))
            case Call():
                return replace(each, arguments=tuple(over(argument) for argument in each.arguments))

    return over(node)

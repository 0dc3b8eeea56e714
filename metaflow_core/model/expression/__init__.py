"""Expressions over the columns of one row: nodes, and a reader of their text."""

from __future__ import annotations

from metaflow_core.model.expression.nodes import (
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
    Value,
    children,
    references,
    rewrite,
    walk,
)
from metaflow_core.model.expression.parser import parse_expression

__all__ = [
    "And",
    "Arithmetic",
    "Call",
    "Cidr",
    "Compare",
    "Expr",
    "In",
    "IsNull",
    "Like",
    "Literal",
    "Negate",
    "Not",
    "Or",
    "Ref",
    "Regexp",
    "Value",
    "children",
    "parse_expression",
    "references",
    "rewrite",
    "walk",
]

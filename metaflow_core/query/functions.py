"""The row functions and folds that every storage implements, with what they take and give."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["FOLDS", "ROW_FUNCTIONS", "FoldOp", "RowFunction"]


@dataclass(frozen=True, slots=True)
class RowFunction:
    """A function of one row.

    :ivar arguments: families of its arguments: ``number``, ``text``, ``bool``, ``time``, ``list``, ``address``, ``any``, or
        ``integer`` for a constant. An ending ``?`` may be left out, an ending ``*`` repeats.
    :ivar result: family of the result; ``same`` is that of the last argument whose family is ``any`` or ``number``.
    """

    name: str
    arguments: tuple[str, ...]
    result: str
    description: str


@dataclass(frozen=True, slots=True)
class FoldOp:
    """An aggregate operation.

    :ivar merge: the operation that merges partial results into the same result; empty when partial results are not enough.
    """

    name: str
    parameters: int
    result: str
    merge: str
    description: str


def _by_name(*functions: RowFunction) -> MappingProxyType[str, RowFunction]:
    return MappingProxyType({function.name: function for function in functions})


ROW_FUNCTIONS = _by_name(
    RowFunction("if", ("bool", "any", "any"), "same", "the second when the first is true, else the third"),
    RowFunction("coalesce", ("any*",), "same", "the first that is not missing"),
    RowFunction("abs", ("number",), "same", "without its sign"),
    RowFunction("floor", ("number",), "float", "the greatest whole number that is not greater"),
    RowFunction("ceil", ("number",), "float", "the smallest whole number that is not smaller"),
    RowFunction("round", ("number", "integer?"), "float", "rounded to so many digits, halves away from zero"),
    RowFunction("sqrt", ("number",), "float", "square root; missing of a negative number"),
    RowFunction("least", ("number*",), "same", "the smallest"),
    RowFunction("greatest", ("number*",), "same", "the greatest"),
    RowFunction("lower", ("text",), "text", "in lower case"),
    RowFunction("upper", ("text",), "text", "in upper case"),
    RowFunction("length", ("text",), "int", "number of characters"),
    RowFunction("concat", ("text*",), "text", "one after the other"),
    RowFunction("to_text", ("any",), "text", "as text; addresses and times as people write them"),
    RowFunction(
        "bucket",
        ("time", "integer", "integer?"),
        "time",
        "start of the interval of so many seconds, shifted by so many",
    ),
    RowFunction("unix", ("time",), "float", "seconds since 1970"),
    RowFunction("mask", ("address", "integer"), "text", "the network of so many bits that an address lies in, as text"),
    RowFunction("has", ("list", "any"), "bool", "the list holds the value"),
    RowFunction(
        "map_at",
        ("list", "list", "text"),
        "any",
        "the value in the second list beside the key in the first; missing if none",
    ),
    RowFunction("map_text", ("list", "list"), "text", "both lists as one JSON object"),
)
"""Row functions by name; read-only."""


FOLDS = MappingProxyType(
    {
        op.name: op
        for op in (
            FoldOp("count", 0, "int", "sum", "number of rows, or of values that are not missing"),
            FoldOp("sum", 0, "same", "sum", "sum"),
            FoldOp("min", 0, "same", "min", "smallest"),
            FoldOp("max", 0, "same", "max", "greatest"),
            FoldOp("any", 0, "same", "any", "one of the values; the same one whenever the rows come in the same order"),
            FoldOp(
                "last",
                0,
                "same",
                "",
                "the value of the row with the greatest second argument (see Fold.parameters: a column's name)",
            ),
            FoldOp("stddev", 0, "float", "", "standard deviation of the population"),
            FoldOp("quantile", 1, "float", "", "quantile at a level from 0 to 1, may be approximate"),
            FoldOp(
                "quantile_exact",
                1,
                "float",
                "",
                "quantile at a level from 0 to 1, interpolated between the two nearest values",
            ),
            FoldOp("uniq", 0, "int", "", "number of different values, may be approximate"),
            FoldOp("uniq_exact", 0, "int", "", "number of different values"),
            FoldOp("topk", 1, "list", "", "the so many most frequent values, most frequent first"),
            FoldOp(
                "histogram", 1, "list", "", "number of values in each of so many buckets of equal width from min to max"
            ),
        )
    }
)
"""Folds by name; read-only."""

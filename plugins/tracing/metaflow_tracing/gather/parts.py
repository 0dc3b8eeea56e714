"""Searches in parts that a storage answers quickly: rows by stretches of time, values by statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from metaflow_core.model.expression import Expr
from metaflow_tracing.gather.plans import same_id

__all__ = ["statements", "stretches"]

# rows further apart begin a stretch of their own; what is related is looked for around each row anyway
_GAP_US = 2_000_000
# a stretch is read whole (its linking columns), and its rows are assembled together
_LONGEST_US = 5_000_000
_MOST_ROWS = 100
# ClickHouse reads 256 KiB of a statement unless it is told otherwise; the rest of it is short
_MOST_LETTERS = 120_000
# commas and quotes around a value
_MARKS = 4


def stretches(rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows that happened near each other, the latest first.

    :param rows: with ``end_time``, in microseconds; in any order.
    """
    part: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: -row["end_time"]):
        if part and (
            part[-1]["end_time"] - row["end_time"] > _GAP_US
            or part[0]["end_time"] - row["end_time"] > _LONGEST_US
            or len(part) >= _MOST_ROWS
        ):
            yield part
            part = []
        part.append(row)
    if part:
        yield part


def statements(values: Mapping[str, Sequence[Any]]) -> list[list[Expr]]:
    """Predicates that a column has one of some values, as many together as one statement may be long.

    :param values: by column.
    """
    found: list[list[Expr]] = [[]]
    letters = 0
    for column, listed in values.items():
        some: list[Any] = []
        for value in listed:
            length = len(str(value)) + _MARKS
            if letters + length > _MOST_LETTERS:
                if some:
                    found[-1].append(same_id(column, some))
                found.append([])
                some, letters = [], 0
            some.append(value)
            letters += length
        if some:
            found[-1].append(same_id(column, some))
    return [each for each in found if each]

"""Rows on their way through a plan, as SQL.

Columns have names of our own making (``c1``, ``c2``, ...): what a person called a column never enters SQL, and DuckDB, which does
not tell ``Pod`` from ``pod``, never sees two of them. Every relation has an order, since plans say which rows come first: that in
which the rows were stored, unless something sorted them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count

import pyarrow as pa

from metaflow_storage_duckdb.values import Value

__all__ = ["By", "Names", "Relation"]


@dataclass(frozen=True, slots=True)
class By:
    """One column of the order, by its internal name; missing values come last either way, before them what is not a number."""

    name: str
    descending: bool = False
    real: bool = False

    def sql(self) -> str:
        """The terms of an ``ORDER BY``."""
        first = f"isnan({self.name}) ASC NULLS LAST, " if self.real else ""
        return f"{first}{self.name} {'DESC' if self.descending else 'ASC'} NULLS LAST"


@dataclass(frozen=True, slots=True)
class Relation:
    """A SELECT and what it gives.

    :ivar sql: the statement. :ivar columns: by the plan's name, in order; each one's SQL is its internal name.
    :ivar order: how its rows are ordered. :ivar natural: DuckDB gives the rows in that order by itself.
    """

    sql: str
    columns: Mapping[str, Value]
    order: tuple[By, ...]
    natural: bool = False

    def names(self) -> list[str]:
        """Internal names of everything that is carried on: the columns and the order."""
        return list(dict.fromkeys([*(value.sql for value in self.columns.values()), *(by.name for by in self.order)]))

    def order_by(self) -> str:
        """The clause that puts the rows in order; empty where they are."""
        return "" if self.natural else " ORDER BY " + ", ".join(by.sql() for by in self.order)

    def from_(self, alias: str = "t") -> str:
        """As an operand of ``FROM``."""
        return f"({self.sql}) AS {alias}"


class Names:
    """Hands out internal names, each once."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = count()

    def new(self) -> str:
        """A name that nothing has yet."""
        return f"c{next(self._numbers)}"

    def numbered(self, relation: Relation) -> Relation:
        """The same rows with an order of a single whole number."""
        if len(relation.order) == 1 and not relation.order[0].descending and not relation.order[0].real:
            return relation
        place = self.new()
        terms = ", ".join(by.sql() for by in relation.order)
        kept = ", ".join(value.sql for value in relation.columns.values())
        sql = f"SELECT {kept}{', ' if kept else ''}row_number() OVER (ORDER BY {terms}) AS {place} FROM {relation.from_()}"
        return replace(relation, sql=sql, order=(By(place),), natural=False)


def is_real(type_: pa.DataType) -> bool:
    """Whether values of a type may be no number."""
    return bool(pa.types.is_floating(type_))

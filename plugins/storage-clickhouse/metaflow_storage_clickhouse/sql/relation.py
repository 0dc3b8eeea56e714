"""A SELECT that is not finished: nodes of a plan add to it for as long as SQL allows, then it becomes a sub-query."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from metaflow_storage_clickhouse.sql.quote import identifier
from metaflow_storage_clickhouse.sql.typed import Typed

__all__ = ["Names", "Relation"]


class Names:
    """Gives every column of every sub-query a name of its own.

    An alias that equals a column's name would be taken for it in WHERE (ClickHouse resolves aliases everywhere).
    """

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> str:
        """The next name, quoted. No column of the catalogue begins with ``#``."""
        self._last += 1
        return identifier(f"#{self._last}")


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows with named columns.

    :ivar source: what stands after FROM.
    :ivar columns: name in the plan to SQL over the source.
    :ivar where: conditions that must all be true.
    :ivar order: SQL over the source, descending or not; first the most important.
    :ivar limit: count and offset.
    :ivar moment: the time of a row, for names that were valid then; None where rows are of no single time.
    """

    source: str
    columns: dict[str, Typed]
    where: tuple[str, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    limit: tuple[int, int] | None = None
    moment: Typed | None = None
    names: Names = field(default_factory=Names, compare=False)

    def select(self, expressions: list[tuple[str, str]], *, group_by: str = "", having: str = "") -> str:
        """The finished SELECT of these expressions under these quoted names."""
        listed = ", ".join(f"{sql} AS {name}" for name, sql in expressions) or "1"
        parts = [f"SELECT {listed} FROM {self.source}"]
        if self.where:
            parts.append(f"WHERE {' AND '.join(f'({each})' for each in self.where)}")
        if group_by:
            parts.append(f"GROUP BY {group_by}")
        if having:
            parts.append(f"HAVING {having}")
        if self.order and not group_by:
            keys = ", ".join(f"{sql} {'DESC' if descending else 'ASC'} NULLS LAST" for sql, descending in self.order)
            parts.append(f"ORDER BY {keys}")
        if self.limit is not None:
            count, offset = self.limit
            parts.append(f"LIMIT {count} OFFSET {offset}" if offset else f"LIMIT {count}")
        return " ".join(parts)

    def result(self) -> str:
        """The finished SELECT of all columns, in order, under names that do not matter."""
        return self.select([(self.names.new(), each.sql) for each in self.columns.values()])

    def wrapped(self) -> Relation:
        """The same rows as a sub-query. The order is carried on: ClickHouse does not keep that of a sub-query."""
        inner: list[tuple[str, str]] = []
        columns: dict[str, Typed] = {}
        for name, each in self.columns.items():
            alias = self.names.new()
            inner.append((alias, each.sql))
            columns[name] = replace(each, sql=alias)
        order: list[tuple[str, bool]] = []
        for sql, descending in self.order:
            alias = self.names.new()
            inner.append((alias, sql))
            order.append((alias, descending))
        moment = self.moment
        if moment is not None:
            alias = self.names.new()
            inner.append((alias, moment.sql))
            moment = replace(moment, sql=alias)
        # Sorting rows that are not counted off would be sorting for nothing.
        done = self if self.limit is not None else replace(self, order=())
        return Relation(f"({done.select(inner)})", columns, (), tuple(order), None, moment, self.names)

    def open(self) -> Relation:
        """A relation that conditions and grouping may be added to: itself, or a sub-query where rows were counted off."""
        return self if self.limit is None else self.wrapped()

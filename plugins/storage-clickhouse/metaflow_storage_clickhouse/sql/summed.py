"""Groupings answered from sums by minute instead of from rows: whole minutes from there, what sticks out at both ends from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from metaflow_core.model.catalog import Table
from metaflow_core.model.expression import And, Call, Compare, Expr, Literal, Ref, references
from metaflow_core.query import Aggregate, Filter, Fold, Scan, TimeRange
from metaflow_storage_clickhouse.schema.sums import MINUTE_S, Sums
from metaflow_storage_clickhouse.sql.expressions import condition
from metaflow_storage_clickhouse.sql.folds import cases, merged, unwrapped
from metaflow_storage_clickhouse.sql.quote import identifier
from metaflow_storage_clickhouse.sql.relation import Names, Relation
from metaflow_storage_clickhouse.sql.typed import Typed

__all__ = ["Summed", "summed"]

_SECOND_NS = 1_000_000_000
_LAST_SECOND = (1 << 32) - 1
_FEWEST_MINUTES = 5
"""Below this the rows are read at once: a second read for the ends would cost more than it spares."""
_ROWS, _SUM, _MOST, _SOME = "#rows", "#sum ", "#most ", "#some "


@dataclass(frozen=True, slots=True)
class Summed:
    """A grouping that sums by minute are enough for.

    :ivar keys: the columns of the sums that it needs, and :ivar values: the numbers. :ivar timed: the minute, too. :ivar minutes: first and end, in seconds; None is unbounded.
    """

    sums: Sums
    table: Table
    source: str
    scan: Scan
    filters: tuple[Expr, ...]
    keys: tuple[str, ...]
    values: tuple[str, ...]
    minutes: tuple[int | None, int | None]
    timed: bool

    def relation(self, columns: Mapping[str, Typed], names: Names) -> Relation:
        """The sums as rows; their time is the start of the minute.

        :param columns: those of the stored table.
        """
        time = columns[self.table.time]
        minute = self.sums.minute(time.sql)
        told_apart = [(self.table.time, time, minute)] if self.timed else []
        told_apart += [(name, columns[name], columns[name].sql) for name in self.keys]
        listed = [(names.new(), sql) for _, _, sql in told_apart]
        keys = ", ".join(alias for alias, _ in listed)
        found = {
            name: replace(typed, sql=alias) for (name, typed, _), (alias, _) in zip(told_apart, listed, strict=True)
        }
        numbers: list[tuple[str, str, str]] = [(_ROWS, "count()", "toUInt64(1)")]
        for value in self.values:
            name = identifier(value)
            for kind, total, one in zip(
                (_SUM, _MOST, _SOME),
                self.sums.counted(value),
                (f"toUInt64({name})", name, f"toUInt64(greater({name}, 0))"),
                strict=True,
            ):
                numbers.append((kind + value, total, one))
        aliases = [names.new() for _ in numbers]
        found |= {name: Typed(alias, "u64") for (name, _, _), alias in zip(numbers, aliases, strict=True)}
        first, end = self.minutes
        inside = [] if first is None else [f"{minute} >= {_moment(first)}"]
        inside += [] if end is None else [f"{minute} < {_moment(end)}"]
        whole = Relation(f"{self.source} /* sums by minute: projection {self.sums.name} */", {}, tuple(inside))
        text = whole.select(
            [*listed, *((alias, total) for alias, (_, total, _) in zip(aliases, numbers, strict=True))], group_by=keys
        )
        outside = self._outside(time.sql)
        if outside:
            rows = Relation(self.source, {}, (outside,))
            single = [(names.new(), sql) for _, sql in listed] + [(names.new(), one) for _, _, one in numbers]
            text = f"{text} UNION ALL {rows.select(single)}"
        relation = Relation(f"({text})", found, names=names)
        tests = tuple(condition(each, found).sql for each in self.filters)
        return replace(relation, where=tests)

    def _outside(self, time: str) -> str:
        """The seconds of the range that are in no whole minute."""
        if self.scan.time is None:
            return ""
        (start, stop), (first, end) = _seconds(self.scan.time), self.minutes
        tests = []
        if first is not None and start < first:
            tests.append(f"({time} >= {_moment(start)} AND {time} < {_moment(first)})")
        if end is not None and end < stop:
            tests.append(f"({time} >= {_moment(end)} AND {time} < {_moment(stop)})")
        return " OR ".join(tests)

    def fold(self, node: Fold, columns: Mapping[str, Typed], *, grouped: bool = False) -> Typed:
        """One fold over the sums of a group: what :func:`~metaflow_storage_clickhouse.sql.folds.fold` says of the rows."""
        node = unwrapped(node)
        above, tests = _parted(node.where, self.sums)
        test = "" if not tests else _true(condition(tests[0] if len(tests) == 1 else And(tests), columns))

        def added(name: str, also: str = "") -> str:
            both = f"and({test}, {also})" if test and also else test or also
            column = columns[name].sql
            return f"sumIf({column}, {both})" if both else f"sum({column})"

        rows = added(_ROWS)
        if node.op == "count":
            return Typed(f"toInt64({added(_SOME + above) if above else rows})", "i64")
        counted = cases(node.argument) if node.argument is not None else ()
        if counted:
            total = " + ".join(added(_ROWS, _true(condition(each, columns))) for each in merged(counted))
            return _unless_empty(f"toInt64({total})", rows, "i64", sure=grouped and not test)
        assert isinstance(node.argument, Ref)
        value = node.argument.name
        some = added(_SOME + value) if above else rows
        if node.op == "sum":
            return _unless_empty(added(_SUM + value), some, "u64", sure=grouped and not test and not above)
        most = columns[_MOST + value].sql
        column = self.table.column(value)
        greatest = _unless_empty(f"maxIf({most}, {test})" if test else f"max({most})", some, column.type, sure=False)
        return replace(greatest, column=column)


def summed(node: Aggregate, table: Table, known: tuple[Sums, ...], source: str) -> Summed | None:
    """How sums by minute answer a grouping of stored rows; None where they do not.

    :param known: what is kept of the table, the smallest first. :param source: what stands after FROM for it.
    """
    filters: list[Expr] = []
    below = node.input
    while isinstance(below, Filter):
        filters.insert(0, below.predicate)
        below = below.input
    if not isinstance(below, Scan) or not known:
        return None
    minutes = _minutes(below.time)
    folds = [unwrapped(each) for each in node.measures if isinstance(each, Fold)]
    if minutes is None or len(folds) != len(node.measures):
        return None
    timed = any(_by_minute(key.expression, table.time) for key in node.keys)
    for sums in known:
        named = {name for each in filters for name in references(each)}
        named |= {
            name
            for key in node.keys
            if not _by_minute(key.expression, table.time)
            for name in references(key.expression)
        }
        values: set[str] = set()
        for each in folds:
            used = _used(each, sums)
            if used is None:
                break
            named |= used[0]
            values |= used[1]
        else:
            if named <= set(sums.keys):
                keys = tuple(name for name in sums.keys if name in named)
                return Summed(
                    sums,
                    table,
                    source,
                    below,
                    tuple(filters),
                    keys,
                    tuple(name for name in sums.values if name in values),
                    minutes,
                    # without keys there would be a group of no rows
                    timed or not keys,
                )
    return None


def _used(node: Fold, sums: Sums) -> tuple[set[str], set[str]] | None:
    """Keys and values that a fold needs; None where sums are not enough for it."""
    above, tests = _parted(node.where, sums)
    keys = {name for each in tests for name in references(each)}
    match node:
        case Fold(op="count", argument=None):
            return (keys, {above} if above else set())
        case Fold(op="sum", argument=argument) if argument is not None and (found := cases(argument)) and not above:
            return keys | {name for each in found for name in references(each)}, set()
        case Fold(op="sum" | "max" | "count", argument=Ref(name)) if name in sums.values and above in ("", name):
            return keys, {name}
    return None


def _parted(where: Expr | None, sums: Sums) -> tuple[str, tuple[Expr, ...]]:
    """Of a condition the value that it wants to be more than 0, and the rest."""
    items = () if where is None else where.items if isinstance(where, And) else (where,)
    above = ""
    rest: list[Expr] = []
    for each in items:
        match each:
            case Compare(">", Ref(name), Literal(int(0))) if name in sums.values and above in ("", name):
                above = name
            case And(inner):
                found, others = _parted(And(inner), sums)
                if found and above not in ("", found):
                    rest.append(each)
                    continue
                above = found or above
                rest.extend(others)
            case _:
                rest.append(each)
    return above, tuple(rest)


def _by_minute(key: Expr, time: str) -> bool:
    """The start of an interval of whole minutes."""
    match key:
        case Call("bucket", (Ref(name), Literal(int() as step), *rest)) if name == time and step % MINUTE_S == 0:
            return all(
                isinstance(each, Literal) and type(each.value) is int and each.value % MINUTE_S == 0 for each in rest
            )
    return False


def _seconds(span: TimeRange) -> tuple[int, int]:
    start, end = (-(-bound // _SECOND_NS) for bound in (span.start_ns, span.end_ns))
    return max(start, 0), min(max(end, 0), _LAST_SECOND + 1)


def _minutes(span: TimeRange | None) -> tuple[int | None, int | None] | None:
    """First second of the first whole minute and the end of the last one; None where there are too few."""
    if span is None:
        return None, None
    start, stop = _seconds(span)
    first: int | None = -(-start // MINUTE_S) * MINUTE_S
    end: int | None = stop // MINUTE_S * MINUTE_S
    assert first is not None
    assert end is not None
    if end - first < _FEWEST_MINUTES * MINUTE_S:
        return None
    return first or None, end if stop <= _LAST_SECOND else None


def _moment(second: int) -> str:
    return f"toDateTime({second}, 'UTC')"


def _true(test: Typed) -> str:
    return f"ifNull({test.sql}, false)" if test.nullable else test.sql


def _unless_empty(total: str, some: str, type_: str, *, sure: bool) -> Typed:
    return Typed(total, type_) if sure else Typed(f"if({some} > 0, {total}, NULL)", type_, nullable=True)

"""What the catalogue is made of: frozen values, no behaviour beyond looking inside themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from metaflow_core.model.expression import Arithmetic, Expr

__all__ = ["Column", "Enum", "Function", "Member", "Metric", "Table", "Tag"]


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an enumeration: what is stored, what is written in queries and output, what a person is shown."""

    value: int | str
    name: str
    display: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Enum:
    """An enumeration.

    :ivar open: plugins may add members, and a stored value without a member is no mistake (it is shown as a number).
    :ivar bits: a stored value is a set of members, one bit each.
    """

    name: str
    description: str
    members: tuple[Member, ...]
    open: bool = False
    bits: bool = False

    def value(self, name: str) -> int | str | None:
        """What is stored for a name (or display name), without regard to case; None when there is no such member."""
        wanted = name.lower()
        for member in self.members:
            if wanted == member.name.lower() or wanted == member.display.lower():
                return member.value
        return None

    def name_of(self, value: int | str) -> str:
        """The name of a stored value; of a set its names with ``|`` between; the value itself when it has none."""
        if self.bits and isinstance(value, int):
            return "|".join(m.name for m in self.members if isinstance(m.value, int) and m.value & value)
        return next((m.name for m in self.members if m.value == value), str(value))


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    :ivar type: a name in :data:`~metaflow_core.model.catalog.types.TYPES`.
    :ivar kind: ``tag`` (group and filter by it), ``time``, ``id``, ``text``, ``blob``, ``attribute``, or the kind of a metric:
        ``counter``, ``gauge``, ``bounded_gauge``, ``delay``, ``percentage``, ``quotient``, ``other``.
    :ivar unit: ``us``, ``byte``, ``packet``, ``%``, ...; empty for none.
    :ivar enum: the enumeration that its values belong to; empty for none.
    :ivar absent: what a batch without it gets: ``zero`` (0, empty), ``null``, or ``must`` (the batch is refused).
    :ivar roll: how rows become one when a coarser table is made: ``sum``, ``max``, ``last``; empty for a part of the key.
    :ivar sources: names under which producers may send it; the unit is in their ending (``_ns``, ``_us``).
    :ivar base: the name without the ending of an end.
    :ivar end: 0 client, 1 server; None when the column is not about one end of two.
    """

    name: str
    type: str
    kind: str = "tag"
    unit: str = ""
    enum: str = ""
    group: str = ""
    absent: str = "zero"
    roll: str = ""
    sources: tuple[str, ...] = ()
    description: str = ""
    base: str = ""
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that is computed from columns.

    A metric of kind ``percentage``, ``quotient`` or ``delay`` whose expression is a division is aggregated as the sum of
    numerators by the sum of denominators, never as a mean of ratios. A percentage is multiplied by 100.

    :ivar text: the expression as written in the data.
    :ivar expression: the same with every name of another metric replaced by its expression and every name of an
        enumeration member by its value: only columns are left.
    """

    name: str
    kind: str
    unit: str
    text: str
    expression: Expr
    group: str = ""
    description: str = ""

    @property
    def ratio(self) -> tuple[Expr, Expr] | None:
        """Numerator and denominator; None for a metric that is no division."""
        top = self.expression
        if self.kind in ("percentage", "quotient", "delay") and isinstance(top, Arithmetic) and top.op == "/":
            return top.left, top.right
        return None


@dataclass(frozen=True, slots=True)
class Tag:
    """A virtual tag: a name that a user writes and that is resolved from integer columns when it is read.

    :ivar kind: ``resource`` (an id looked up in ``dictionary``), ``map`` (``name.KEY``), ``ip`` or ``bool``.
    :ivar key: the columns it is resolved from.
    :ivar when: condition under which the key is one of this tag's; empty for always.
    :ivar dictionary: the dictionary that names the ids; empty when none is needed.
    """

    name: str
    kind: str
    key: tuple[str, ...]
    when: str = ""
    dictionary: str = ""
    description: str = ""
    base: str = ""
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """An aggregate function and the kinds of metric it makes sense for.

    :ivar arguments: what it takes, in order: ``metric``, ``column``, or the name of a number; optional ones in brackets.
    :ivar result: ``same`` (as its argument), ``real``, ``count``, ``ratio``, ``percent``, ``rate`` (per second) or ``list``.
    """

    name: str
    kinds: tuple[str, ...]
    arguments: tuple[str, ...]
    result: str
    description: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table, or one precision of a table that is kept in several.

    :ivar name: ``database.table`` or ``database.table.precision``, e.g. ``flow_metrics.network.1m``.
    :ivar family: the name without the precision.
    :ivar precision: ``1s``, ``1m``, ...; empty for a table of single rows.
    :ivar rolled_from: the finer precision that this one is made from by the store; empty when rows are written to it.
    :ivar signal: what it tells of: ``flow``, ``request``, ``event``, ``profile``, ``metric``, ``log``, ...
    :ivar ends: ``two`` (columns come in pairs ``_0``, ``_1``), ``one`` or ``none``.
    :ivar time: the column that rows are bucketed and expired by.
    :ivar partition: span of time that a store should keep together (``1h``, ``week``).
    :ivar ttl_hours: how long rows are kept unless configured otherwise.
    """

    name: str
    family: str
    precision: str
    rolled_from: str
    description: str
    signal: str
    ends: str
    time: str
    order_key: tuple[str, ...]
    partition: str
    ttl_hours: int
    columns: tuple[Column, ...] = ()
    metrics: tuple[Metric, ...] = ()
    tags: tuple[Tag, ...] = ()
    by_name: Mapping[str, Column | Metric | Tag] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        names: dict[str, Column | Metric | Tag] = {tag.name: tag for tag in self.tags}
        names.update((metric.name, metric) for metric in self.metrics)
        names.update((column.name, column) for column in self.columns)
        object.__setattr__(self, "by_name", MappingProxyType(names))

    @property
    def database(self) -> str:
        """The part of the name before the first dot."""
        return self.name.partition(".")[0]

    @property
    def short(self) -> str:
        """The name without the database, e.g. ``l7_flow_log`` or ``network.1m``."""
        return self.name.partition(".")[2]

    @property
    def interval_s(self) -> int:
        """Length in seconds of what a row sums up; 0 for a table of single rows."""
        return (
            {"s": 1, "m": 60, "h": 3600, "d": 86400}[self.precision[-1]] * int(self.precision[:-1])
            if self.precision
            else 0
        )

    def column(self, name: str) -> Column:
        """The column of a name.

        :raises QueryError: there is no such column; the sentence names the nearest one.
        """
        found = self.by_name.get(name)
        if isinstance(found, Column):
            return found
        from metaflow_core.model.catalog.names import unknown

        raise unknown("column", name, [column.name for column in self.columns], f"in {self.name}")

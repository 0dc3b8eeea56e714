"""Sums by minute that ClickHouse keeps beside the rows of a table, as projections of its parts.

A part and its projections are put in place together, so what they say is never ahead of the rows or behind them: not after a kill, not
after a mutation. Parts without them (of an older store) are read row by row, by ClickHouse's own choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from metaflow_core.model.catalog import Table
from metaflow_storage_clickhouse.sql.quote import identifier

__all__ = ["MINUTE_S", "Sums", "sums_of"]

MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Sums:
    """One projection: a row for each minute and combination of keys.

    :ivar keys: columns that rows are told apart by. :ivar values: whole numbers that are never negative nor missing; of each there are the sum,
        the greatest and how many are more than 0.
    """

    name: str
    keys: tuple[str, ...]
    values: tuple[str, ...]

    def minute(self, time: str) -> str:
        """The start of a row's minute. :param time: the quoted column."""
        return f"toStartOfMinute({time})"

    def counted(self, value: str) -> tuple[str, str, str]:
        """Sum, greatest and number above 0 of a value, as the projection computes them."""
        name = identifier(value)
        return f"sum({name})", f"max({name})", f"countIf(greater({name}, 0))"

    def definition(self, table: Table) -> str:
        """The SELECT of the projection."""
        keys = ", ".join((self.minute(identifier(table.time)), *map(identifier, self.keys)))
        values = ", ".join(("count()", *(each for value in self.values for each in self.counted(value))))
        return f"SELECT {keys}, {values} GROUP BY {keys}"


_KINDS = ("type", "response_status", "l7_protocol", "signal_source", "observation_point")
_KNOWN: Mapping[str, tuple[Sums, ...]] = MappingProxyType(
    {
        "flow_log.l7_flow_log": (
            Sums("sums_by_endpoint", (*_KINDS, "endpoint"), ("response_duration",)),
            Sums(
                "sums_by_service",
                (*_KINDS, "server_port", "auto_service_id_1", "auto_service_type_1", "ip4_1", "ip6_1", "is_ipv4"),
                ("response_duration",),
            ),
        )
    }
)
"""Questions for the busiest services and endpoints are asked most, and of the largest table. The one with the fewest rows first."""


def sums_of(table: Table) -> tuple[Sums, ...]:
    """What is kept of a table; only where the catalogue has every column of it, in whole seconds."""
    if table.column(table.time).type != "time_s":
        return ()
    known = _KNOWN.get(table.name, ())
    return tuple(each for each in known if all(name in table.by_name for name in (*each.keys, *each.values)))

"""Columns of a batch as numpy sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from metaflow_core.model.catalog import Column, Table

__all__ = ["Rows"]

_WIDTH = {"1m": 60, "1h": 3600, "1d": 86400}
_SECOND = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch by name, with what was sent under other names."""

    table: Table
    columns: Mapping[str, pa.Array]
    count: int

    def column(self, name: str) -> Column | None:
        """The catalogue's column, None when the table has none of that name."""
        found = self.table.by_name.get(name)
        return found if isinstance(found, Column) else None

    def sent(self, name: str) -> pa.Array | None:
        """A column's values, from one of its sources if need be."""
        column = self.column(name)
        names = (name, *(column.sources if column is not None else ()))
        return next((self.columns[each] for each in names if each in self.columns), None)

    def numbers(self, name: str, type_: pa.DataType) -> NDArray[np.generic] | None:
        """A column's numbers, 0 where there is none."""
        array = self.sent(name)
        if array is None:
            return None
        values: NDArray[np.generic] = array.cast(type_, safe=False).fill_null(0).to_numpy(zero_copy_only=False)
        return values

    def moments(self, now_ns: int) -> NDArray[np.int64]:
        """Time of each row in nanoseconds since 1970; ``now_ns`` where it has none."""
        time = self.table.column(self.table.time)
        for name in (time.name, *time.sources):
            array = self.columns.get(name)
            if array is None:
                continue
            unit = array.type.unit if pa.types.is_timestamp(array.type) else self._unit(name, time)
            whole = array.cast(pa.int64(), safe=False).fill_null(now_ns // _SECOND[unit])
            values: NDArray[np.int64] = whole.to_numpy(zero_copy_only=False) * _SECOND[unit]
            return values
        return np.full(self.count, now_ns, np.int64)

    def width_ns(self) -> int:
        """How much time a row is about, from its time on: one of metrics bears the beginning of its second, minute, ..."""
        time = self.table.column(self.table.time)
        name = next((name for name in (time.name, *time.sources) if name in self.columns), "")
        if not name:
            return 0
        type_ = self.columns[name].type
        unit = type_.unit if pa.types.is_timestamp(type_) else self._unit(name, time)
        return _WIDTH.get(self.table.name.rsplit(".", 1)[-1], 1) * _SECOND["s"] if unit == "s" else 0

    def _unit(self, name: str, time: Column) -> str:
        """A number's unit: that of the column it is, else it stands in the ending of a source's name."""
        own = self.column(name)
        if own is not None and own.type.startswith("time_"):
            return own.type.removeprefix("time_")
        return name[-2:] if name.endswith(("_ns", "_us", "_ms")) else time.type.removeprefix("time_")

    def addresses(self, end: str) -> tuple[NDArray[np.bool_], NDArray[np.uint32] | None, list[bytes] | None] | None:
        """Which rows are IPv4, their IPv4 addresses, their IPv6 addresses; None when the rows have none of this end."""
        four, six, family = self.sent(f"ip4{end}"), self.sent(f"ip6{end}"), self.sent("is_ipv4")
        if four is None and six is None:
            return None
        numbers: NDArray[np.uint32] | None = None
        if four is not None:
            numbers = four.cast(pa.uint32(), safe=False).fill_null(0).to_numpy(zero_copy_only=False)
        if family is not None:
            of_four = family.cast(pa.bool_()).fill_null(False).to_numpy(zero_copy_only=False)
        elif six is None:
            of_four = np.ones(self.count, np.bool_)
        else:
            of_four = np.zeros(self.count, np.bool_) if numbers is None else numbers != 0
        texts = None
        if six is not None and not of_four.all():
            texts = six.cast(pa.binary(16)).fill_null(bytes(16)).to_pylist()
        return of_four, numbers, texts

"""Puts the numbers of owners into the columns of a batch, wherever nothing stands yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from metaflow_core.model.catalog import Column, Table
from metaflow_core.model.catalog.arrow import arrow_field, arrow_type
from metaflow_core.tagging.lookup import Lookup
from metaflow_core.tagging.owners import COLUMNS

__all__ = ["fill"]

_SECOND = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_STATED = ("log", "profile")
_PAIRS = ("auto_instance", "auto_service", "l3_device")
INTERNET = -2
_IP, _HOST = 255, 6
_SERVICES = (11, 102, 104, 105)
"""Kinds of ``auto_service`` that are services: what belongs to none of them (a workload, a process, a host) gives way to one."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """A batch by name, with what was sent under other names."""

    table: Table
    columns: Mapping[str, pa.Array]
    count: int

    def sent(self, name: str) -> pa.Array | None:
        """A column, from one of its sources if need be."""
        column = self.table.by_name.get(name)
        names = (name, *(column.sources if isinstance(column, Column) else ()))
        return next((self.columns[each] for each in names if each in self.columns), None)


def fill(
    batch: pa.RecordBatch,
    table: Table,
    lookup: Lookup,
    now_ns: int,
    *,
    unknown_is_internet: bool,
    is_hearsay: bool = False,
) -> pa.RecordBatch | None:
    """The batch with more numbers in it; None where nothing is known of any row.

    :param now_ns: the time of rows that have none. :param is_hearsay: services take the place of nothing.
    """
    rows = _Rows(table, dict(zip(batch.schema.names, batch.columns, strict=True)), batch.num_rows)
    ends = {"two": ("_0", "_1"), "one": ("",)}.get(table.ends, ())
    moments = _moments(rows, now_ns)
    out: dict[str, pa.Array] = {}
    for end in ends:
        owners = _owners(rows, end, lookup, moments)
        if owners is None or not (owners.any() or unknown_is_internet):
            continue
        _numbers(rows, end, owners, lookup, is_hearsay, out)
        if unknown_is_internet:
            _internet(rows, end, owners, out)
        if table.signal in _STATED and not end:
            _texts(rows, owners, lookup, out)
    if not out:
        return None
    for name, array in out.items():
        column = table.column(name)
        index = batch.schema.get_field_index(name)
        field = arrow_field(column)
        batch = (
            batch.append_column(field, array)
            if index < 0
            else batch.set_column(index, batch.schema.field(index), array)
        )
    return batch


def _moments(rows: _Rows, now_ns: int) -> NDArray[np.int64]:
    """Time of each row in nanoseconds since 1970."""
    column = rows.table.column(rows.table.time)
    for name in (column.name, *column.sources):
        array = rows.columns.get(name)
        if array is None:
            continue
        unit = array.type.unit if pa.types.is_timestamp(array.type) else _unit(name, rows.table, column)
        whole = array.cast(pa.int64(), safe=False).fill_null(now_ns // _SECOND[unit])
        values: NDArray[np.int64] = whole.to_numpy(zero_copy_only=False)
        return values if unit == "ns" else values * _SECOND[unit]
    return np.full(rows.count, now_ns, np.int64)


def _unit(name: str, table: Table, time: Column) -> str:
    """A number's unit: that of the column it is, else it stands in the ending of a source's name."""
    own = table.by_name.get(name)
    if isinstance(own, Column) and own.type.startswith("time_"):
        return own.type.removeprefix("time_")
    return name[-2:] if name.endswith(("_ns", "_us", "_ms")) else time.type.removeprefix("time_")


def _owners(rows: _Rows, end: str, lookup: Lookup, moments: NDArray[np.int64]) -> NDArray[np.int32] | None:
    four, six = rows.sent(f"ip4{end}"), rows.sent(f"ip6{end}")
    family = rows.sent("is_ipv4")
    if four is None and six is None:
        return None
    if family is not None:
        of_four = family.cast(pa.bool_()).fill_null(False).to_numpy(zero_copy_only=False)
    elif six is None:
        of_four = np.ones(rows.count, np.bool_)
    else:
        of_four = np.zeros(rows.count, np.bool_) if four is None else _four(four) != 0
    owners = np.zeros(rows.count, np.int32)
    if four is not None and not lookup.four.is_empty and of_four.any():
        if of_four.all():
            owners = lookup.four.find(_four(four), moments)
        else:
            owners[of_four] = lookup.four.find(_four(four)[of_four], moments[of_four])
    if six is not None and not lookup.six.is_empty and not of_four.all():
        of_six = ~of_four
        owners[of_six] = lookup.six.find(_six(six)[of_six], moments[of_six])
    return owners


def _four(array: pa.Array) -> NDArray[np.uint32]:
    values: NDArray[np.uint32] = array.cast(pa.uint32(), safe=False).fill_null(0).to_numpy(zero_copy_only=False)
    return values


def _six(array: pa.Array) -> NDArray[np.bytes_]:
    """Texts of 16 bytes; numpy compares them as bytes, a missing ending as zeros, which is the order of addresses."""
    array = array.cast(pa.binary(16)).fill_null(bytes(16))
    held = np.frombuffer(array.buffers()[1], "S16", count=len(array) + array.offset)
    return held[array.offset :]


def _plain(rows: _Rows, name: str, type_: pa.DataType) -> NDArray[np.generic] | None:
    array = rows.sent(name)
    if array is None:
        return None
    values: NDArray[np.generic] = array.cast(type_, safe=False).fill_null(0).to_numpy(zero_copy_only=False)
    return values


def _numbers(
    rows: _Rows, end: str, owners: NDArray[np.int32], lookup: Lookup, is_hearsay: bool, out: dict[str, pa.Array]
) -> None:
    ports = _plain(rows, "server_port", pa.uint16()) if end != "_0" else None
    if ports is not None and not end:
        role = rows.sent("role")
        if role is not None:
            # The port is the server's: a client's row says nothing of the client's own services.
            ports = np.where(role.cast(pa.int64()).to_numpy(zero_copy_only=False) == lookup.server_role, ports, 0)
    kinds, services, named = lookup.ports.find(owners, ports, _plain(rows, "protocol", pa.uint8()))  # type: ignore[arg-type]
    found: dict[str, NDArray[np.generic]] = {
        name: lookup.columns[name][owners] for name in COLUMNS if f"{name}{end}" in rows.table.by_name
    }
    found |= {"auto_service_type": kinds, "auto_service_id": services, "service_id": named}
    for name, values in found.items():
        column = rows.table.by_name.get(f"{name}{end}")
        if isinstance(column, Column) and not name.startswith(_PAIRS):
            out[column.name] = _merged(rows, column, values, name, owners)
    for pair in _PAIRS:
        number, kind = (rows.table.by_name.get(f"{pair}_{part}{end}") for part in ("id", "type"))
        if isinstance(number, Column) and isinstance(kind, Column):
            _pair(rows, number, kind, found[f"{pair}_id"], found[f"{pair}_type"], is_hearsay, out)


def _merged(rows: _Rows, column: Column, values: NDArray[np.generic], name: str, owners: NDArray[np.int32]) -> pa.Array:
    type_ = arrow_type(column.type)
    values = values.astype(type_.to_pandas_dtype(), copy=False)
    present = _plain(rows, column.name, type_)
    if present is None or not present.any():
        return pa.array(values)
    if name == "tag_source":
        return pa.array(present | values)  # type: ignore[operator]
    is_open = present == 0
    if name == "l3_epc_id":
        # "on the Internet" was said of what nobody knew: it is not said of what somebody knows
        is_open |= (present == INTERNET) & (owners != 0)
    return pa.array(np.where(is_open, values, present))


def _pair(
    rows: _Rows,
    number: Column,
    kind: Column,
    numbers: NDArray[np.generic],
    kinds: NDArray[np.generic],
    is_hearsay: bool,
    out: dict[str, pa.Array],
) -> None:
    """Number and kind go together: where there is a number already, or a kind that is more than an address, both stay.

    But a service is put in the place of what is none, and any device in that of the bare host which carries it: ``host_id`` keeps that.
    """
    types = arrow_type(number.type), arrow_type(kind.type)
    present, present_kind = _plain(rows, number.name, types[0]), _plain(rows, kind.name, types[1])
    numbers = numbers.astype(types[0].to_pandas_dtype(), copy=False)
    kinds = kinds.astype(types[1].to_pandas_dtype(), copy=False)
    taken = np.zeros(rows.count, np.bool_)
    if present is not None:
        taken |= present != 0
    if present_kind is not None:
        taken |= (present_kind != 0) & ((present_kind != _IP) | (kinds == 0))
        if number.name.startswith("auto_service") and not is_hearsay:
            taken &= ~(np.isin(kinds, _SERVICES) & ~np.isin(present_kind, _SERVICES))
        elif number.name.startswith("l3_device"):
            taken &= ~((present_kind == _HOST) & (kinds != _HOST) & (kinds != 0))
    if taken.any():
        numbers = np.where(taken, 0 if present is None else present, numbers)
        kinds = np.where(taken, 0 if present_kind is None else present_kind, kinds)
    out[number.name], out[kind.name] = pa.array(numbers), pa.array(kinds)


def _internet(rows: _Rows, end: str, owners: NDArray[np.int32], out: dict[str, pa.Array]) -> None:
    column = rows.table.by_name.get(f"l3_epc_id{end}")
    if isinstance(column, Column):
        values = out[column.name].to_numpy(zero_copy_only=False)
        unknown = (owners == 0) & (values == 0)
        out[column.name] = pa.array(np.where(unknown, np.int32(INTERNET), values))


def _texts(rows: _Rows, owners: NDArray[np.int32], lookup: Lookup, out: dict[str, pa.Array]) -> None:
    """Names of service and instance in the tables whose rows a program wrote or gave: an address is all that they have else."""
    named = lookup.ports.find(owners, None, None)[2]
    for name, texts in (("app_service", lookup.service_names(named)), ("app_instance", lookup.instance_names(owners))):
        column = rows.table.by_name.get(name)
        if not isinstance(column, Column):
            continue
        present = rows.sent(name)
        if present is not None:
            present = present.cast(pa.utf8())
            texts = pc.if_else(pc.equal(present, "").fill_null(True), texts, present)
        out[name] = texts.dictionary_encode() if column.type == "lowcard" else texts

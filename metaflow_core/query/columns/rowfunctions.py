"""The row functions of :data:`metaflow_core.query.functions.ROW_FUNCTIONS` on whole columns."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.model.catalog import Column
from metaflow_core.model.catalog.decode import address_text
from metaflow_core.query.columns.frame import plain
from metaflow_core.query.columns.numbers import align, number, real

__all__ = ["ROW_FUNCTIONS", "RowFunction"]

Arrays: TypeAlias = Sequence[pa.Array]
RowFunction: TypeAlias = Callable[[Arrays, Sequence[Any], Sequence[Column | None]], pa.Array]
"""Takes the arguments as columns, as constants (None where they are none), and the catalogue's columns behind them."""

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def _if(arrays: Arrays, *_: Any) -> pa.Array:
    left, right = align(plain(arrays[1]), plain(arrays[2]))
    return pc.if_else(arrays[0].cast(pa.bool_()).fill_null(False), left, right)


def _coalesce(arrays: Arrays, *_: Any) -> pa.Array:
    def both(left: pa.Array, right: pa.Array) -> pa.Array:
        return pc.coalesce(*align(left, right))

    return reduce(both, (plain(array) for array in arrays))


def _extreme(function: Callable[..., pa.Array]) -> RowFunction:
    """Missing when one of them is: ``least(x, 1)`` of no measurement is no measurement."""

    def of(arrays: Arrays, *_: Any) -> pa.Array:
        return reduce(lambda left, right: function(*align(left, right), skip_nulls=False), map(plain, arrays))

    return of


def _numeric(function: Callable[[pa.Array], pa.Array]) -> RowFunction:
    return lambda arrays, *_: function(arrays[0])


def _round(arrays: Arrays, literals: Sequence[Any], _: Any) -> pa.Array:
    digits = literals[1] if len(literals) > 1 else 0
    return pc.round(real(arrays[0]), ndigits=digits, round_mode="half_towards_infinity")


def _sqrt(arrays: Arrays, *_: Any) -> pa.Array:
    values = real(arrays[0])
    return pc.sqrt(pc.if_else(pc.less(values, 0.0), pa.scalar(None, pa.float64()), values))


def _text(function: Callable[[pa.Array], pa.Array]) -> RowFunction:
    return lambda arrays, *_: function(plain(arrays[0]).cast(pa.utf8()))


def _concat(arrays: Arrays, *_: Any) -> pa.Array:
    return pc.binary_join_element_wise(*(plain(array).cast(pa.utf8()) for array in arrays), "")


def _to_text(arrays: Arrays, _: Any, columns: Sequence[Column | None]) -> pa.Array:
    array, column = plain(arrays[0]), columns[0]
    if column is not None and column.type in ("ip4", "ip6", "mac"):
        return address_text(array, column.type)
    if pa.types.is_timestamp(array.type):
        return pc.strftime(array.cast(pa.timestamp(array.type.unit)), format="%Y-%m-%d %H:%M:%S")
    return array.cast(pa.utf8())


def _bucket(arrays: Arrays, literals: Sequence[Any], _: Any) -> pa.Array:
    times = arrays[0]
    unit = _PER_SECOND[times.type.unit]
    step = literals[1] * unit
    offset = (literals[2] if len(literals) > 2 else 0) * unit
    moments = pc.subtract(times.cast(pa.int64()), offset)
    # Floor, not truncation: a moment before the offset belongs to the bucket before it.
    rest = pc.subtract(moments, pc.multiply(pc.divide(moments, step), step))
    rest = pc.if_else(pc.less(rest, 0), pc.add(rest, step), rest)
    return pc.add(pc.subtract(moments, rest), offset).cast(times.type)


def _unix(arrays: Arrays, *_: Any) -> pa.Array:
    times = arrays[0]
    return pc.divide(real(times), pa.scalar(float(_PER_SECOND[times.type.unit])))


def _mask(arrays: Arrays, literals: Sequence[Any], _: Any) -> pa.Array:
    encoded = plain(arrays[0]).dictionary_encode()
    kind = ipaddress.IPv4Network if pa.types.is_integer(encoded.type.value_type) else ipaddress.IPv6Network
    names = [str(kind((value, literals[1]), strict=False)) for value in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.utf8()).take(encoded.indices)


def _has(arrays: Arrays, literals: Sequence[Any], _: Any) -> pa.Array:
    lists, wanted = arrays[0], literals[1]
    hits = pc.equal(pc.list_flatten(lists), pa.scalar(wanted, lists.type.value_type)).fill_null(False)
    return pc.is_in(_row_numbers(len(lists)), value_set=pc.list_parent_indices(lists).cast(pa.int64()).filter(hits))


def _row_numbers(rows: int) -> pa.Array:
    return pa.array(range(rows), pa.int64())


def _starts(lists: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Where each row's values begin among all, and how many they are."""
    lengths = pc.list_value_length(lists).fill_null(0).cast(pa.int64())
    return pc.subtract(pc.cumulative_sum(lengths), lengths), lengths


def _map_at(arrays: Arrays, literals: Sequence[Any], _: Any) -> pa.Array:
    """The value beside a key, by position in the two lists of a row."""
    names, values = arrays[0], arrays[1]
    hits = pc.indices_nonzero(pc.equal(pc.list_flatten(names), literals[2]).fill_null(False)).cast(pa.int64())
    rows = pc.list_parent_indices(names).cast(pa.int64()).take(hits)
    starts, _ = _starts(names)
    value_starts, value_lengths = _starts(values)
    position = pc.subtract(hits, starts.take(rows))
    fits = pc.less(position, value_lengths.take(rows))
    index = pc.add(value_starts.take(rows), position).filter(fits)
    # The first of several equal keys counts: index_in finds the first.
    first = pc.index_in(_row_numbers(len(names)), value_set=rows.filter(fits))
    return pc.list_flatten(values).take(index.take(first))


def _map_text(arrays: Arrays, *_: Any) -> pa.Array:
    texts = [
        json.dumps(dict(zip(names or (), values or (), strict=False)), ensure_ascii=False, sort_keys=True)
        for names, values in zip(arrays[0].to_pylist(), arrays[1].to_pylist(), strict=True)
    ]
    return pa.array(texts, pa.utf8())


ROW_FUNCTIONS = MappingProxyType(
    {
        "if": _if,
        "coalesce": _coalesce,
        "abs": _numeric(lambda array: pc.abs(number(array))),
        "floor": _numeric(lambda array: pc.floor(real(array))),
        "ceil": _numeric(lambda array: pc.ceil(real(array))),
        "round": _round,
        "sqrt": _sqrt,
        "least": _extreme(pc.min_element_wise),
        "greatest": _extreme(pc.max_element_wise),
        "lower": _text(pc.utf8_lower),
        "upper": _text(pc.utf8_upper),
        "length": _text(pc.utf8_length),
        "concat": _concat,
        "to_text": _to_text,
        "bucket": _bucket,
        "unix": _unix,
        "mask": _mask,
        "has": _has,
        "map_at": _map_at,
        "map_text": _map_text,
    }
)
"""Row functions by name; read-only."""

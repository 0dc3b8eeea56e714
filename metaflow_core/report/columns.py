"""Columns of a batch as numpy arrays and as readable text, for grouping."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Exchanges", "addresses", "numbers", "texts", "times_ns"]


def numbers(batch: pa.RecordBatch, name: str) -> npt.NDArray[np.int64]:
    """A column of integers; missing values, and a missing column, are 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    index = batch.schema.get_field_index(name)
    if index < 0:
        return np.zeros(batch.num_rows, np.int64)
    column = batch.column(index)
    if pa.types.is_timestamp(column.type) or pa.types.is_boolean(column.type):
        column = column.cast(pa.int64())
    if pa.types.is_floating(column.type):
        column = pc.round(column)
    filled: npt.NDArray[Any] = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
    return filled.astype(np.int64, copy=False)


def times_ns(batch: pa.RecordBatch, name: str) -> npt.NDArray[np.int64]:
    """A column of times in nanoseconds since 1970, whatever its own unit; ``name_ns`` is taken when it is there."""
    import pyarrow as pa

    exact = f"{name}_ns"
    chosen = exact if exact in batch.schema.names else name
    index = batch.schema.get_field_index(chosen)
    if index < 0:
        return np.zeros(batch.num_rows, np.int64)
    kind = batch.schema.field(index).type
    scale = 10 ** (9 - 3 * ("s", "ms", "us", "ns").index(kind.unit)) if pa.types.is_timestamp(kind) else 1
    return numbers(batch, chosen) * scale


def texts(batch: pa.RecordBatch, name: str) -> list[str]:
    """A column of text; missing values, and a missing column, are empty."""
    import pyarrow as pa

    index = batch.schema.get_field_index(name)
    if index < 0:
        return [""] * batch.num_rows
    return [value or "" for value in batch.column(index).cast(pa.string()).to_pylist()]


def addresses(batch: pa.RecordBatch, suffix: str) -> list[str]:
    """The addresses of one end (``_0`` client, ``_1`` server) as text."""
    old = numbers(batch, f"ip4{suffix}").tolist()
    is_old = numbers(batch, "is_ipv4").tolist()
    index = batch.schema.get_field_index(f"ip6{suffix}")
    new: list[bytes | None] = batch.column(index).to_pylist() if index >= 0 else [None] * batch.num_rows
    return [
        _old_address(four) if flag else (_new_address(six) if six else "")
        for flag, four, six in zip(is_old, old, new, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Exchanges:
    """What the summary reads of a batch of the request log, row by row."""

    batch: pa.RecordBatch
    kinds: npt.NDArray[np.int64]
    statuses: npt.NDArray[np.int64]
    delays: npt.NDArray[np.int64]
    starts_ns: npt.NDArray[np.int64]
    flows: npt.NDArray[np.int64]
    servers: list[str]
    ports: list[int]
    protocols: list[str]

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Exchanges:
        """Take the columns out of a batch."""
        return cls(
            batch,
            numbers(batch, "type"),
            numbers(batch, "response_status"),
            numbers(batch, "response_duration"),
            times_ns(batch, "start_time"),
            numbers(batch, "flow_id"),
            addresses(batch, "_1"),
            numbers(batch, "server_port").tolist(),
            texts(batch, "biz_protocol"),
        )


@lru_cache(maxsize=65_536)
def _old_address(value: int) -> str:
    return str(ipaddress.IPv4Address(value))


@lru_cache(maxsize=65_536)
def _new_address(value: bytes) -> str:
    return str(ipaddress.IPv6Address(value))

"""Tags that come after their rows: which rows may get more, what a tagger must see of them, and what it says that is new.

What an address owns may be known only after rows of it were stored. A storage then gives a tagger what its rows are about, each different
combination once, and keeps what the tagger fills that was 0. A tagger goes by the row's own time, so a row of before never gets the
tag of who has its address now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from metaflow_core.api.components import RecordBatch
from metaflow_core.model.catalog.arrow import arrow_type
from metaflow_core.model.catalog.types import TYPES
from metaflow_core.model.catalog.values import Table

__all__ = ["Retold", "Subject", "Tags", "retold", "subjects_of"]

_ADDRESS = ("ip4", "ip6")
_BESIDE = ("is_ipv4", "server_port", "protocol", "role", "agent_id")
_MISSING = ("auto_instance_id", "auto_service_id")
_GROUP = "universal"

Tags: TypeAlias = Callable[[RecordBatch], Awaitable[RecordBatch]]
"""Gives a batch back with more columns filled, as a pipeline's taggers do."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One end of the rows of a table.

    :ivar asked: stored columns that its tags follow from, the time first. :ivar tags: stored columns with numbers that may be filled.
        Those that rows are sorted by are none of them: where a row lies does not change.
    :ivar missing: tags of which one is 0 in every row that something is not known of.
    """

    table: Table
    asked: tuple[str, ...]
    tags: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (*self.asked, *self.tags)

    @property
    def per_second(self) -> int:
        """Units of the table's time in a second."""
        return {"time_s": 1, "time_us": 1_000_000, "time_ns": 1_000_000_000}[self.table.column(self.table.time).type]


def subjects_of(table: Table) -> tuple[Subject, ...]:
    """The ends of a table's rows; none where rows are about no address, or are made from those of another table."""
    if table.rolled_from:
        return ()
    found = []
    for end in {"two": ("_0", "_1"), "one": ("",)}.get(table.ends, ()):
        address = tuple(f"{name}{end}" for name in _ADDRESS)
        tags = tuple(
            column.name
            for column in table.columns
            if column.group == _GROUP
            and column.name.endswith(end)
            and column.name not in table.order_key
            and TYPES[column.type].family == "int"
        )
        missing = tuple(f"{name}{end}" for name in _MISSING if f"{name}{end}" in tags)
        if missing and all(_stored(table, name) for name in address):
            beside = tuple(name for name in _BESIDE if _stored(table, name))
            found.append(Subject(table, (table.time, *address, *beside), tags, missing))
    return tuple(found)


def _stored(table: Table, name: str) -> bool:
    column = table.by_name.get(name)
    return column is not None and column.name == name


@dataclass(frozen=True, slots=True)
class Retold:
    """What is new.

    :ivar rows: which of the rows got more, as indices. :ivar tags: all tags of the subject for these rows.
    """

    rows: pa.Array
    tags: pa.RecordBatch


async def retold(subject: Subject, rows: pa.RecordBatch, tags: Tags) -> Retold | None:
    """What taggers now say of rows that have at least some of the subject's columns; None where that is nothing new.

    A number that stands in a row already is kept, whatever they say.
    """
    names = [name for name in subject.columns if rows.schema.get_field_index(name) >= 0]
    given = rows.select(names)
    told = (await tags(RecordBatch(subject.table.name, given))).data
    if told.num_rows != rows.num_rows:
        return None
    changed = np.zeros(rows.num_rows, np.bool_)
    filled: dict[str, pa.Array] = {}
    for name in subject.tags:
        before, value = (_numbers(batch, name) for batch in (given, told))
        # The kind of an owner goes with its number: that of a mere address (255) may become another one.
        decides = name.replace("_type", "_id")
        if decides in subject.tags:
            value = np.where(_numbers(given, decides) != 0, before, value)
        changed |= value != before
        filled[name] = pa.array(value).cast(arrow_type(subject.table.column(name).type))
    places = pa.array(np.flatnonzero(changed))
    if not len(places):
        return None
    return Retold(places, pa.RecordBatch.from_pydict(filled).take(places))


def _numbers(batch: pa.RecordBatch, name: str) -> np.ndarray:
    index = batch.schema.get_field_index(name)
    if index < 0:
        return np.zeros(batch.num_rows, np.int64)
    values: np.ndarray = batch.column(index).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return values

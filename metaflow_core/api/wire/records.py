"""``MFR1``: the messages of a batch, column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from metaflow_core.api import abi
from metaflow_core.api.wire.checks import expect_type
from metaflow_core.api.wire.columns import encode_attributes, encode_numbers, encode_texts, read_column
from metaflow_core.api.wire.frame import HEADER, MAX_ROWS, WIDTHS, iter_columns, read_header
from metaflow_core.api.wire.message import Message, Record
from metaflow_core.errors import ParseError

__all__ = ["RecordBuilder", "read_records"]

_BY_NAME = {name: (identity, kind) for identity, (name, kind) in abi.RECORD_COLUMNS.items()}
_ORDER = list(_BY_NAME)
_PLACED = ("segment_index", "type", "stream_offset", "time_ns", "length")
"""Columns that nearly every record has, in the order in which :meth:`RecordBuilder.place` takes them."""

Placed = tuple[int, int, int, int, int | None, Any]
_NOWHERE: tuple[None, None, None, None, None] = (None, None, None, None, None)


class RecordBuilder:
    """Builds a result of ``parse`` from messages. About 0.1 us for each value that is set."""

    __slots__ = ("_private", "_rows")

    def __init__(self, private: Mapping[str, int] | None = None) -> None:
        """Begin an empty result.

        :param private: names of text columns of the plugin's own -> their ids, 1024 or more.
        :raises ValueError: an id belongs to the ABI.
        """
        self._rows: list[Any] = []
        self._private = dict(private or {})
        for name, identity in self._private.items():
            if not abi.LIMIT_PRIVATE_COLUMN_MIN <= identity <= 0xFFFF:
                raise ValueError(f"the private column {name!r} has id {identity}; use 1024 to 65535")

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, message: Message | Record) -> None:
        """Add a record; the dictionary is kept until :meth:`finish`. Keys that are no column are ignored."""
        self._rows.append((*_NOWHERE, message))

    @property
    def place(self) -> Callable[[Placed], None]:
        """Add ``(segment_index, type, stream_offset, time_ns, length, message)``: what the message says wins.

        The fast way for drivers, a list's own ``append``; it is always of this builder.
        """
        return self._rows.append

    def finish(self) -> bytes:
        """The ``MFR1`` bytes; the builder is then empty."""
        placed = self._rows
        if not placed:
            return HEADER.pack(abi.MAGIC_RECORDS, 0, 0, 0)
        *known, rows = zip(*placed, strict=True)
        placed.clear()
        used: set[str] = set().union(*rows)
        common = dict(zip(_PLACED, known, strict=True))
        columns: list[bytes] = []
        for name in _ORDER:
            identity, kind = _BY_NAME[name]
            values: Sequence[Any]
            if name in used:
                values = [row.get(name) for row in rows]
                if name in common:
                    pairs = zip(values, common[name], strict=True)
                    values = [default if value is None else value for value, default in pairs]
            elif name in common:
                values = common[name]
            else:
                continue
            if kind != "utf8":
                columns.append(encode_numbers(identity, kind, values))
            elif name == "attributes":
                columns.append(encode_texts(identity, list(map(encode_attributes, values))))
            else:
                columns.append(encode_texts(identity, values))
        for name, identity in self._private.items():
            if name in used:
                columns.append(encode_texts(identity, [row.get(name) for row in rows]))
        written = [column for column in columns if column]
        return HEADER.pack(abi.MAGIC_RECORDS, len(rows), len(written), 0) + b"".join(written)


def read_records(result: bytes | memoryview, segments: int | None = None) -> list[Record]:
    """Read and validate ``MFR1`` bytes: one dictionary a record, holding only what is present.

    Columns of the plugin's own (ids from 1024 on) have their number as key; other columns that are not known are
    passed over, as the ABI's rule for minor versions asks.

    :param segments: how many segments the batch had; no record may name one behind them.
    :raises ParseError: whatever else is wrong.
    """
    view = memoryview(result)
    rows, columns = read_header(view, abi.MAGIC_RECORDS, MAX_ROWS)
    found: dict[int, list[Any]] = {}
    for column in iter_columns(view, columns):
        identity, kind = column.identity, column.kind
        known = abi.RECORD_COLUMNS.get(identity)
        if known is not None:
            expect_type(identity, known, kind, found)
        elif identity < abi.LIMIT_PRIVATE_COLUMN_MIN or (kind != abi.COLUMN_TYPE_UTF8 and kind not in WIDTHS):
            continue
        found[identity] = read_column(view, column, rows)
    _check_required(found, rows, segments)
    out: list[Record] = [{} for _ in range(rows)]
    for identity, values in found.items():
        key = abi.RECORD_COLUMNS[identity][0] if identity in abi.RECORD_COLUMNS else str(identity)
        for record, value in zip(out, values, strict=True):
            if value is not None:
                record[key] = _attributes(value) if identity == abi.RECORD_COLUMN_ATTRIBUTES else value
    return out


def _check_required(found: Mapping[int, list[Any]], rows: int, segments: int | None) -> None:
    for identity in (abi.RECORD_COLUMN_SEGMENT_INDEX, abi.RECORD_COLUMN_TYPE):
        if rows and None in found.get(identity, [None]):
            raise ParseError(
                f"a record lacks {abi.RECORD_COLUMNS[identity][0]} (column {identity}); every record needs it"
            )
    if rows and segments is not None:
        last = max(found[abi.RECORD_COLUMN_SEGMENT_INDEX])
        if last >= segments:
            raise ParseError(f"a record names segment {last}; the batch has {segments} segments")


def _attributes(text: str) -> dict[str, str]:
    parts = text.split("\0")
    return dict(zip(parts[0::2], parts[1::2], strict=False))

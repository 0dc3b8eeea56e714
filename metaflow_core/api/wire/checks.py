"""``MFC1``: one verdict for each segment of a batch."""

from __future__ import annotations

from typing import NamedTuple

from metaflow_core.api import abi
from metaflow_core.api.wire.columns import encode_numbers, encode_texts, read_column
from metaflow_core.api.wire.frame import HEADER, MAX_ROWS, iter_columns, read_header
from metaflow_core.api.wire.message import Verdict
from metaflow_core.errors import ParseError

__all__ = ["Check", "CheckBuilder", "read_checks"]


class Check(NamedTuple):
    """What a parser says of a flow's first bytes.

    :ivar verdict: :class:`Verdict`. :ivar offset: byte of the payload at which it refused. :ivar reason: why, a phrase.
    """

    verdict: Verdict
    offset: int = 0
    reason: str = ""


_NO_ANSWER = Check(Verdict.NO)


class CheckBuilder:
    """Builds a result of ``check`` for a batch of ``segments``; a segment that was not answered gets "no"."""

    def __init__(self, segments: int) -> None:
        self._rows: list[Check] = [_NO_ANSWER] * segments

    def set(self, index: int, check: Check) -> None:
        """Answer one segment.

        :raises IndexError: the batch has no such segment.
        """
        self._rows[index] = check

    def finish(self) -> bytes:
        """The ``MFC1`` bytes."""
        rows = self._rows
        columns = [
            encode_numbers(abi.CHECK_COLUMN_VERDICT, "u8", [row.verdict for row in rows]),
            encode_numbers(abi.CHECK_COLUMN_OFFSET, "u32", [row.offset if row.reason else None for row in rows]),
            encode_texts(abi.CHECK_COLUMN_REASON, [row.reason for row in rows]) if rows else b"",
        ]
        written = [column for column in columns if column]
        return HEADER.pack(abi.MAGIC_CHECKS, len(rows), len(written), 0) + b"".join(written)


def read_checks(result: bytes | memoryview, segments: int | None = None) -> list[Check]:
    """Read and validate ``MFC1`` bytes. A number that is no verdict is a refusal.

    :param segments: how many segments the batch had; the result must answer each.
    :raises ParseError: whatever else is wrong.
    """
    view = memoryview(result)
    rows, columns = read_header(view, abi.MAGIC_CHECKS, MAX_ROWS)
    if segments is not None and rows != segments:
        raise ParseError(f"the result has {rows} verdicts for {segments} segments; each segment needs one")
    found: dict[int, list[object]] = {}
    for column in iter_columns(view, columns):
        identity = column.identity
        known = abi.CHECK_COLUMNS.get(identity)
        if known is None:
            continue
        expect_type(identity, known, column.kind, found)
        found[identity] = read_column(view, column, rows)
    verdicts = found.get(abi.CHECK_COLUMN_VERDICT)
    if verdicts is None:
        if rows == 0:
            return []
        raise ParseError("the result has no column of verdicts (id 1)")
    offsets = found.get(abi.CHECK_COLUMN_OFFSET, [None] * rows)
    reasons = found.get(abi.CHECK_COLUMN_REASON, [None] * rows)
    known_verdicts = {int(verdict): verdict for verdict in Verdict}
    return [
        Check(
            known_verdicts.get(verdict if isinstance(verdict, int) else 0, Verdict.NO),
            offset if isinstance(offset, int) else 0,
            reason if isinstance(reason, str) else "",
        )
        for verdict, offset, reason in zip(verdicts, offsets, reasons, strict=True)
    ]


def expect_type(identity: int, known: tuple[str, str], kind: int, found: dict[int, list[object]]) -> None:
    """Refuse a known column that has another type or comes twice.

    :raises ParseError: it is so.
    """
    name, wanted = known
    number = {"u8": 1, "i32": 2, "u32": 3, "u64": 4, "utf8": 5}[wanted]
    if kind != number:
        raise ParseError(f"column {identity} ({name}) has type {kind}, the ABI says {number} ({wanted})")
    if identity in found:
        raise ParseError(f"column {identity} ({name}) appears twice")

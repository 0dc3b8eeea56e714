"""Test cases of an author (``testcases/*.toml``): segments in, records out, and the same for every split.

::

    [[segment]]
    direction = "c2s"        # or "s2c"; also session, time_ns
    text = "GET a\\r\\n"       # or hex = "47 45 54"; or gap = 100; or close = true

    [[expect]]               # one for each record, in order; only the keys that stand here are compared
    type = "request"
    request_type = "GET"
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaflow_core.api import ParserFault, ParserRuntime, abi
from metaflow_core.api.wire import BatchBuilder, Record, read_records
from metaflow_core.errors import InputError, ParseError

__all__ = ["Case", "check_case"]

_NAMES = {
    "type": {name: number for number, name in abi.RECORD_TYPE_NAMES.items()},
    "status": {name: number for number, name in abi.STATUS_NAMES.items()},
}
_MOST_SPLITS = 400
_DAMAGED = 100


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment of a case: data, or ``gap`` bytes missing, or the end."""

    data: bytes
    direction: int = 0
    session: int = 1
    time_ns: int = 0
    gap: int = 0
    close: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One conversation and what is expected of it."""

    name: str
    pieces: tuple[Piece, ...]
    expect: tuple[Record, ...]

    @classmethod
    def read(cls, path: Path) -> Case:
        """Read a case.

        :raises InputError: with a sentence.
        """
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
            pieces = tuple(_piece(item) for item in raw.get("segment", []))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}: the test case cannot be read: {error}") from error
        unknown = {key for record in raw.get("expect", []) for key in record} - {
            name for name, _ in abi.RECORD_COLUMNS.values()
        }
        if unknown or not pieces:
            what = (
                f"[[expect]] names {', '.join(sorted(unknown))}, which no record has"
                if unknown
                else "it has no [[segment]]"
            )
            raise InputError(f"{path}: {what}")
        expect = tuple({key: _number(key, value) for key, value in record.items()} for record in raw.get("expect", []))
        return cls(path.stem, pieces, expect)


def _piece(item: dict[str, Any]) -> Piece:
    data = bytes.fromhex(item["hex"]) if "hex" in item else str(item.get("text", "")).encode()
    direction = {"c2s": 0, "s2c": 1}[item.get("direction", "c2s")]
    return Piece(
        data,
        direction,
        int(item.get("session", 1)),
        int(item.get("time_ns", 0)),
        int(item.get("gap", 0)),
        bool(item.get("close")),
    )


def _number(key: str, value: object) -> object:
    return _NAMES[key].get(value, value) if key in _NAMES and isinstance(value, str) else value


def _play(runtime: ParserRuntime, pieces: Iterator[Piece] | tuple[Piece, ...]) -> list[Record]:
    batch = BatchBuilder()
    for piece in pieces:
        where: dict[str, Any] = {"session_id": piece.session, "timestamp_ns": piece.time_ns}
        if piece.close:
            batch.close(**where)
        elif piece.gap:
            batch.gap(piece.gap, direction=piece.direction, **where)
        else:
            batch.data(piece.data, direction=piece.direction, **where)
    count = len(batch)
    found = read_records(runtime.parse(memoryview(batch.finish())), count)
    for record in found:
        del record["segment_index"]
        record.pop("passes", None)
    return found


def _splits(pieces: tuple[Piece, ...]) -> Iterator[tuple[str, tuple[Piece, ...]]]:
    """Every cut of every segment (evenly chosen ones when there are too many), and all of it byte by byte."""
    cuts = [(index, at) for index, piece in enumerate(pieces) for at in range(1, len(piece.data))]
    for index, at in cuts[:: max(1, len(cuts) // _MOST_SPLITS)]:
        piece = pieces[index]
        two = (_with(piece, piece.data[:at]), _with(piece, piece.data[at:]))
        yield f"segment {index} cut at byte {at}", (*pieces[:index], *two, *pieces[index + 1 :])
    yield (
        "byte by byte",
        tuple(
            part
            for piece in pieces
            for part in ([_with(piece, bytes([byte])) for byte in piece.data] if piece.data else [piece])
        ),
    )


def _with(piece: Piece, data: bytes) -> Piece:
    return Piece(data, piece.direction, piece.session, piece.time_ns)


def check_case(case: Case, create: Callable[[], ParserRuntime]) -> list[str]:
    """Play a case: as it is, split, cut short, damaged; returns what is wrong, as sentences."""
    try:
        whole = _play(create(), case.pieces)
    except (ParserFault, ParseError) as error:
        return [f"the parser lost the batch: {error}"]
    wrong = _compare(case.expect, whole)
    for what, pieces in _splits(case.pieces):
        try:
            found = _play(create(), pieces)
        except (ParserFault, ParseError) as error:
            wrong.append(f"{what}: the parser lost the batch: {error}")
            break
        if found != whole:
            wrong.append(f"{what}: the records differ from those of the whole: {_difference(whole, found)}")
            break
    return wrong + _damage(case, create)


def _compare(expect: tuple[Record, ...], found: list[Record]) -> list[str]:
    if len(expect) != len(found):
        return [f"{len(expect)} records are expected, {len(found)} were found: {found}"]
    return [
        f"record {index}: {key} should be {value!r}, found {record.get(key)!r}"
        for index, (wanted, record) in enumerate(zip(expect, found, strict=True))
        for key, value in wanted.items()
        if record.get(key) != value
    ]


def _difference(whole: list[Record], found: list[Record]) -> str:
    for index, (one, other) in enumerate(zip(whole, found, strict=False)):
        if one != other:
            return f"record {index} is {other}, of the whole {one}"
    return f"{len(found)} records, of the whole {len(whole)}"


def _damage(case: Case, create: Callable[[], ParserRuntime]) -> list[str]:
    """Truncation and garbage may give any records, but never a fault."""
    source = random.Random(case.name)  # noqa: S311 - reproducible damage, not a secret
    runtime = create()
    for number in range(_DAMAGED):
        pieces = []
        for piece in case.pieces:
            data = bytearray(
                piece.data[: source.randrange(len(piece.data) + 1)] if source.random() < 0.5 else piece.data
            )
            for _ in range(source.randrange(4) if data else 0):
                data[source.randrange(len(data))] = source.randrange(256)
            session = piece.session * 1000 + number
            pieces.append(Piece(bytes(data), piece.direction, session, piece.time_ns, piece.gap, piece.close))
            if source.random() < 0.1:
                pieces.append(Piece(source.randbytes(40), piece.direction, session))
        try:
            _play(runtime, tuple(pieces))
        except (ParserFault, ParseError) as error:
            return [f"damaged input number {number}: {error}"]
    return []

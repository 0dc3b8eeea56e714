"""What taggers of an agent know, as batches: they ride in the spool among the rows, under names that no table has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from metaflow_core.errors import ParseError
from metaflow_core.tagging import Entry, document

__all__ = [
    "ENTRIES",
    "KNOWLEDGE",
    "MADE_OF_NAMES",
    "NAMES",
    "Op",
    "key_of",
    "names_batch",
    "names_of",
    "ops_batch",
    "ops_of",
]

NAMES = "names"
"""Names of numbers that a tagger of the agent put on rows."""

ENTRIES = "entries"
"""Who owns which addresses: the server tags with them."""

KNOWLEDGE = frozenset({NAMES, ENTRIES})

MADE_OF_NAMES = 1 << 31
"""Numbers from here on are made from what they stand for, so they are the same everywhere; lower ones were counted up in one machine's book."""

_NAMES = pa.schema(
    [("dictionary", pa.utf8()), ("number", pa.uint32()), ("text", pa.utf8()), ("valid_from_s", pa.int64())]
)
_ENTRIES = pa.schema(
    [
        (name, pa.int64() if name == "reign" else pa.utf8())
        for name in ("op", "tagger", "scope", "reign", "key", "entry")
    ]
)


@dataclass(frozen=True, slots=True)
class Op:
    """One thing that an agent says of what a tagger knows.

    :ivar op: ``member`` (the agent's rows belong to the scope), ``begin`` (all of it follows), ``put``, ``drop``, ``whole`` (that was all).
    :ivar key: the content of an entry in short. :ivar entry: its JSON.
    """

    op: str
    tagger: str
    scope: str = ""
    reign: int = 0
    key: str = ""
    entry: str = ""


def key_of(entry: Entry) -> tuple[str, str]:
    """The key of an entry, and its JSON: equal entries have equal ones."""
    text = json.dumps(document(entry), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest(), text


def names_batch(dictionary: str, names: Mapping[int, str], valid_from_s: int | None) -> pa.RecordBatch:
    """Names as they are told to a storage."""
    size = len(names)
    arrays = [
        pa.array([dictionary] * size, pa.utf8()),
        pa.array(list(names), pa.uint32()),
        pa.array(list(names.values()), pa.utf8()),
        pa.array([valid_from_s] * size, pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=_NAMES)


def names_of(data: pa.RecordBatch) -> Iterator[tuple[str, int, str, int | None]]:
    """Dictionary, number, text, and since when.

    :raises ParseError: they are none.
    """
    _check(data, _NAMES, NAMES)
    yield from zip(*(column.to_pylist() for column in data.columns), strict=True)


def ops_batch(ops: Iterable[Op]) -> pa.RecordBatch:
    """Things said, in their order."""
    rows = [(each.op, each.tagger, each.scope, each.reign, each.key, each.entry) for each in ops]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_ENTRIES)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, _ENTRIES, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_ENTRIES)


def ops_of(data: pa.RecordBatch) -> list[Op]:
    """Things said.

    :raises ParseError: they are none.
    """
    _check(data, _ENTRIES, ENTRIES)
    return [Op(*row) for row in zip(*(column.to_pylist() for column in data.columns), strict=True)]


def _check(data: pa.RecordBatch, schema: pa.Schema, name: str) -> None:
    if not data.schema.equals(schema):
        raise ParseError(f"a batch of {name} has columns of its own: {', '.join(data.schema.names)[:200]}")
    optional = {"valid_from_s"}
    for field, column in zip(schema, data.columns, strict=True):
        if column.null_count and field.name not in optional:
            raise ParseError(f"a batch of {name} has a null in the column {field.name}")

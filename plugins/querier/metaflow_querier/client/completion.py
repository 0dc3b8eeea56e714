"""What may be written next, from the catalogue: independent of any terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from metaflow_core.errors import QueryError
from metaflow_core.model.catalog import Catalog, Column, Table

__all__ = ["suggestions", "word_before"]

_CLAUSES = (
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "OFFSET",
    "SLIMIT",
    "AND",
    "OR",
    "NOT",
    "LIKE",
    "REGEXP",
    "IN",
    "AS",
    "DESC",
)
_STARTS = (
    "SELECT",
    "SHOW TABLES",
    "SHOW TAGS FROM",
    "SHOW METRICS FROM",
    "SHOW METRICS FUNCTIONS",
    "SHOW TAG",
    "SHOW ENUM",
    "SHOW DATABASES",
    "EXPLAIN SELECT",
)
_WORD = re.compile(r"[A-Za-z0-9_.]*$")
_TABLE = re.compile(r"\bfrom\s+([A-Za-z0-9_.]+)", re.IGNORECASE)
_COMPARED = re.compile(r"([A-Za-z0-9_.]+)\s*(?:=|!=|\bin\s*\()\s*'([^']*)$", re.IGNORECASE)


def word_before(text: str) -> str:
    """The part of a word that stands before the cursor."""
    compared = _COMPARED.search(text)
    if compared is not None:
        return compared.group(2)
    found = _WORD.search(text)
    return found.group() if found else ""


def suggestions(before: str, whole: str, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Words that may stand at the cursor, and what each is.

    :param before: the text before the cursor. :param whole: all of it: the table stands behind the columns.
    """
    word = word_before(before)
    head = before[: len(before) - len(word)]
    for text, what in _candidates(head, whole, catalog):
        if text.lower().startswith(word.lower()) and text != word:
            yield text, what


def _candidates(head: str, whole: str, catalog: Catalog) -> Iterator[tuple[str, str]]:
    if not head.strip():
        yield from ((each, "") for each in _STARTS)
        return
    if re.search(r"\bfrom\s+$", head, re.IGNORECASE):
        yield from ((each.short, each.description) for each in catalog.tables.values())
        return
    if re.search(r"\benum\s+$", head, re.IGNORECASE):
        yield from ((enum.name, enum.description) for enum in catalog.enums.values())
        return
    table = _table(whole, catalog)
    compared = _COMPARED.search(head)
    if compared is not None:
        yield from _members(compared.group(1), table, catalog)
        return
    if table is not None:
        for name, field in table.by_name.items():
            yield name, f"{'metric' if getattr(field, 'unit', '') else field.kind}: {field.description}"
    yield from ((function.name + "(", function.description) for function in catalog.functions.values())
    yield from ((each, "") for each in ("time(", "Enum(", "exist(", *_CLAUSES))


def _table(text: str, catalog: Catalog) -> Table | None:
    found = _TABLE.search(text)
    try:
        return catalog.table(found.group(1)) if found else None
    except QueryError:
        return None


def _members(name: str, table: Table | None, catalog: Catalog) -> Iterator[tuple[str, str]]:
    column = table.by_name.get(name) if table is not None else None
    if isinstance(column, Column) and column.enum:
        yield from ((member.name, member.description) for member in catalog.enum(column.enum).members)

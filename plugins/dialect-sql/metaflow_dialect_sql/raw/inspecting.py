"""SHOW, DESCRIBE, EXISTS and EXPLAIN: statements by which clients find out what there is."""

from __future__ import annotations

from collections.abc import Callable

from metaflow_core.errors import QuerySyntaxError
from metaflow_dialect_sql.raw.words import Kind, Word, joined

__all__ = ["inspecting"]

_LISTS = (
    "DATABASES",
    "TABLES",
    "DICTIONARIES",
    "COLUMNS",
    "FIELDS",
    "FUNCTIONS",
    "CREATE",
    "INDEXES",
    "INDEX",
    "KEYS",
    "SETTINGS",
    "ENGINES",
)
_COMPARED = frozenset({"=", "!=", "LIKE", "ILIKE", "like", "ilike"})
_CONSTANTS = frozenset({Kind.TEXT, Kind.NUMBER})
_EXPLAINED = frozenset({"AST", "SYNTAX", "QUERY", "TREE", "PLAN", "PIPELINE", "ESTIMATE"})


def inspecting(
    words: list[Word],
    *,
    allowed: Callable[[str, int], None],
    select: Callable[[list[Word]], str],
    database: str = "",
) -> str:
    """The statement as it may be run.

    :param allowed: checks the name of a table. :param select: checks a SELECT, and gives its text.
    :param database: of tables named without one.
    :raises QuerySyntaxError: it is no such statement.
    """
    first = words[0].upper
    if first == "EXPLAIN":
        index = 1
        while index < len(words) and words[index].upper in _EXPLAINED:
            index += 1
        return f"EXPLAIN {joined(words[1:index])} {select(words[index:])}".replace("  ", " ")
    if first in ("DESCRIBE", "DESC"):
        return _describe(words, allowed, select, database)
    if first == "EXISTS":
        return _exists(words, database)
    return _show(words, allowed, database)


def _describe(
    words: list[Word], allowed: Callable[[str, int], None], select: Callable[[list[Word]], str], database: str
) -> str:
    rest = words[2:] if len(words) > 1 and words[1].upper == "TABLE" else words[1:]
    if len(rest) > 2 and rest[0].text == "(" and rest[-1].text == ")":
        return f"DESCRIBE TABLE ({select(rest[1:-1])})"
    name, after = _name(rest, allowed, database)
    _nothing(rest[after:])
    return f"DESCRIBE TABLE {name}"


def _exists(words: list[Word], database: str) -> str:
    what = words[1].upper if len(words) > 2 else ""
    if what == "DATABASE":
        if len(words) != 3 or not words[2].is_name:
            raise QuerySyntaxError("EXISTS DATABASE name", words[0].at)
        return joined(words)
    rest = words[2:] if what in ("TABLE", "VIEW", "DICTIONARY") else words[1:]
    # That a table is not there is what was asked.
    name, after = _name(rest, lambda *_: None, database)
    _nothing(rest[after:])
    return f"EXISTS {what or 'TABLE'} {name}"


def _show(words: list[Word], allowed: Callable[[str, int], None], database: str) -> str:
    index = 1
    while index < len(words) and words[index].upper in ("FULL", "EXTENDED", "CHANGED"):
        index += 1
    what = words[index].upper if index < len(words) else ""
    if what not in _LISTS:
        raise QuerySyntaxError(
            "there are SHOW DATABASES, TABLES, COLUMNS, DICTIONARIES, FUNCTIONS and CREATE TABLE",
            words[min(index, len(words) - 1)].at,
        )
    rest = words[index + 1 :]
    if what == "CREATE":
        kind = (
            rest[0].upper
            if rest and rest[0].upper in ("TABLE", "VIEW", "DICTIONARY", "DATABASE") and len(rest) > 1
            else ""
        )
        name, after = _name(
            rest[1:] if kind else rest,
            (lambda *_: None) if kind == "DATABASE" else allowed,
            "" if kind == "DATABASE" else database,
        )
        _nothing(rest[after + bool(kind) :])
        return f"SHOW CREATE {kind or 'TABLE'} {name}"
    _narrowing(rest, what)
    if what == "COLUMNS" and len(rest) > 1:
        tables = [
            each
            for each in rest[1:]
            if each.is_name and each.upper not in ("FROM", "IN", "LIKE", "LIMIT", "NOT", "ILIKE", "WHERE")
        ]
        if any(each.text.lower() in ("system", "information_schema") for each in tables):
            raise QuerySyntaxError("columns of the system's tables are told by DESCRIBE", rest[0].at)
    if what in ("TABLES", "DICTIONARIES") and database and not any(each.upper in ("FROM", "IN") for each in rest):
        return f"{joined(words[: index + 1])} FROM `{database}` {joined(rest)}".rstrip()
    return joined(words)


def _narrowing(words: list[Word], what: str) -> None:
    """``FROM table FROM db``, ``LIKE 'x'``, ``WHERE name = 'x'``, ``LIMIT n``, and nothing else: what ClickHouse takes behind them may
    write a file (``INTO OUTFILE``).

    :raises QuerySyntaxError: something else stands there.
    """
    index = 0
    while index < len(words):
        part = words[index : index + 4]
        kinds = [each.kind for each in part]
        first, second = part[0].upper, part[1].upper if len(part) > 1 else ""
        if first in ("FROM", "IN") and len(part) > 1 and part[1].is_name and second not in ("FROM", "IN", "INTO"):
            dotted = len(part) == 4 and part[2].text == "." and kinds[2] is Kind.SIGN and part[3].is_name
            index += 4 if dotted else 2
        elif first in ("LIKE", "ILIKE") and kinds[1:2] == [Kind.TEXT]:
            index += 2
        elif first == "NOT" and second in ("LIKE", "ILIKE") and kinds[2:3] == [Kind.TEXT]:
            index += 3
        elif first == "LIMIT" and kinds[1:2] == [Kind.NUMBER]:
            index += 2
        elif (
            first == "WHERE"
            and len(part) == 4
            and part[1].is_name
            and part[2].text in _COMPARED
            and kinds[3] in _CONSTANTS
        ):
            index += 4
        else:
            raise QuerySyntaxError(f"{part[0].text!r} is not taken in SHOW {what}", part[0].at)


def _name(words: list[Word], allowed: Callable[[str, int], None], database: str) -> tuple[str, int]:
    """A table's name in its text, and how many words it took."""
    if not words or not words[0].is_name:
        raise QuerySyntaxError("expected the name of a table", words[0].at if words else None)
    taken = 3 if len(words) > 2 and words[1].text == "." and words[2].is_name else 1
    allowed(".".join(each.text for each in words[:taken:2]), words[0].at)
    prefix = f"`{database}`." if taken == 1 and database else ""
    return prefix + joined(words[:taken]), taken


def _nothing(words: list[Word]) -> None:
    if words:
        raise QuerySyntaxError(f"{words[0].text!r} is not expected here", words[0].at)

"""Decides whether a text of a storage's own SQL may be run. Two nets, each enough for what it is for:

* **words** (:mod:`~metaflow_dialect_sql.raw.words`): whatever stands before a parenthesis must be a known function, so no ``file()``
  is ever called, however the text is nested; nothing writes; tables of the system are a short list.
* **the parsed tree**: one reading statement, of nodes that are known, over tables of the catalogue.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.errors import SqlglotError

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import Catalog
from metaflow_core.model.catalog.names import suggestion
from metaflow_dialect_sql.config import SqlConfig
from metaflow_dialect_sql.guard import check_text
from metaflow_dialect_sql.raw.allowed import (
    DENIED_WORDS,
    FORMATS,
    KEYWORDS,
    SYSTEM_TABLES,
    TABLE_FUNCTIONS,
    is_function,
    is_setting,
    takes_function,
)
from metaflow_dialect_sql.raw.handed import handed
from metaflow_dialect_sql.raw.inspecting import inspecting
from metaflow_dialect_sql.raw.lengths import check_lengths
from metaflow_dialect_sql.raw.naming import called, check_call, is_expression, is_looked_at, lone, named_by_in
from metaflow_dialect_sql.raw.variables import replaced
from metaflow_dialect_sql.raw.words import Kind, Word, joined, split
from metaflow_dialect_sql.statements import at

__all__ = ["RawStatement", "checked_raw", "checked_settings", "checked_statement"]

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # its remarks on statements that it does not know are ours to make

_MAX_WORDS = 20_000
_MAX_SELECTS = 200
"""ClickHouse looks at no limit of time while it plans, and plans 3,000 of them for a minute."""
_READING = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN"})
_OWN = frozenset({"flow_tag", "metaflow_system"})
"""Databases of the store's own: names of tags, versions of the schema."""
_NODES: tuple[type[exp.Expr], ...] = (
    exp.Select, exp.SetOperation, exp.Subquery, exp.With, exp.CTE, exp.From, exp.Where, exp.PreWhere, exp.Group, exp.Having, exp.Order,
    exp.Ordered, exp.WithFill, exp.Limit, exp.Offset, exp.Fetch, exp.Distinct, exp.Join, exp.Table, exp.TableAlias, exp.Alias, exp.Aliases,
    exp.Column, exp.Identifier, exp.Dot, exp.Star, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Tuple, exp.Array, exp.Bracket,
    exp.Slice, exp.In, exp.Between, exp.Is, exp.Like, exp.ILike, exp.RegexpLike, exp.Not, exp.And, exp.Or, exp.Neg, exp.Add, exp.Sub,
    exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.DPipe, exp.Case, exp.If,
    exp.Cast, exp.DataType, exp.DataTypeParam, exp.Interval, exp.Var, exp.Window, exp.WindowSpec, exp.Lambda, exp.PropertyEQ, exp.Exists,
    exp.CombinedAggFunc, exp.ParameterizedAgg, exp.CombinedParameterizedAgg, exp.AnonymousAggFunc, exp.Final, exp.TableSample,
    exp.RespectNulls, exp.IgnoreNulls, exp.Rollup, exp.Cube, exp.GroupingSets, exp.HexString, exp.BitString, exp.ColumnDef, exp.Filter,
    exp.Func, exp.LimitOptions, exp.Except, exp.Intersect, exp.Union, exp.Explode, exp.Lateral, exp.IntervalSpan, exp.Extract,
    exp.AtTimeZone, exp.Distance, exp.National, exp.RawString, exp.JSONPath, exp.JSONPathPart,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RawStatement:
    """What may be run.

    :ivar text: the statement without FORMAT and SETTINGS. :ivar form: the FORMAT asked for; empty for none.
    :ivar settings: the SETTINGS asked for. :ivar is_select: a SELECT, to which settings can be added.
    """

    text: str
    form: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    is_select: bool = True


@dataclass(frozen=True, slots=True)
class _Rules:
    catalog: Catalog
    database: str
    open: bool


def checked_raw(text: str, catalog: Catalog, config: SqlConfig) -> str:
    """One SELECT over tables of the catalogue by their full names; no comments, no FORMAT, no SETTINGS.

    :raises QuerySyntaxError: it is something else, with the reason.
    """
    check_text(text, max_bytes=config.max_text_bytes, max_nesting=config.max_nesting)
    words = split(text, allow_comments=False)
    rules = _Rules(catalog, "", open=False)
    statement = _checked_select(_without_end(words), rules, config)
    if statement.form or statement.settings:
        raise QuerySyntaxError(f"{'FORMAT' if statement.form else 'SETTINGS'} is not taken in raw SQL")
    return statement.text


def checked_statement(
    text: str,
    catalog: Catalog,
    config: SqlConfig,
    *,
    database: str = "",
    variables: Mapping[str, str] | None = None,
) -> RawStatement:
    """One reading statement as ClickHouse's own clients send them: SELECT, SHOW, DESCRIBE, EXISTS, EXPLAIN; with comments, FORMAT,
    SETTINGS, parameters (``{name:Type}``), tables of the system that tell what there is.

    :param database: of tables named without one. :param variables: values of parameters, in ClickHouse's escaping of TSV.
    :raises QuerySyntaxError: it is something else, with the reason.
    """
    if len(text.encode("utf-8", "replace")) > config.max_text_bytes:
        raise QuerySyntaxError(f"the question is longer than {config.max_text_bytes} bytes; ask for less at once")
    begin = re.match(r"\s*([A-Za-z]+)\b", text)
    if begin is not None and begin.group(1).upper() not in _READING:
        # Before its words are looked at: an INSERT carries bytes of any kind.
        raise QuerySyntaxError(_reads_only(begin.group(1), open_=True), begin.start(1) + 1)
    words = _without_end(split(text, allow_comments=True))
    if not words:
        raise QuerySyntaxError("the question is empty", 1)
    words = replaced(words, variables or {})
    known = {name.partition(".")[0] for name in (*catalog.tables, *SYSTEM_TABLES)} | _OWN
    rules = _Rules(catalog, database if database in known else "", open=True)
    first = words[0].upper
    if first in _READING - {"SELECT", "WITH"}:
        words, form, settings = _cut_tail(words)
        shown = inspecting(
            words,
            allowed=lambda name, place: _check_table(name, rules, place),
            select=lambda inner: _checked_select(inner, rules, config).text,
            database=database,
        )
        return RawStatement(shown, form, settings, is_select=False)
    return _checked_select(words, rules, config)


def checked_settings(settings: Mapping[str, object]) -> dict[str, str]:
    """Settings as texts.

    :raises QuerySyntaxError: one may not be changed.
    """
    for name in settings:
        if not is_setting(name):
            raise QuerySyntaxError(f"the setting {name!r} cannot be changed here: this reads only")
    return {name: str(value) for name, value in settings.items()}


def _reads_only(found: str, *, open_: bool) -> str:
    return f"this reads only: one SELECT{', SHOW, DESCRIBE, EXISTS or EXPLAIN' if open_ else ''}, not {found[:40]!r}"


def _without_end(words: list[Word]) -> list[Word]:
    """The words before a semicolon that may end them.

    :raises QuerySyntaxError: something follows it.
    """
    for index, word in enumerate(words):
        if word.kind is Kind.SIGN and word.text == ";":
            rest = [each for each in words[index:] if each.text != ";" or each.kind is not Kind.SIGN]
            if rest:
                raise QuerySyntaxError("one statement is taken at a time; a second one begins here", rest[0].at)
            return words[:index]
    return words


def _checked_select(words: list[Word], rules: _Rules, config: SqlConfig) -> RawStatement:
    if not words:
        raise QuerySyntaxError("the question is empty", 1)
    words, form, settings = _cut_tail(words)
    if words and words[0].upper not in ("SELECT", "WITH") and words[0].text != "(":
        raise QuerySyntaxError(_reads_only(words[0].text, open_=rules.open), words[0].at)
    _check_words(words, rules, config)
    shown = joined(words)
    tree = _parsed(shown)
    for node in tree.walk():
        _check_node(node, rules)
    return RawStatement(_qualified(shown, tree, rules), form, settings)


def _qualified(shown: str, tree: exp.Expr, rules: _Rules) -> str:
    """The text with the database before the names of tables that have none."""
    places = []
    for node in tree.find_all(exp.Table) if rules.database else ():
        name = node.this.this if isinstance(node.this, exp.Identifier) else ""
        if node.args.get("db") or not name or is_expression(node, name):
            continue
        if (start := node.this.meta.get("start")) is not None:
            places.append(int(start))
    for place in sorted(places, reverse=True):
        shown = f"{shown[:place]}`{rules.database}`.{shown[place:]}"
    return shown


def _cut_tail(words: list[Word]) -> tuple[list[Word], str, dict[str, str]]:
    """The words before ``SETTINGS ...`` and ``FORMAT x``, which may stand at the end in either order, and what those say."""
    form = ""
    settings: dict[str, str] = {}
    for _ in range(2):
        index = _last_outside(words, "FORMAT")
        if index is not None and len(words) == index + 2 and words[-1].is_name:
            form, words = words[-1].text, words[:index]
            if form not in FORMATS:
                raise QuerySyntaxError(
                    f"the form {form!r} is not given here{suggestion(form, FORMATS)}", words[-1].at if words else 1
                )
        index = _last_outside(words, "SETTINGS")
        if index is not None:
            settings.update(_settings(words[index + 1 :], words[index].at))
            words = words[:index]
    return words, form, settings


def _last_outside(words: list[Word], name: str) -> int | None:
    depth = 0
    for index in range(len(words) - 1, -1, -1):
        word = words[index]
        if word.kind is Kind.SIGN:
            depth += (word.text in ")]}") - (word.text in "([{")
        elif depth == 0 and word.upper == name and index and index + 1 < len(words) and words[index + 1].text != "(":
            before = words[index - 1]
            return None if before.kind is Kind.SIGN and before.text in (".", ",") else index
    return None


def _settings(words: list[Word], place: int) -> Iterator[tuple[str, str]]:
    for start in range(0, len(words), 4):
        part = words[start : start + 4]
        name = part[0] if part else None
        if (
            len(part) < 3
            or name is None
            or not name.is_name
            or part[1].text != "="
            or (len(part) == 4 and part[3].text != ",")
        ):
            raise QuerySyntaxError("SETTINGS are written name = value, ...", place)
        if not is_setting(name.text):
            raise QuerySyntaxError(f"the setting {name.text!r} cannot be changed here: this reads only", name.at)
        if part[2].kind not in (Kind.NUMBER, Kind.TEXT):
            raise QuerySyntaxError("a setting is a number or a text", part[2].at)
        yield name.text, part[2].text


def _check_words(words: list[Word], rules: _Rules, config: SqlConfig) -> None:
    if len(words) > _MAX_WORDS:
        raise QuerySyntaxError("the question has too many parts; ask for less at once")
    if sum(word.upper == "SELECT" for word in words) > _MAX_SELECTS:
        raise QuerySyntaxError(f"the question has more than {_MAX_SELECTS} SELECTs; ask for less at once")
    last = words[-1]
    if last.kind is Kind.SIGN and last.text not in (")", "]", "*"):
        # ClickHouse would read what is added behind as a part of the question.
        raise QuerySyntaxError(f"the question ends in the middle, after {last.text!r}", last.at)
    check_lengths(words)
    depth = 0
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else None
        if word.kind is Kind.SIGN:
            depth += (word.text in "([") - (word.text in ")]")
            if depth > config.max_nesting:
                raise QuerySyntaxError(f"more than {config.max_nesting} levels of parentheses", word.at)
            if word.text in "{}":
                raise QuerySyntaxError("parameters are written {name:Type}", word.at)
            continue
        if word.upper in DENIED_WORDS and not (index and words[index - 1].text == "."):
            raise QuerySyntaxError(DENIED_WORDS[word.upper], word.at)
        after = words[index + 2] if index + 2 < len(words) else None
        if (
            word.upper == "SETTINGS"
            and following is not None
            and following.is_name
            and after is not None
            and after.text == "="
        ):
            raise QuerySyntaxError("SETTINGS is not taken inside of a question", word.at)
        if not word.is_name or following is None or following.kind is not Kind.SIGN:
            continue
        if following.text == "(":
            _check_call(words, index, rules)
        elif following.text == "." and word.text.lower() in ("system", "information_schema"):
            _check_table(f"{word.text}.{words[index + 2].text if index + 2 < len(words) else ''}", rules, word.at)


def _check_call(words: list[Word], index: int, rules: _Rules) -> None:
    """What stands before a parenthesis is a known function, or a word of the language."""
    word = words[index]
    before = words[index - 1] if index else None
    if takes_function(word.text) and (name := handed(words, index)) and not _may_be_handed(name):
        raise QuerySyntaxError(
            f"{word.text} would call {name.text[:60]!r}, which is not among the functions that may be handed over by name; write "
            "x -> ... for what is to be done",
            name.at,
        )
    if is_function(word.text, of_server=rules.open) or word.upper in KEYWORDS:
        return
    if before is not None and (before.upper in ("FROM", "JOIN", "IN") or before.text == ","):
        if rules.open and word.text.lower() in TABLE_FUNCTIONS:
            return
        if before.upper:
            raise QuerySyntaxError("table functions such as file(), url() or remote() are not taken", word.at)
    # A common table expression with columns, or an alias with them: name(columns) AS (...)
    raise QuerySyntaxError(f"the function {word.text[:60]!r} is not among those that raw SQL may use", word.at)


def _may_be_handed(name: Word) -> bool:
    """Its arguments are not seen then, so it is none of those whose arguments are looked at."""
    return is_function(name.text) and not is_looked_at(name.text)


def _parsed(text: str) -> exp.Expr:
    try:
        trees = [tree for tree in ClickHouse().parse(text) if tree is not None]
    except SqlglotError as error:
        raise QuerySyntaxError(f"the SQL cannot be read: {str(error).splitlines()[0][:200]}") from None
    except RecursionError:
        raise QuerySyntaxError("the question is nested too deeply") from None
    if len(trees) != 1:
        raise QuerySyntaxError("one statement is taken at a time")
    tree = trees[0]
    while isinstance(tree, exp.Subquery | exp.Paren) and isinstance(tree.this, exp.Expr):
        tree = tree.this
    if not isinstance(tree, exp.Select | exp.SetOperation):
        raise QuerySyntaxError(f"raw SQL is one SELECT, not {type(tree).__name__.upper()}", at(tree))
    return trees[0]


def _check_node(node: exp.Expr, rules: _Rules) -> None:
    closed = () if rules.open else ("sample", "finals", "pivots", "laterals")
    for key in ("settings", "format", "into", "hint", "locks", "pivots", *closed):
        # Of a function it is an argument: formatDateTime(time, '%H').
        if node.args.get(key) and not (key == "format" and isinstance(node, exp.Func)):
            raise QuerySyntaxError(f"{key.upper()} is not taken in raw SQL", at(node))
    if isinstance(node, exp.Table):
        if not isinstance(node.this, exp.Identifier):
            if rules.open and isinstance(node.this, exp.Func) and called(node.this) in TABLE_FUNCTIONS:
                return
            raise QuerySyntaxError("table functions such as file(), url() or remote() are not taken", at(node))
        parts = [node.args.get(key) for key in ("catalog", "db", "this")]
        name = ".".join(str(part.this) for part in parts if part)
        if not is_expression(node, name):
            _check_table(name, rules, at(node))
        return
    if isinstance(node, exp.In):
        if (table := named_by_in(node)) and not is_expression(node, table):
            _check_table(table, rules, at(node))
        if isinstance(lone(node), exp.Column):
            # ClickHouse takes the only name within IN (...) for a table when it is no column.
            raise QuerySyntaxError(
                "IN (name) may be a column or a table; write = for a column, IN name for a table", at(node)
            )
    check_call(node)
    if not isinstance(node, _NODES):
        raise QuerySyntaxError(f"{type(node).__name__} is not taken in raw SQL", at(node))


def _check_table(name: str, rules: _Rules, place: int | None) -> None:
    tables = rules.catalog.tables
    if name in tables:
        return
    if rules.open:
        if rules.database and f"{rules.database}.{name}" in tables:
            return
        if name in SYSTEM_TABLES or f"{rules.database}.{name}" in SYSTEM_TABLES or name.partition(".")[0] in _OWN:
            return
    raise QuerySyntaxError(
        f"raw SQL asks tables of the catalogue by their full names; there is no {name!r}{suggestion(name, tables)}",
        place,
    )

"""From text to a statement: which of the few kinds it is, its tree, and the clauses that the grammar does not know.

``SLIMIT n`` and ``SORDER BY x`` are cut out of the tokens and read apart; every token keeps its place, so mistakes are told at the
column where they stand in the text that was sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlglot import exp

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog.names import suggestion
from metaflow_dialect_sql.grammar import Grammar, ParseError, TokenType

__all__ = ["Explain", "Select", "Show", "Statement", "at", "parse_select", "parse_statement"]

Token: TypeAlias = Any
_MAX_DEPTH = 100
_REASONS = {
    "INTO": "INTO is not taken: a question writes nothing",
    "OUTFILE": "INTO OUTFILE is not taken: a question writes nothing",
    "SETTINGS": "SETTINGS are not taken: limits are set by the server",
    "FORMAT": "FORMAT is not taken: the form of the answer is chosen outside of the SQL (Accept, --format)",
    "UNION": "UNION is not taken: ask one question at a time",
    "JOIN": "JOIN is not taken: tags of every table are columns of it already",
    "OVER": "window functions are not taken",
    "FINAL": "FINAL is not taken",
    "PREWHERE": "PREWHERE is not taken; write WHERE",
    "ARRAY": "ARRAY JOIN is not taken",
}
_CLAUSES = {
    "joins": "JOIN is not taken: FROM names one table, and tags of every table are columns of it already",
    "with_": "WITH is not taken: ask one question at a time",
    "windows": "window functions are not taken",
    "qualify": "QUALIFY is not taken; write HAVING",
    "into": "INTO is not taken: a question writes nothing",
    "laterals": "LATERAL is not taken",
    "locks": "FOR UPDATE is not taken: a question changes nothing",
    "settings": "SETTINGS are not taken: limits are set by the server",
    "format": "FORMAT is not taken: the form of the answer is chosen outside of the SQL",
    "hint": "hints are not taken",
    "connect": "CONNECT BY is not taken",
}
_KNOWN = frozenset({"expressions", "from_", "where", "group", "having", "order", "limit", "offset", "distinct"})


@dataclass(frozen=True, slots=True)
class Select:
    """A SELECT.

    :ivar tree: sqlglot's. :ivar texts: each item of the select list as it was written.
    :ivar slimit: how many series are kept; None for all. :ivar sorder: by what they are chosen. :ivar ascending: the least first.
    """

    tree: exp.Select
    texts: tuple[str, ...]
    slimit: int | None = None
    sorder: exp.Expr | None = None
    ascending: bool = False


@dataclass(frozen=True, slots=True)
class Show:
    """A SHOW.

    :ivar what: ``databases``, ``tables``, ``tags``, ``metrics``, ``functions``, ``values``, ``enum`` or ``language``.
    :ivar name: the tag or enumeration asked for. :ivar place: its place in the text.
    :ivar select: ``SELECT name FROM t WHERE ... LIMIT ...``, what stands behind the words of SHOW; None when nothing does.
    """

    what: str
    name: str = ""
    place: int = 1
    select: Select | None = None


@dataclass(frozen=True, slots=True)
class Explain:
    """EXPLAIN of a SELECT."""

    select: Select


Statement: TypeAlias = Select | Show | Explain


def parse_statement(text: str) -> Statement:
    """Reads one statement of text that :func:`~metaflow_dialect_sql.guard.check_text` let pass.

    :raises QuerySyntaxError: with the column at which it stops making sense.
    """
    tokens = _tokenize(text)
    if not tokens:
        raise QuerySyntaxError("the question is empty; write SELECT ..., SHOW ... or EXPLAIN SELECT ...", 1)
    first = tokens[0].text.upper()
    if first == "SHOW":
        return _show(text, tokens)
    if first in ("EXPLAIN", "DESCRIBE", "DESC"):
        if len(tokens) < 2 or tokens[1].token_type is not TokenType.SELECT:
            raise QuerySyntaxError(f"expected SELECT after {first}", _after(tokens, 1, text))
        return Explain(parse_select(text, tokens[1:]))
    if first == "WITH":
        raise QuerySyntaxError(_CLAUSES["with_"], tokens[0].start + 1)
    if tokens[0].token_type is not TokenType.SELECT:
        raise QuerySyntaxError(
            f"a question begins with SELECT, SHOW or EXPLAIN, not with {tokens[0].text[:40]!r}"
            f"{suggestion(first, ('SELECT', 'SHOW', 'EXPLAIN'))}",
            tokens[0].start + 1,
        )
    return parse_select(text, tokens)


def _tokenize(text: str) -> list[Token]:
    from sqlglot.errors import TokenError

    try:
        return list(Grammar().tokenize(text))
    except TokenError as error:
        raise QuerySyntaxError(f"the text cannot be split into words: {str(error).splitlines()[0][:200]}") from error


def _after(tokens: list[Token], index: int, text: str) -> int:
    return tokens[index].start + 1 if index < len(tokens) else len(text) + 1


def parse_select(text: str, tokens: list[Token]) -> Select:
    """Reads the tokens of a SELECT.

    :raises QuerySyntaxError: with the column.
    """
    kept, slimit, sorder, ascending = _cut_series(text, tokens)
    tree = _parse(text, kept)
    if not isinstance(tree, exp.Select):
        name = type(tree).__name__.upper()
        raise QuerySyntaxError(
            _REASONS.get(name, f"{name} is not taken; a question is one SELECT"), tokens[0].start + 1
        )
    _check_depth(tree)
    for key, value in tree.args.items():
        if value and key not in _KNOWN:
            raise QuerySyntaxError(
                _CLAUSES.get(key, f"{key.strip('_').upper()} is not taken"), _place_of_clause(kept, key, value)
            )
    if not tree.expressions:
        raise QuerySyntaxError("expected columns or functions after SELECT", _after(kept, 1, text))
    return Select(tree, _item_texts(text, kept), slimit, sorder, ascending)


def _place_of_clause(tokens: list[Token], key: str, value: object) -> int:
    wanted = {"joins": ("JOIN", ","), "with_": ("WITH",), "laterals": ("LATERAL",)}.get(key, (key.strip("_").upper(),))
    depth, seen_from = 0, False
    for token in tokens:
        word = token.text.upper()
        depth += (word == "(") - (word == ")")
        seen_from = seen_from or (word == "FROM" and depth == 0)
        if depth == 0 and word in wanted and (seen_from or word != ","):
            return int(token.start) + 1
    node = value[0] if isinstance(value, list) else value
    return (at(node) if isinstance(node, exp.Expr) else None) or 1


def _parse(text: str, tokens: list[Token]) -> exp.Expr:
    parser = Grammar().parser(error_message_context=0, max_nodes=20_000)
    try:
        trees = parser.parse(tokens, text)
    except ParseError as error:
        raise _syntax_error(error, text) from None
    except RecursionError:
        raise QuerySyntaxError("the question is nested too deeply") from None
    tree = trees[0] if trees else None
    if tree is None or len(trees) != 1:
        raise QuerySyntaxError("one statement is taken at a time")
    return tree


def _syntax_error(error: ParseError, text: str) -> QuerySyntaxError:
    details = error.errors[0] if error.errors else {}
    said, word = str(details.get("description") or "not understood"), str(details.get("text") or "")
    start = details.get("start")
    at_end = start is None or not text[start + max(1, len(word)) :].strip()
    column = None if start is None else int(start) + 1
    if word.upper() in _REASONS:
        return QuerySyntaxError(_REASONS[word.upper()], column)
    # The clause before may be what is not taken: the grammar took its name for an alias.
    before = text[: start or 0].split()
    if before and before[-1].upper() in _REASONS and "Unexpected" in said:
        place = text[: start or 0].rindex(before[-1]) + 1
        return QuerySyntaxError(_REASONS[before[-1].upper()], place)
    if "AST nodes" in said:
        return QuerySyntaxError("the question has too many parts; ask for less at once", column)
    found = "the end" if at_end and not said.startswith("Invalid") else repr(word)
    if said.startswith("Expecting "):
        missing = said.removeprefix("Expecting ").strip()
        return QuerySyntaxError(
            f"expected {missing!r}, found {found} after it" if at_end else f"expected {missing!r} near {word!r}", column
        )
    if said.startswith("Required keyword"):
        return QuerySyntaxError(f"something is missing at {word!r}: a column, a number or a text", column)
    if "table name" in said:
        return QuerySyntaxError("expected the name of a table after FROM", column)
    return QuerySyntaxError(f"{word!r} is not expected here", column)


def _check_depth(tree: exp.Expr) -> None:
    """Chains of ``and`` and ``or`` may be long; everything else may only be so deep."""
    stack = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > _MAX_DEPTH:
            raise QuerySyntaxError(f"more than {_MAX_DEPTH} levels of operators", at(node))
        for child in node.iter_expressions():
            chain = type(child) is type(node) and isinstance(node, exp.And | exp.Or)
            stack.append((child, depth if chain else depth + 1))


def _cut_series(text: str, tokens: list[Token]) -> tuple[list[Token], int | None, exp.Expr | None, bool]:
    """The tokens without ``SLIMIT n`` and ``SORDER BY x [ASC|DESC]``, and what those say."""
    kept: list[Token] = []
    slimit: int | None = None
    sorder: exp.Expr | None = None
    ascending = False
    index = depth = 0
    while index < len(tokens):
        word = tokens[index].text.upper()
        depth += (word == "(") - (word == ")")
        is_word = tokens[index].token_type is TokenType.VAR and depth == 0 and kept
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        if is_word and word == "SLIMIT" and kept[-1].text not in (".", ","):
            if following is None or not following.text.isdecimal() or int(following.text) < 1:
                raise QuerySyntaxError(
                    "expected a whole number from 1 on after SLIMIT", _after(tokens, index + 1, text)
                )
            slimit = int(following.text)
            index += 2
            continue
        if is_word and word == "SORDER" and following is not None and following.text.upper() == "BY":
            end = _end_of_order(tokens, index + 2)
            body = tokens[index + 2 : end]
            if body and body[-1].text.upper() in ("ASC", "DESC"):
                ascending = body.pop().text.upper() == "ASC"
            if not body:
                raise QuerySyntaxError("expected a function after SORDER BY", _after(tokens, index + 2, text))
            ordering = _parse(text, [tokens[0], *body])
            if not isinstance(ordering, exp.Select) or len(ordering.expressions) != 1:
                raise QuerySyntaxError("series are chosen by one function", body[0].start + 1)
            _check_depth(ordering)
            sorder = ordering.expressions[0]
            index = end
            continue
        kept.append(tokens[index])
        index += 1
    if sorder is not None and slimit is None:
        raise QuerySyntaxError("SORDER BY chooses the series that SLIMIT keeps; add SLIMIT n", at(sorder))
    return kept, slimit, sorder, ascending


def _end_of_order(tokens: list[Token], index: int) -> int:
    depth = 0
    while index < len(tokens):
        word = tokens[index].text.upper()
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in ("LIMIT", "OFFSET", "SLIMIT", "ORDER BY", "HAVING", "GROUP BY"):
            break
        index += 1
    return index


def _item_texts(text: str, tokens: list[Token]) -> tuple[str, ...]:
    """Each item of the select list as it was written, blanks made one."""
    items: list[list[Token]] = [[]]
    depth = 0
    begin = 2 if len(tokens) > 1 and tokens[1].token_type is TokenType.DISTINCT else 1
    for token in tokens[begin:]:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.token_type is TokenType.FROM:
            break
        if depth == 0 and token.token_type is TokenType.COMMA:
            items.append([])
        else:
            items[-1].append(token)
    return tuple(" ".join(text[each[0].start : each[-1].end + 1].split()) for each in items if each)


def _show(text: str, tokens: list[Token]) -> Show:
    words = [token.text.upper() for token in tokens]
    second = words[1] if len(words) > 1 else ""
    if second == "TAG" and len(tokens) > 3 and "VALUES" in words[3:]:
        values = words.index("VALUES", 3)
        rest = tokens[values + 1 :]
        name = "".join(token.text for token in tokens[2:values])
        if not rest or rest[0].token_type is not TokenType.FROM:
            raise QuerySyntaxError(
                "expected FROM and a table, as in SHOW TAG endpoint VALUES FROM l7_flow_log",
                _after(tokens, values + 1, text),
            )
        return Show("values", name, tokens[2].start + 1, _behind(text, tokens, tokens[2:values], rest))
    if second == "ENUM" and words[-1] == "VALUES" and len(tokens) > 3:
        return Show("enum", "".join(token.text for token in tokens[2:-1]), tokens[2].start + 1)
    if second == "METRICS" and words[2:3] in (["FUNCTIONS"], ["FUNCTION"]):
        return Show("functions", select=_behind(text, tokens, [tokens[1]], tokens[3:]) if tokens[3:] else None)
    known = {"DATABASES": "databases", "TABLES": "tables", "TAGS": "tags", "METRICS": "metrics", "LANGUAGE": "language",
             "FUNCTIONS": "functions", "ENUMS": "enums", "ALL_ENUM_TAGS": "enums"}  # fmt: skip
    if second in known:
        rest = tokens[2:]
        if rest and rest[0].text.upper() in ("ON", "IN"):
            # SHOW TABLES IN db, SHOW METRICS ON db
            source = next((t for t in Grammar().tokenize("SELECT a FROM b") if t.token_type is TokenType.FROM), rest[0])
            rest = [source, *rest[1:]]
        return Show(known[second], select=_behind(text, tokens, [tokens[1]], rest) if rest else None)
    forms = "SHOW DATABASES, TABLES, TAGS FROM t, METRICS FROM t, METRICS FUNCTIONS, TAG x VALUES FROM t, ENUM x VALUES, LANGUAGE"
    near = suggestion(second, known) if second else ""
    raise QuerySyntaxError(f"there are {forms}{near}", _after(tokens, 1, text))


def _behind(text: str, tokens: list[Token], name: list[Token], rest: list[Token]) -> Select:
    """What stands behind the words of SHOW, read as a SELECT of ``name``."""
    select = next(iter(Grammar().tokenize("SELECT")))
    has_from = rest[0].token_type is TokenType.FROM
    if not has_from and rest[0].token_type not in (TokenType.WHERE, TokenType.LIMIT, TokenType.ORDER_BY):
        raise QuerySyntaxError(f"expected FROM, WHERE or LIMIT, found {rest[0].text!r}", rest[0].start + 1)
    return parse_select(text, [select, *name, *rest])


def at(node: exp.Expr) -> int | None:
    """Where a node begins in the text, counted from 1; None when sqlglot does not say."""
    starts = [each.meta["start"] for each in node.walk() if "start" in each.meta]
    return min(starts) + 1 if starts else None

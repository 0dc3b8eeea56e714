"""The text of an expression becomes the nodes that a reader expects, or a sentence with the column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.expression import (
    And,
    Arithmetic,
    Call,
    Compare,
    In,
    IsNull,
    Like,
    Literal,
    Negate,
    Not,
    Or,
    Ref,
    Regexp,
    parse_expression,
    references,
    rewrite,
)

A, B, C = Ref("a"), Ref("b"), Ref("c")


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("a", A),
        ("`k8s.label.app/tier`", Ref("k8s.label.app/tier")),
        ("k8s.label.app_0", Ref("k8s.label.app_0")),
        ("1.5e3", Literal(1500.0)),
        ("0x1F", Literal(31)),
        ("-3", Literal(-3)),
        ("-a", Negate(A)),
        ("'it''s'", Literal("it's")),
        ('"a\\"b"', Literal('a"b')),
        (r"'\d+'", Literal(r"\d+")),
        ("a + b * c", Arithmetic("+", A, Arithmetic("*", B, C))),
        ("a - b - c", Arithmetic("-", Arithmetic("-", A, B), C)),
        ("(a + b) / c", Arithmetic("/", Arithmetic("+", A, B), C)),
        ("a or b and c", Or((A, And((B, C))))),
        ("a AND b && c", And((A, B, C))),
        ("not a = b", Not(Compare("=", A, B))),
        ("!a || b", Or((Not(A), B))),
        ("a == 1", Compare("=", A, Literal(1))),
        ("a <> 1", Compare("!=", A, Literal(1))),
        ("a in (1, -2)", In(A, (Literal(1), Literal(-2)))),
        ("a not in ('x')", Not(In(A, (Literal("x"),)))),
        ("a like '/api/*'", Like(A, "/api/*")),
        ("a not like 'x'", Not(Like(A, "x"))),
        ("a =~ '^x'", Regexp(A, "^x")),
        ("a !~ 'x'", Not(Regexp(A, "x"))),
        ("a regexp 'x' and b", And((Regexp(A, "x"), B))),
        ("a is null", IsNull(A)),
        ("a is not null", Not(IsNull(A))),
        ("exist(a)", Not(IsNull(A))),
        ("if(a, 1, 0)", Call("if", (A, Literal(1), Literal(0)))),
        ("f()", Call("f", ())),
        ("true", Literal(True)),
        ("null", Literal(None)),
    ],
)
def test_text_becomes_nodes(text: str, node: object) -> None:
    assert parse_expression(text) == node


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "found the end"),
        ("a >=", 5, "found the end"),
        ("a = 'x", 5, "opened here and never closed"),
        ("a b", 3, "expected an operator"),
        ("a in (b)", 7, "numbers and texts"),
        ("a in 1", 6, "expected '('"),
        ("a like b", 8, "a text in quotes"),
        ("(a", 3, "close the parenthesis"),
        ("f(a", 4, "close the arguments of f"),
        ("a = b = c", 7, "two comparisons in a row"),
        ("a not b", 7, "'in', 'like' or 'regexp'"),
        ("a ; b", 3, "has no meaning"),
        ("a = and", 5, "found 'and'"),
        ("(" * 200 + "a" + ")" * 200, 101, "levels of nesting"),
    ],
)
def test_a_mistake_points_at_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse_expression(text)
    assert caught.value.column == column
    assert words in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_expression(text)
        column = 1
    except QuerySyntaxError as error:
        column = error.column or 0
    assert 1 <= column <= len(text) + 1


@given(st.text(max_size=40))
def test_any_text_can_be_quoted(text: str) -> None:
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
    assert parse_expression(quoted) == Literal(text)


def test_names_and_rewriting() -> None:
    node = parse_expression("if(a in (1), b + a, -c) like 'x' and exist(d) or not e regexp 'y'")
    assert references(node) == ("a", "b", "c", "d", "e")
    upper = rewrite(node, lambda each: Ref(each.name.upper()) if isinstance(each, Ref) else each)
    assert references(upper) == ("A", "B", "C", "D", "E")

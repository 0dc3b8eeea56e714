"""Reads the text of an expression into nodes (a Pratt parser: every operator knows how tightly it binds).

The language, loosest first::

    or   ||
    and  &&
    not  !
    =  !=  <  <=  >  >=  [not] in (..)  [not] like '..'  [not] regexp '..'  =~  !~  is [not] null
    +  -
    *  /  %
    -x   (x)   name   name(args)   123   'text'   true   false   null

Keywords are not case-sensitive. A name with other characters stands in backquotes: ```k8s.label.app/tier```. ``exist(x)`` is
``x is not null``. Nothing is looked up here: names are checked by whoever knows the table.
"""

from __future__ import annotations

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.expression.nodes import (
    And,
    Arithmetic,
    Call,
    Compare,
    Expr,
    In,
    IsNull,
    Like,
    Literal,
    Negate,
    Not,
    Or,
    Ref,
    Regexp,
)
from metaflow_core.model.expression.tokens import Token, tokenize

__all__ = ["parse_expression"]

_OR, _AND, _NOT, _COMPARE, _ADD, _MULTIPLY, _UNARY = range(1, 8)
_MAX_DEPTH = 100

_INFIX = {
    "or": _OR, "||": _OR, "and": _AND, "&&": _AND,
    "=": _COMPARE, "==": _COMPARE, "!=": _COMPARE, "<>": _COMPARE, "<": _COMPARE, "<=": _COMPARE, ">": _COMPARE,
    ">=": _COMPARE, "=~": _COMPARE, "!~": _COMPARE, "in": _COMPARE, "like": _COMPARE, "regexp": _COMPARE,
    "is": _COMPARE, "not": _COMPARE,
    "+": _ADD, "-": _ADD, "*": _MULTIPLY, "/": _MULTIPLY, "%": _MULTIPLY,
}  # fmt: skip
_KEYWORDS = frozenset({"or", "and", "not", "in", "like", "regexp", "is", "null", "true", "false"})
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def parse_expression(source: str) -> Expr:
    """Reads one expression.

    :raises QuerySyntaxError: with the column at which the text stops making sense.
    """
    parser = _Parser(tokenize(source))
    expression = parser.expression(0)
    parser.expect_end()
    return expression


def _word(token: Token) -> str:
    """What a token means as an operator: keywords in lower case, operators as they are, else nothing."""
    if token.kind == "op":
        return token.text
    if token.kind == "name" and token.text.lower() in _KEYWORDS:
        return token.text.lower()
    return ""


def _shown(token: Token) -> str:
    return "the end" if token.kind == "end" else repr(token.text)


class _Parser:
    __slots__ = ("_depth", "_index", "_tokens")

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._index]

    def advance(self) -> Token:
        token = self.token
        if token.kind != "end":
            self._index += 1
        return token

    def accept(self, word: str) -> bool:
        if _word(self.token) == word:
            self.advance()
            return True
        return False

    def expect(self, word: str, why: str) -> None:
        if not self.accept(word):
            raise QuerySyntaxError(f"expected {word!r} {why}, found {_shown(self.token)}", self.token.at)

    def expect_end(self) -> None:
        if self.token.kind != "end":
            raise QuerySyntaxError(
                f"expected an operator such as 'and', '=' or 'in', found {_shown(self.token)}", self.token.at
            )

    def expression(self, binding: int) -> Expr:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise QuerySyntaxError(f"more than {_MAX_DEPTH} levels of nesting", self.token.at)
        left = self.prefix()
        while True:
            power = _INFIX.get(_word(self.token), 0)
            if power <= binding:
                break
            left = self.infix(left, power)
        self._depth -= 1
        return left

    def prefix(self) -> Expr:
        token = self.advance()
        word = _word(token)
        if token.kind == "number":
            return Literal(_number(token.text), token.at)
        if token.kind == "text":
            return Literal(token.text, token.at)
        if word in _CONSTANTS:
            return Literal(_CONSTANTS[word], token.at)
        if word in ("not", "!"):
            return Not(self.expression(_NOT))
        if word == "-":
            operand = self.expression(_UNARY)
            if isinstance(operand, Literal) and isinstance(operand.value, int | float):
                return Literal(-operand.value, token.at)
            return Negate(operand)
        if word == "(":
            inner = self.expression(0)
            self.expect(")", "to close the parenthesis")
            return inner
        if token.kind in ("name", "quoted") and not word:
            if token.kind == "name" and self.accept("("):
                return self.call(token)
            return Ref(token.text, token.at)
        raise QuerySyntaxError(f"expected a column, a number, a text in quotes or '(', found {_shown(token)}", token.at)

    def call(self, name: Token) -> Expr:
        arguments: list[Expr] = []
        if not self.accept(")"):
            arguments.append(self.expression(0))
            while self.accept(","):
                arguments.append(self.expression(0))
            self.expect(")", f"to close the arguments of {name.text}")
        if name.text.lower() == "exist" and len(arguments) == 1:
            return Not(IsNull(arguments[0]))
        return Call(name.text, tuple(arguments), name.at)

    def infix(self, left: Expr, power: int) -> Expr:
        token = self.advance()
        word = _word(token)
        if word in ("or", "||"):
            right = self.expression(power)
            return Or((*(left.items if isinstance(left, Or) else (left,)), right))
        if word in ("and", "&&"):
            right = self.expression(power)
            return And((*(left.items if isinstance(left, And) else (left,)), right))
        if power in (_ADD, _MULTIPLY):
            return Arithmetic(word, left, self.expression(power))
        if word == "not":
            negated = _word(self.token)
            if negated not in ("in", "like", "regexp"):
                raise QuerySyntaxError(
                    f"expected 'in', 'like' or 'regexp' after 'not', found {_shown(self.token)}", self.token.at
                )
            self.advance()
            return Not(self.match(left, negated))
        if word in ("in", "like", "regexp", "=~"):
            return self.match(left, "regexp" if word == "=~" else word)
        if word == "!~":
            return Not(self.match(left, "regexp"))
        if word == "is":
            negative = self.accept("not")
            self.expect("null", "after 'is'")
            return Not(IsNull(left)) if negative else IsNull(left)
        operator = {"==": "=", "<>": "!="}.get(word, word)
        right = self.expression(power)
        if _INFIX.get(_word(self.token)) == _COMPARE and _word(self.token) in ("=", "==", "!=", "<", "<=", ">", ">="):
            raise QuerySyntaxError("two comparisons in a row; join them with 'and'", self.token.at)
        return Compare(operator, left, right)

    def match(self, left: Expr, word: str) -> Expr:
        if word == "in":
            self.expect("(", "after 'in'")
            items = [self.constant()]
            while self.accept(","):
                items.append(self.constant())
            self.expect(")", "to close the list")
            return In(left, tuple(items))
        token = self.advance()
        if token.kind != "text":
            raise QuerySyntaxError(f"expected a text in quotes after {word!r}, found {_shown(token)}", token.at)
        return Like(left, token.text) if word == "like" else Regexp(left, token.text)

    def constant(self) -> Literal:
        at = self.token.at
        node = self.expression(_COMPARE)
        if not isinstance(node, Literal):
            raise QuerySyntaxError("a list holds numbers and texts in quotes only", at)
        return node


def _number(text: str) -> int | float:
    if text[:2].lower() == "0x":
        return int(text, 16)
    return float(text) if any(c in text for c in ".eE") else int(text)

"""The SQL grammar: sqlglot's own, with this dialect's quotes and operators, and without anybody's functions.

Every call is left as a plain call with its name, so that what a function means is decided in one place (:mod:`.calls`).
Imported when the first question is parsed: sqlglot takes a while to load.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import TokenType

__all__ = ["Grammar", "ParseError", "TokenType"]

_OTHERS = ("INTERVAL", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "MAP", "CASE")


class Grammar(Dialect):
    """Backquotes for names, either quote for texts, ``&&`` and ``||`` for and and or, ``regexp``, ``network.1m``."""

    IDENTIFIERS_CAN_START_WITH_DIGIT = True
    DPIPE_IS_STRING_CONCAT = False

    class Tokenizer(tokens.Tokenizer):
        """Texts and names."""

        QUOTES = ["'", '"']
        IDENTIFIERS = ["`"]
        STRING_ESCAPES = ["'", '"', "\\"]
        HEX_STRINGS = [("0x", ""), ("0X", "")]
        COMMENTS: ClassVar[list[Any]] = []
        COMMANDS: ClassVar[set[Any]] = set()
        KEYWORDS = {
            **{word: kind for word, kind in tokens.Tokenizer.KEYWORDS.items() if word not in _OTHERS},
            "&&": TokenType.AND,
            "||": TokenType.OR,
            "REGEXP": TokenType.RLIKE,
        }

    class Parser(parser.Parser):
        """No built-in functions."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}
        SUBQUERY_PREDICATES: ClassVar[dict[Any, Any]] = {}

        def raise_error(self, message: str, token: Any = None) -> None:
            """As sqlglot does, and the place goes along."""
            place = token or self._curr or self._prev
            error = ParseError(message)
            error.errors = [
                {"description": message, "start": getattr(place, "start", None), "text": getattr(place, "text", "")}
            ]
            raise error

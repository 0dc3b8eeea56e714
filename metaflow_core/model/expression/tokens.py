"""Splits the text of an expression into tokens, each with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from metaflow_core.errors import QuerySyntaxError

__all__ = ["Token", "tokenize"]

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<number>0[xX][0-9a-fA-F]+ | (?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_][A-Za-z0-9_/-]*)*)
    | (?P<quoted>`[^`]+`)
    | (?P<text>'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*")
    | (?P<op><=|>=|!=|<>|==|=~|!~|&&|\|\||[-+*/%=<>(),!])
    """,
    re.VERBOSE | re.DOTALL,
)

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    :ivar kind: ``number``, ``name``, ``quoted`` (a name in backquotes), ``text``, ``op`` or ``end``.
    :ivar text: as written, but quotes are taken off and escapes resolved in ``quoted`` and ``text``.
    :ivar at: where it begins, counted from 1.
    """

    kind: str
    text: str
    at: int


def tokenize(source: str) -> list[Token]:
    """Splits ``source``; the last token is of kind ``end``.

    :raises QuerySyntaxError: for a character that begins no token, or a quote that is not closed.
    """
    tokens: list[Token] = []
    position = 0
    while position < len(source):
        found = _TOKEN.match(source, position)
        if found is None:
            raise QuerySyntaxError(_complaint(source, position), position + 1)
        kind = found.lastgroup or "op"
        text = found.group()
        if kind == "text":
            text = _unquote(text)
        elif kind == "quoted":
            text = text[1:-1]
        if kind != "space":
            tokens.append(Token(kind, text, position + 1))
        position = found.end()
    tokens.append(Token("end", "", len(source) + 1))
    return tokens


def _complaint(source: str, position: int) -> str:
    character = source[position]
    if character in "'\"`":
        return f"the quote {character} is opened here and never closed"
    return f"the character {character!r} has no meaning here; text stands in quotes"


def _unquote(text: str) -> str:
    quote, inner = text[0], text[1:-1]
    if "\\" not in inner and quote not in inner:
        return inner
    out: list[str] = []
    index = 0
    while index < len(inner):
        character = inner[index]
        if character == "\\":
            index += 1
            # An unknown escape keeps its backslash, so that '\d' in a pattern stays what it looks like.
            following = inner[index]
            out.append(_ESCAPES.get(following, following if following in "\\'\"" else "\\" + following))
        elif character == quote:
            index += 1
            out.append(quote)
        else:
            out.append(character)
        index += 1
    return "".join(out)

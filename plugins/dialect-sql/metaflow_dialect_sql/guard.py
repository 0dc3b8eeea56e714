"""Refuses text that no question needs, before any parser sees it.

Outside of quotes only the characters of this language may stand: no comments, no second statement, no invisible or look-alike
characters, no parameters of other dialects. What passes is still only parsed, and only the nodes that the compiler knows are used.
"""

from __future__ import annotations

import unicodedata
from string import ascii_letters, digits

from metaflow_core.errors import QuerySyntaxError

__all__ = ["check_text"]

_PLAIN = frozenset(ascii_letters + digits + "_.,()*/+-%=<>!&|; \t\r\n")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def check_text(text: str, *, max_bytes: int, max_nesting: int) -> str:
    """The text without the semicolon that may end it; every character keeps its place.

    :raises QuerySyntaxError: with the place of what is refused, and why.
    """
    if len(text) > max_bytes or len(text.encode("utf-8", "replace")) > max_bytes:
        raise QuerySyntaxError(f"the question is longer than {max_bytes} bytes; ask for less at once")
    if not text.strip():
        raise QuerySyntaxError("the question is empty; write SELECT ..., SHOW ... or EXPLAIN SELECT ...", 1)
    depth = index = 0
    end = len(text)
    while index < end:
        character = text[index]
        if character in "'\"`":
            index = _quoted(text, index)
            continue
        if character not in _PLAIN:
            raise QuerySyntaxError(_strange(character), index + 1)
        if text.startswith(("--", "/*"), index):
            raise QuerySyntaxError("comments are not taken; send the question alone", index + 1)
        if character == ";":
            rest = text[index + 1 :]
            if rest.strip():
                second = index + 2 + len(rest) - len(rest.lstrip())
                raise QuerySyntaxError("one statement is taken at a time; a second one begins here", second)
            return text[:index]
        depth += (character == "(") - (character == ")")
        if depth > max_nesting:
            raise QuerySyntaxError(f"more than {max_nesting} levels of parentheses", index + 1)
        if depth < 0:
            raise QuerySyntaxError("this parenthesis closes nothing", index + 1)
        index += 1
    return text


def _quoted(text: str, start: int) -> int:
    """The place after the quote that is opened at ``start``."""
    quote = text[start]
    index = start + 1
    while index < len(text):
        character = text[index]
        if character in _BIDI or (unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\r\n"):
            raise QuerySyntaxError(_strange(character), index + 1)
        if character == "\\" and quote != "`":
            index += 2
            continue
        if character == quote:
            if text[index + 1 : index + 2] != quote:
                return index + 1
            index += 1
        index += 1
    raise QuerySyntaxError(f"the quote {quote} is opened here and never closed", start + 1)


def _strange(character: str) -> str:
    if character == "#":
        return "comments are not taken; send the question alone"
    name = unicodedata.name(character, f"U+{ord(character):04X}")
    if ord(character) < 128 and character.isprintable():
        return f"the character {character!r} has no meaning here; text stands in quotes, odd names in backquotes"
    return f"the character {name} is not taken here; text of other scripts stands in quotes"

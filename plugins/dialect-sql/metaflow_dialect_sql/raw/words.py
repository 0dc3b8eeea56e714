"""ClickHouse's SQL as words, by ClickHouse's own rules of quoting; and text made of words again.

What is run is never the text that was sent but one made here: comments are gone, every quoted text is quoted anew in one way. So
no difference between how two programs split a text into words can hide anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from metaflow_core.errors import QuerySyntaxError

__all__ = ["Kind", "Word", "identifier", "joined", "literal", "split"]


class Kind(Enum):
    """What a word is."""

    NAME = "name"
    QUOTED = "quoted"
    TEXT = "text"
    NUMBER = "number"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Word:
    """A word.

    :ivar text: of a name or sign as it stands; of a quoted name or a text what the quotes mean. :ivar at: its place, from 1.
    """

    kind: Kind
    text: str
    at: int

    @property
    def upper(self) -> str:
        """A bare name in capitals; empty for everything else."""
        return self.text.upper() if self.kind is Kind.NAME else ""

    @property
    def is_name(self) -> bool:
        """Whether it can name something."""
        return self.kind in (Kind.NAME, Kind.QUOTED)


_BLANK = re.compile(r"[ \t\r\n\f\v]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(
    r"0[xX][0-9A-Fa-f]+|0[bB][01]+|(?:[0-9]+(?:_[0-9]+)*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?"
)
_SIGNS = ("<=>", "::", "->", "||", "!=", "<>", "<=", ">=", "==")
_SINGLE = frozenset("()[]{},.;*+-/%=<>?:")
_ESCAPES = {"b": "\b", "f": "\f", "r": "\r", "n": "\n", "t": "\t", "0": "\0", "a": "\a", "v": "\v", "e": "\x1b"}
_PLAIN_NAME = re.compile(r"[^\x00-\x1f\x7f\\`\"']{1,256}\Z")


def split(text: str, *, allow_comments: bool) -> list[Word]:
    """The words of a text.

    :raises QuerySyntaxError: something stands there that is no word of this language, with its place.
    """
    words: list[Word] = []
    index, end = 0, len(text)
    while index < end:
        if found := _BLANK.match(text, index):
            index = found.end()
            continue
        skipped = _comment(text, index)
        if skipped:
            if not allow_comments:
                raise QuerySyntaxError("comments are not taken; send the question alone", index + 1)
            index = skipped
            continue
        character = text[index]
        if character in "'\"`":
            value, after = _quoted(text, index)
            words.append(Word(Kind.TEXT if character == "'" else Kind.QUOTED, value, index + 1))
            index = after
            continue
        if found := _NAME.match(text, index):
            words.append(Word(Kind.NAME, found.group(), index + 1))
        elif found := _NUMBER.match(text, index):
            # 1.2 after a name is the second element of a tuple's first; ClickHouse reads it so, too.
            if words and words[-1].kind is Kind.SIGN and words[-1].text == "." and "." in found.group():
                raise QuerySyntaxError("elements of nested tuples are taken by tupleElement()", index + 1)
            words.append(Word(Kind.NUMBER, found.group(), index + 1))
        else:
            sign = next((each for each in _SIGNS if text.startswith(each, index)), character)
            if len(sign) == 1 and sign not in _SINGLE:
                raise QuerySyntaxError(f"the character {_shown(character)} has no meaning here", index + 1)
            words.append(Word(Kind.SIGN, sign, index + 1))
            index += len(sign)
            continue
        index = found.end()
    return words


def _comment(text: str, index: int) -> int:
    """The place after a comment that begins here; 0 when none does."""
    if text.startswith(("--", "#!", "# "), index):
        stop = text.find("\n", index)
        return len(text) if stop < 0 else stop + 1
    if text.startswith("/*", index):
        stop = text.find("*/", index + 2)
        if stop < 0:
            raise QuerySyntaxError("the comment that begins here is never closed", index + 1)
        return stop + 2
    return 0


def _quoted(text: str, start: int) -> tuple[str, int]:
    quote, index, out = text[start], start + 1, []
    while index < len(text):
        character = text[index]
        if character == "\\" and index + 1 < len(text):
            value, index = _escaped(text, index)
            out.append(value)
            continue
        if character == quote:
            if text[index + 1 : index + 2] != quote:
                return "".join(out), index + 1
            index += 1
        out.append(character)
        index += 1
    raise QuerySyntaxError(f"the quote {quote} is opened here and never closed", start + 1)


def _escaped(text: str, index: int) -> tuple[str, int]:
    """What a backslash and its letter mean, and the place after them."""
    letter = text[index + 1]
    if letter == "N":
        return "", index + 2
    if letter == "x":
        digits = text[index + 2 : index + 4]
        if re.fullmatch("[0-9A-Fa-f]{2}", digits):
            return chr(int(digits, 16)), index + 4
    if letter in _ESCAPES:
        return _ESCAPES[letter], index + 2
    # Of what has no meaning the backslash stays, but before a backslash, a quote and a control character.
    return (letter if letter in "\\'\"`/=" or letter < " " else "\\" + letter), index + 2


def _shown(character: str) -> str:
    import unicodedata

    return repr(character) if " " < character < "\x7f" else unicodedata.name(character, f"U+{ord(character):04X}")


def literal(value: str) -> str:
    """A text as a constant."""
    plain = value.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return f"'{plain}'"


def identifier(word: Word) -> str:
    """A quoted name.

    :raises QuerySyntaxError: with a quote, a backslash or a control character in it, which no name here has.
    """
    if not _PLAIN_NAME.match(word.text):
        raise QuerySyntaxError("a name holds no quotes, backslashes or control characters", word.at)
    return f"`{word.text}`"


_TIGHT_AFTER = frozenset("([{.")
_TIGHT_BEFORE = frozenset(")]},.;")


def joined(words: Sequence[Word] | Iterable[Word]) -> str:
    """Words as text, each quoted anew."""
    out: list[str] = []
    before: Word | None = None
    for word in words:
        match word.kind:
            case Kind.TEXT:
                shown = literal(word.text)
            case Kind.QUOTED:
                shown = identifier(word)
            case _:
                shown = word.text
        if before is not None:
            tight = (
                (before.kind is Kind.SIGN and (before.text in _TIGHT_AFTER or before.text == "::"))
                or (word.kind is Kind.SIGN and (word.text in _TIGHT_BEFORE or word.text == "::"))
                or (word.text == "(" and word.kind is Kind.SIGN and before.is_name)
            )
            # Two minus signs side by side would be a comment, a number before a point another number.
            if not tight or (before.kind is Kind.NUMBER and word.text == "."):
                out.append(" ")
        out.append(shown)
        before = word
    return "".join(out)

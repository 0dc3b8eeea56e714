"""Parameters of a question, ``{name:Type}``: each becomes a constant of its type."""

from __future__ import annotations

import re
from collections.abc import Mapping

from metaflow_core.errors import QuerySyntaxError
from metaflow_dialect_sql.raw.words import Kind, Word, joined

__all__ = ["replaced"]

_WHOLE = re.compile(r"-?[0-9]{1,18}\Z")


def replaced(words: list[Word], variables: Mapping[str, str]) -> list[Word]:
    """The words with every parameter replaced.

    :raises QuerySyntaxError: a parameter has no value, or is written wrongly.
    """
    out: list[Word] = []
    index = 0
    while index < len(words):
        word = words[index]
        if word.kind is not Kind.SIGN or word.text != "{":
            out.append(word)
            index += 1
            continue
        end = next((n for n in range(index, len(words)) if words[n].kind is Kind.SIGN and words[n].text == "}"), None)
        inner = words[index + 1 : end] if end is not None else []
        if end is None or len(inner) < 3 or not inner[0].is_name or inner[1].text != ":":
            raise QuerySyntaxError("parameters are written {name:Type}", word.at)
        if inner[0].text not in variables:
            raise QuerySyntaxError(
                f"the parameter {inner[0].text!r} has no value; send it as param_{inner[0].text}", word.at
            )
        limits = bool(out) and out[-1].upper in ("LIMIT", "OFFSET")
        out += _constant(variables[inner[0].text], joined(inner[2:]), word.at, plain=limits)
        index = end + 1
    return out


def _constant(value: str, type_: str, place: int, *, plain: bool) -> list[Word]:
    def sign(text: str) -> Word:
        return Word(Kind.SIGN, text, place)

    if type_ == "Identifier":
        return [Word(Kind.QUOTED, _plain(value), place)]
    if plain and _WHOLE.match(value):
        return [Word(Kind.NUMBER, value, place)]
    if type_ == "String":
        return [Word(Kind.TEXT, _plain(value), place)]
    if value == "\\N":
        return [Word(Kind.NAME, "NULL", place)]
    # Texts within a list are in quotes of their own, which the cast reads.
    value = value if "(" in type_ and type_.partition("(")[0] in ("Array", "Map", "Tuple", "Nested") else _plain(value)
    return [
        Word(Kind.NAME, "CAST", place),
        sign("("),
        Word(Kind.TEXT, value, place),
        sign(","),
        Word(Kind.TEXT, type_, place),
        sign(")"),
    ]


_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "0": "\0", "\\": "\\", "'": "'"}


def _plain(value: str) -> str:
    """A value without ClickHouse's escaping of TSV."""

    def meant(found: re.Match[str]) -> str:
        letter = found.group(1)
        return _ESCAPES.get(letter) or (letter if letter < " " or letter in '`"/=' else found.group())

    return re.sub(r"\\(.)", meant, value, flags=re.DOTALL)

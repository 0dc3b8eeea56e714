"""Functions that look at a text anew at each of its characters, and functions that make long texts: together they take minutes for one row.

``countMatches(repeat('a', 1000000), 'a.*b|a')`` would take twenty, in which ClickHouse looks at no limit. Texts of rows are short enough.
"""

from __future__ import annotations

from collections.abc import Sequence

from metaflow_core.errors import QuerySyntaxError
from metaflow_dialect_sql.raw.words import Kind, Word

__all__ = ["check_lengths"]

_AGAIN = frozenset(
    ["countmatches", "extractall", "extractallgroups", "extractallgroupshorizontal", "extractallgroupsvertical", "replaceregexpall", "splitbyregexp",
     "position", "positioncaseinsensitive", "positionutf8", "locate", "instr", "urlhierarchy", "urlpathhierarchy", "ngrams"]
)  # fmt: skip
_MADE = {
    "space": 0,
    **dict.fromkeys(
        ("repeat", "leftpad", "rightpad", "leftpadutf8", "rightpadutf8", "lpad", "rpad", "tofixedstring"), 1
    ),
}
"""Makers of long texts: which argument says how long."""
_MOST = 100
_MOST_MAKERS = 2


def check_lengths(words: Sequence[Word]) -> None:
    """Refuses both in one question, unless what is made is short and says so.

    :raises QuerySyntaxError: with the place of the maker.
    """
    calls = [
        (index, word.text.lower())
        for index, word in enumerate(words[:-1])
        if word.is_name and words[index + 1].kind is Kind.SIGN and words[index + 1].text == "("
    ]
    slow = next((name for _, name in calls if name in _AGAIN), None)
    makers = [(index, name) for index, name in calls if name in _MADE]
    if slow is None or not makers:
        return
    for count, (index, name) in enumerate(makers, 1):
        length = _argument(words, index, _MADE[name])
        if count > _MOST_MAKERS or length is None or length > _MOST:
            raise QuerySyntaxError(
                f"{words[index].text} is taken beside {slow} with a written length of at most {_MOST}, and {_MOST_MAKERS} times at most: "
                "patterns over a long text would take minutes that no limit sees",
                words[index].at,
            )


def _argument(words: Sequence[Word], index: int, which: int) -> int | None:
    """An argument of the call at ``index`` that is one whole number."""
    depth = place = 0
    held: list[Word] = []
    for word in words[index + 1 :]:
        sign = word.text if word.kind is Kind.SIGN else ""
        if sign == "," and depth == 1:
            place += 1
            continue
        if sign in ("(", "[", "{"):
            depth += 1
            if depth == 1:
                continue
        elif sign in (")", "]", "}"):
            depth -= 1
            if depth == 0:
                break
        if place == which:
            held.append(word)
    if len(held) != 1 or held[0].kind is not Kind.NUMBER or not held[0].text.isdecimal():
        return None
    return int(held[0].text)

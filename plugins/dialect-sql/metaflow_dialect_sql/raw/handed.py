"""Functions that are handed to others by their names alone: ``arrayMap(lower, list)``, as ClickHouse takes it since version 26."""

from __future__ import annotations

from collections.abc import Sequence

from metaflow_dialect_sql.raw.words import Kind, Word

__all__ = ["handed"]


def handed(words: Sequence[Word], index: int) -> Word | None:
    """The name that is the whole first of several arguments, of the call whose own name stands at ``index``.

    Parentheses around it and another name for it (``(lower) AS g``) change nothing of what ClickHouse takes it for.
    """
    depth = 0
    names: list[Word] = []
    for word in words[index + 1 :]:
        if word.kind is not Kind.SIGN:
            names.append(word)
        elif word.text in "([{":
            depth += 1
        elif word.text in ")]}":
            depth -= 1
            if depth == 0:
                return None
        elif word.text == "," and depth == 1:
            return names[0] if names and all(each.is_name for each in names) else None
        else:
            # An arrow, an operator, a point, a comma between an arrow's parameters: no name alone.
            return None
    return None

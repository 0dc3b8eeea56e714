"""Sentences for names that do not exist."""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_core.errors import QueryError

__all__ = ["nearest", "suggestion", "unknown"]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a person most likely meant; None when nothing is near."""
    import difflib

    by_lower = {each.lower(): each for each in known}
    wanted = name.lower()
    if wanted in by_lower:
        return by_lower[wanted]
    # A table of two ends is often asked without saying which end.
    if f"{wanted}_0" in by_lower:
        return by_lower[f"{wanted}_0"]
    found = difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` or nothing, to end a sentence with."""
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near else ""


def unknown(what: str, name: str, known: Iterable[str], where: str = "") -> QueryError:
    """The error for a name that does not exist."""
    place = f" {where}" if where else ""
    return QueryError(f"there is no {what} {name!r}{place}{suggestion(name, known)}")

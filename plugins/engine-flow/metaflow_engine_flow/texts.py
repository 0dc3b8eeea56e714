"""Reads the texts that the engine answers with."""

from __future__ import annotations


def counters_of(text: str) -> dict[tuple[str, str], int]:
    """``stage<TAB>reason<TAB>value`` lines as a mapping; the same stage and reason are added up."""
    counts: dict[tuple[str, str], int] = {}
    for line in text.splitlines():
        stage, reason, value = line.split("\t")
        counts[stage, reason] = counts.get((stage, reason), 0) + int(value)
    return counts

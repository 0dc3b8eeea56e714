"""How far a search may go."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one search.

    :ivar max_rows: rows that one trace may have; what is beyond is cut, and said. :ivar max_rounds: how often related rows of related
        rows are asked for. :ivar margin_s: how long before and after what is known related rows are looked for, in seconds.
    """

    max_rows: int = 100_000
    max_rounds: int = 4
    margin_s: float = 30.0

"""One row a flow: it is told each minute while it lives, and at its end, where it may have had no packet since the last minute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["fold", "folded"]

Row = Mapping[str, Any]

_SUMS = ("packet", "byte", "retrans", "zero_win")
_OPEN = "forced_report"


def folded(ask: Callable[..., list[Row]]) -> Callable[..., list[Row]]:
    """A question whose rows are folded."""
    return lambda *asked: fold(ask(*asked))


def fold(rows: list[Row]) -> list[Row]:
    """Rows with the same ``flow_id`` as one, in the order of the first of each; those without one stay."""
    found: dict[object, dict[str, Any]] = {}
    for at, row in enumerate(rows):
        key = row.get("flow_id") or f"row {at}"
        known = found.get(key)
        if known is None:
            found[key] = dict(row)
            continue
        for name in _SUMS:
            known[name] = (known.get(name) or 0) + (row.get(name) or 0)
        known["rtt"] = max(known.get("rtt") or 0, row.get("rtt") or 0)
        if _last(row) > _last(known):
            known["close_type"], known["end_time"] = row.get("close_type"), row.get("end_time")
        known["start_time"] = min(str(known.get("start_time") or ""), str(row.get("start_time") or ""))
        if known.get("l7_protocol") in (None, "", "Unknown"):
            known["l7_protocol"] = row.get("l7_protocol")
    return list(found.values())


def _last(row: Row) -> tuple[str, bool]:
    # the row of the end comes behind that of the minute, also where no packet came between them
    return str(row.get("end_time") or ""), row.get("close_type") != _OPEN

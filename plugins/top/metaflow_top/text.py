"""Values as a narrow column shows them."""

from __future__ import annotations

import datetime
from typing import Any

from metaflow_core.report.text import duration_text, size_text

__all__ = ["bytes_", "clean", "clock", "count", "duration", "rate", "share"]


def clean(value: object, most: int = 80) -> str:
    """Text from the network on one line: no control characters, bounded."""
    text = "" if value is None else str(value)
    plain = "".join(char if char.isprintable() else "·" for char in text)
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"


def count(value: Any) -> str:
    """A number; a dash for none and zero."""
    return f"{float(value):,.0f}" if value else "-"


def duration(value: Any) -> str:
    """Microseconds."""
    return duration_text(float(value)) if value else "-"


def bytes_(value: Any) -> str:
    """Bytes."""
    return size_text(float(value)) if value else "-"


def rate(value: Any) -> str:
    """Something a second."""
    return f"{float(value):.3g}/s" if value else "-"


def share(part: Any, whole: Any) -> str:
    """A number with its share of another."""
    if not part:
        return "-"
    return f"{float(part):,.0f} ({100 * float(part) / float(whole):.3g} %)" if whole else f"{float(part):,.0f}"


def clock(value: Any) -> str:
    """The time of day of an ISO time, to the second."""
    try:
        return datetime.datetime.fromisoformat(str(value)).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return clean(value, 19)

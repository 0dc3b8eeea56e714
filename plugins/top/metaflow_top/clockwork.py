"""Which time is shown: the last seconds of a live instance, the whole of what a capture has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from metaflow_top.server import Server
from metaflow_top.views import Span

__all__ = ["Shown", "shown"]

_OLD_S = 300
_QUESTIONS = (
    "SELECT Max(time) AS newest, Min(time) AS oldest FROM l7_flow_log",
    "SELECT Max(time) AS newest, Min(time) AS oldest FROM l4_flow_log",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """The span, and a word about it."""

    span: Span
    said: str


def shown(server: Server, seconds: int) -> Shown:
    """The last seconds; when the newest row is older than five minutes, everything around it.

    :raises MetaFlowError: the server cannot be asked.
    """
    now = int(time.time())
    newest = oldest = 0.0
    for question in _QUESTIONS:
        for row in server.ask("flow_log", question).rows:
            last, first = (_seconds(value) for value in row)
            newest = max(newest, last)
            oldest = min(oldest, first) if oldest and first else oldest or first
    if not newest or now - newest < _OLD_S:
        return Shown(Span(now - seconds, now + 1), f"last {seconds} s")
    day = datetime.fromtimestamp(newest).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    begin = max(int(oldest), int(newest) - 86_400)
    return Shown(Span(begin, int(newest) + 2), f"nothing new since {day}: what was before")


def _seconds(value: object) -> float:
    if isinstance(value, (int, float)):
        return float(value) / (1e6 if value > 1e12 else 1)
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return 0.0

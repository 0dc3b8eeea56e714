"""From a flow's number to its two ends and its time, by asking for its rows."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from metaflow_packets.finding import FOREVER_NS, PROTOCOLS, Flow

__all__ = ["Ask", "flow_number", "look_up", "questions", "read_rows"]

Ask: TypeAlias = Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]
"""Answers a question in SQL with rows."""

_ENDS = "agent_id, ip_0, ip_1, client_port, server_port, protocol, start_time, end_time"
_MARGIN_NS = 1_000_000_000
_UNREPORTED_NS = 120_000_000_000
"""A flow is told when it ends and each minute; of one that was not told yet, its requests say when it was there."""


def flow_number(text: str) -> int:
    """A flow_id.

    :raises ValueError: it is none, with a sentence.
    """
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < 1 << 64:
        raise ValueError(
            f"{text[:40]!r} is no flow_id; it is a number that stands in every row, such as 1716982399974423122"
        )
    return int(text)


def questions(flow_id: int) -> tuple[str, str]:
    """What to ask for a flow: its rows, and if there is none those of its requests in packets."""
    # the number was read as a number before
    return (
        f"SELECT {_ENDS}, close_type FROM flow_log.l4_flow_log WHERE flow_id = {flow_id} LIMIT 10000",  # noqa: S608
        f"SELECT {_ENDS} FROM flow_log.l7_flow_log WHERE flow_id = {flow_id} AND signal_source = 'packet' LIMIT 10000",  # noqa: S608
    )


async def look_up(ask: Ask, flow_id: int) -> tuple[Flow, int] | None:
    """The flow and the number of the agent that saw it, 0 for this machine; None when no row has this number."""
    for question in questions(flow_id):
        rows = await ask(question)
        found = read_rows(rows)
        if found is not None:
            return found, next((int(row["agent_id"]) for row in rows if row.get("agent_id")), 0)
    return None


def read_rows(rows: Sequence[Mapping[str, Any]]) -> Flow | None:
    """The flow that these rows tell of; None without rows."""
    if not rows:
        return None
    first = rows[0]
    begun = min(_ns(row["start_time"]) for row in rows)
    ended = max(_ns(row["end_time"]) for row in rows)
    is_told = "close_type" in first
    is_open = not is_told or all(row["close_type"] == "forced_report" for row in rows)
    return Flow(
        str(first["ip_0"]),
        int(first["client_port"]),
        str(first["ip_1"]),
        int(first["server_port"]),
        PROTOCOLS.get(str(first["protocol"]).upper(), 0),
        max(0, begun - (_MARGIN_NS if is_told else _UNREPORTED_NS)),
        FOREVER_NS if is_open else ended + _MARGIN_NS,
    )


def _ns(value: Any) -> int:
    """Of a time as a row has it, or as JSON tells it."""
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value)
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=datetime.UTC)
        return (
            int((value - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)) / datetime.timedelta(microseconds=1))
            * 1000
        )
    return int(float(value) * 1_000_000_000)

"""The views: what each asks, and how its rows look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metaflow_top import text
from metaflow_top.counted import SOURCES, counted
from metaflow_top.flows import folded
from metaflow_top.server import Server

__all__ = ["VIEWS", "Column", "Line", "Span", "View"]

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is shown, in seconds since 1970; ``begin`` <= time < ``end``."""

    begin: int
    end: int

    @property
    def seconds(self) -> int:
        """How long it is, at least one."""
        return max(1, self.end - self.begin)


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    :ivar cell: what is shown. :ivar key: what is sorted by. :ivar right: whether it holds numbers.
    """

    title: str
    cell: Callable[[Row, Span], str]
    key: Callable[[Row], Any]
    right: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it is shown, with its sort keys."""

    cells: tuple[str, ...]
    keys: tuple[Any, ...]
    is_bad: bool


@dataclass(frozen=True, slots=True)
class View:
    """A question with the columns of its answer.

    :ivar ask: gives rows. :ivar sort: the column that it begins with, from large to small.
    """

    name: str
    columns: tuple[Column, ...]
    ask: Callable[[Server, Span, str], list[Row]]
    is_bad: Callable[[Row], bool]
    sort: int

    def lines(self, server: Server, span: Span, where: str) -> list[Line]:
        """What there is.

        :raises MetaFlowError: the server cannot be asked, or the condition is wrong.
        """
        rows = self.ask(server, span, where)
        return [
            Line(
                tuple(column.cell(row, span) for column in self.columns),
                tuple(column.key(row) for column in self.columns),
                self.is_bad(row),
            )
            for row in rows
        ]


def _where(span: Span, more: str) -> str:
    return f"time >= {span.begin} and time < {span.end}" + (f" and ({more})" if more else "")


def _asker(db: str, sql: str) -> Callable[[Server, Span, str], list[Row]]:
    def ask(server: Server, span: Span, where: str) -> list[Row]:
        condition = _where(span, where)
        if "FROM l7_flow_log" in sql:
            there = {str(row[0]) for row in server.ask(db, SOURCES.replace("{where}", condition)).rows}
            condition = " and ".join(filter(None, (condition, counted(there))))
        answer = server.ask(db, sql.replace("{measures}", _MEASURES).replace("{where}", condition))
        return [dict(zip(answer.columns, row, strict=False)) for row in answer.rows]

    return ask


def _words(title: str, name: str, most: int = 60) -> Column:
    return Column(title, lambda row, span: text.clean(row.get(name), most), lambda row: str(row.get(name) or ""))


def _number(title: str, name: str, show: Callable[[Any], str] = text.count) -> Column:
    return Column(title, lambda row, span: show(row.get(name)), lambda row: _value(row.get(name)), right=True)


def _value(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _server(row: Row) -> str:
    address, port = str(row.get("server") or "?"), row.get("server_port")
    shown = f"[{address}]" if ":" in address else address
    return f"{shown}:{port}" if port else shown


def _request(row: Row) -> str:
    """What was asked; protocols whose resource begins with the verb have it once."""
    verb, rest = str(row.get("request_type") or ""), str(row.get("request_resource") or row.get("endpoint") or "")
    return rest if rest.startswith(f"{verb} ") or rest == verb else f"{verb} {rest}".strip()


_SERVER = Column("server", lambda row, span: text.clean(_server(row), 44), _server)
_RATE = Column(
    "rate", lambda row, span: text.rate(_value(row.get("requests")) / span.seconds), lambda row: _value(row.get("requests")), right=True
)  # fmt: skip
_ERRORS = Column(
    "failed", lambda row, span: text.share(row.get("failed"), row.get("requests")), lambda row: _value(row.get("failed")), right=True
)  # fmt: skip
_MEASURES = (
    "Count(row) AS requests, Sum(error) AS failed, Avg(rrt) AS average, Percentile(rrt, 95) AS p95, Max(rrt) AS slowest"
)


def _is_failing(row: Row) -> bool:
    return bool(row.get("failed"))


SERVICES = View(
    "services",
    (
        _SERVER,
        _words("protocol", "l7_protocol", 12),
        _number("requests", "requests"),
        _RATE,
        _ERRORS,
        _number("average", "average", text.duration),
        _number("p95", "p95", text.duration),
        _number("max", "slowest", text.duration),
        _number("clients", "clients"),
    ),
    _asker(
        "flow_log",
        "SELECT auto_service_1 AS server, server_port, l7_protocol, {measures}, Uniq(ip_0) AS clients FROM l7_flow_log "
        "WHERE {where} GROUP BY server, server_port, l7_protocol ORDER BY requests DESC LIMIT 500",
    ),
    _is_failing,
    2,
)

EDGES = View(
    "edges",
    (
        _words("client", "client", 44),
        _SERVER,
        _words("protocol", "l7_protocol", 12),
        _number("requests", "requests"),
        _RATE,
        _ERRORS,
        _number("average", "average", text.duration),
        _number("p95", "p95", text.duration),
        _number("max", "slowest", text.duration),
    ),
    _asker(
        "flow_log",
        "SELECT auto_service_0 AS client, auto_service_1 AS server, server_port, l7_protocol, {measures} FROM l7_flow_log "
        "WHERE {where} GROUP BY client, server, server_port, l7_protocol ORDER BY requests DESC LIMIT 500",
    ),
    _is_failing,
    3,
)

REQUESTS = View(
    "requests",
    (
        Column(
            "time", lambda row, span: text.clock(row.get("start_time")), lambda row: str(row.get("start_time") or "")
        ),
        _words("protocol", "l7_protocol", 12),
        _SERVER,
        Column(
            "request",
            lambda row, span: text.clean(_request(row)),
            lambda row: str(row.get("request_resource") or ""),
        ),
        _words("status", "response_status", 14),
        _number("code", "response_code"),
        _number("took", "response_duration", text.duration),
        _words("said", "response_exception", 40),
    ),
    _asker(
        "flow_log",
        "SELECT start_time, l7_protocol, auto_service_1 AS server, server_port, request_type, request_resource, endpoint, "
        "response_status, response_code, response_duration, response_exception FROM l7_flow_log "
        "WHERE {where} ORDER BY start_time DESC LIMIT 500",
    ),
    lambda row: str(row.get("response_status")) in ("server_error", "client_error", "timeout"),
    0,
)

FLOWS = View(
    "flows",
    (
        Column(
            "time", lambda row, span: text.clock(row.get("start_time")), lambda row: str(row.get("start_time") or "")
        ),
        _words("client", "client", 40),
        _SERVER,
        _words("protocol", "l7_protocol", 12),
        _number("packets", "packet"),
        _number("bytes", "byte", text.bytes_),
        _number("rtt", "rtt", text.duration),
        _number("again", "retrans"),
        _number("zero win", "zero_win"),
        _words("closed by", "close_type", 24),
    ),
    folded(
        _asker(
            "flow_log",
            "SELECT flow_id, start_time, end_time, auto_service_0 AS client, auto_service_1 AS server, server_port, l7_protocol, packet, "
            "byte, rtt, retrans, zero_win, close_type FROM l4_flow_log WHERE {where} ORDER BY start_time DESC LIMIT 500",
        )
    ),
    lambda row: bool(row.get("retrans") or row.get("zero_win")),
    0,
)


def _counters(server: Server, span: Span, where: str) -> list[Row]:
    rows: list[Row] = [
        each for each in server.status().get("counters", ()) if isinstance(each, dict) and each.get("value")
    ]
    return rows[:5000]


def _is_loss(row: Row) -> bool:
    return str(row.get("stage")) in ("dropped", "failed", "refused", "faults", "retries")


HEALTH = View(
    "health",
    (
        _words("component", "component", 40),
        _words("stage", "stage", 20),
        _words("reason", "reason", 60),
        _number("value", "value"),
        _words("unit", "unit", 12),
    ),
    _counters,
    _is_loss,
    3,
)

VIEWS: Sequence[View] = (SERVICES, REQUESTS, FLOWS, EDGES, HEALTH)
"""In the order of the keys 1 to 5."""

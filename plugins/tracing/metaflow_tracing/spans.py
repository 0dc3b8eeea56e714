"""Rows of the request log as the assembly and the rules see them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from metaflow_core.api import LinkEnd

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMNS", "PATH", "TAGS", "Columns", "Span", "spans_of"]

COLUMNS = (
    "time", "start_time", "end_time", "flow_id", "_id", "ip4_0", "ip4_1", "ip6_0", "ip6_1", "is_ipv4", "protocol", "client_port",
    "server_port", "agent_id", "signal_source", "capture_nic", "observation_point", "req_tcp_seq", "resp_tcp_seq", "process_id_0",
    "process_id_1", "process_kname_0", "process_kname_1", "syscall_trace_id_request", "syscall_trace_id_response", "syscall_thread_0",
    "syscall_thread_1", "syscall_coroutine_0", "syscall_coroutine_1", "syscall_cap_seq_0", "syscall_cap_seq_1", "biz_protocol", "l7_protocol",
    "version", "type", "is_tls", "is_async", "request_type", "request_domain", "request_resource", "endpoint", "request_id",
    "response_status", "response_code", "response_exception", "trace_id", "_trace_id_2", "span_id", "parent_span_id", "span_kind",
    "x_request_id_0", "x_request_id_1", "http_proxy_client", "app_service", "app_instance", "response_duration", "request_length",
    "response_length", "attribute_names", "attribute_values", "events",
)  # fmt: skip
"""Stored columns that are read of each row."""

TAGS = ("auto_service_0", "auto_service_1", "auto_instance_0", "auto_instance_1")
"""Tags that are resolved for each row."""

PATH = (
    "c-p", "c", "c-nd", "c-hv", "c-gw-hv", "c-gw", "local", "rest", "s-gw", "s-gw-hv", "s-hv", "s-nd", "s", "s-p",
)  # fmt: skip
"""Places on the way of a message, from the client's process to the server's."""

_RANK = {name: rank for rank, name in enumerate(PATH)}
_SPANS = frozenset({"c-app", "s-app", "app"})
_NOWHERE = (None, "", "0.0.0.0", "::")  # noqa: S104 - what rows hold where there is no address


class Columns(dict[str, list[Any]]):
    """Columns as Python lists, made when they are first asked for; times are microseconds.

    A dictionary, because rules ask for a column a hundred times a row.
    """

    def __init__(self, table: pa.Table) -> None:
        super().__init__()
        self._table = table
        self._ends: dict[int, list[LinkEnd]] = {}

    def ends(self, end: int) -> list[LinkEnd]:
        """Address and port of each row's client (0) or server (1); one object for each that comes again."""
        made = self._ends.get(end)
        if made is None:
            known: dict[tuple[Any, ...], LinkEnd] = {}
            made = self._ends[end] = []
            ports = self["client_port" if end == 0 else "server_port"]
            for key in zip(self["is_ipv4"], self[f"ip4_{end}"], self[f"ip6_{end}"], ports, strict=True):
                found = known.get(key)
                if found is None:
                    is_ipv4, ip4, ip6, port = key
                    found = known[key] = LinkEnd(_address(is_ipv4, ip4, ip6), port or 0)
                made.append(found)
        return made

    def __missing__(self, name: str) -> list[Any]:
        made = self[name] = self._made(name)
        return made

    def _made(self, name: str) -> list[Any]:
        import pyarrow as pa

        index = self._table.schema.get_field_index(name)
        if index < 0:
            return [None] * self._table.num_rows
        column = self._table.column(index)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
        made: list[Any] = column.to_pylist()
        return made


class Span:
    """One row: an exchange seen at one place, or a span that an application sent. See :class:`metaflow_core.api.LinkSpan`."""

    __slots__ = (
        "_columns", "_row", "agent_id", "client", "clock", "end_us", "is_span", "point", "rank", "seen_end_us", "seen_start_us", "server", "start_us",
    )  # fmt: skip

    def __init__(self, columns: Columns, row: int, agent_id: int, *, point: str, start_us: int, end_us: int) -> None:
        self._columns = columns
        self._row = row
        self.agent_id = agent_id
        self.point = point
        self.is_span = point in _SPANS
        self.rank = _RANK.get(point, 7)
        # what the capture's clock said; start_us and end_us are corrected once the clocks' offsets are known
        self.seen_start_us = self.start_us = start_us
        self.seen_end_us = self.end_us = max(start_us, end_us)
        # spans are timed by their own process, wherever the agent is that took them in
        self.clock = (
            f"{columns['app_service'][row]}/{columns['app_instance'][row]}" if self.is_span else f"agent {agent_id}"
        )
        self.client = columns.ends(0)[row]
        self.server = columns.ends(1)[row]

    def __getitem__(self, column: str) -> Any:
        return self._columns[column][self._row]

    @property
    def duration_us(self) -> int:
        """From the first to the last byte that was seen."""
        return self.end_us - self.start_us

    @property
    def row_id(self) -> str:
        """What tells the row from all others and where in time it is kept: flow, start in microseconds, sequence number or request id."""
        number = self["_id"]
        if number:
            return f"{self['flow_id']}.{self.seen_start_us}.{number}"
        return f"{self['flow_id']}.{self.seen_start_us}.{self['req_tcp_seq'] or self['request_id'] or self['resp_tcp_seq'] or 0}"

    @property
    def place(self) -> tuple[int, str, int, int]:
        """Where it was seen: a message is seen once at each place."""
        return self.agent_id, self.point, self["capture_nic"] or 0, self["signal_source"] or 0

    @property
    def trace_ids(self) -> tuple[str, ...]:
        """The traces that the message says it belongs to."""
        return tuple(filter(None, (self["trace_id"], self["_trace_id_2"])))

    def shift(self, offset_us: int) -> None:
        """Set the times right by what the clock was behind."""
        self.start_us = self.seen_start_us + offset_us
        self.end_us = self.seen_end_us + offset_us

    def attributes(self) -> Mapping[str, str]:
        """The further attributes."""
        return dict(zip(self["attribute_names"] or (), self["attribute_values"] or (), strict=False))


def _address(is_ipv4: Any, ip4: Any, ip6: Any) -> str:
    if is_ipv4 is False:
        text = str(ipaddress.IPv6Address(ip6)) if isinstance(ip6, bytes) and len(ip6) == 16 else str(ip6 or "")
    else:
        text = str(ipaddress.IPv4Address(ip4)) if isinstance(ip4, int) else str(ip4 or "")
    return "" if text in _NOWHERE else text


def spans_of(table: pa.Table, *, agent_id: int | None = None) -> list[Span]:
    """Every row of a table of exchanges.

    :param agent_id: whose they are, where the rows do not say (captures of several hosts).
    """
    columns = Columns(table)
    starts, ends, points, agents = (
        columns[name] for name in ("start_time", "end_time", "observation_point", "agent_id")
    )
    return [
        Span(
            columns,
            row,
            agents[row] or 0 if agent_id is None else agent_id,
            point=points[row] or "rest",
            start_us=starts[row] or 0,
            end_us=ends[row] or starts[row] or 0,
        )
        for row in range(table.num_rows)
    ]

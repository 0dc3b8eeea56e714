"""The services of the last minute, from the metrics of each second."""

from __future__ import annotations

import ipaddress
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metaflow_core.api import RecordBatch
    from metaflow_core.model.catalog import Catalog

__all__ = ["TABLES", "Board", "Line"]

TABLES = APPLICATION, NETWORK = "flow_metrics.application_map.1s", "flow_metrics.network_map.1s"
"""Those that it takes."""
_SPAN_S = 60
# A call that packets and processes (eBPF) saw counts once: by packets, else at the server's process, else elsewhere.
_PACKET, _EBPF = 0, 3
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """A service over the span. Rates are per second, delays microseconds."""

    server: str
    protocol: str
    requests: int
    rate: float
    errors: int
    average_us: float
    max_us: int


@dataclass(slots=True)
class _Second:
    time: int
    requests: int = 0
    errors: int = 0
    delay_sum: float = 0.0
    delay_count: int = 0
    delay_max: int = 0


class Board:
    """Takes batches, gives lines. Bounded: at most 10,000 services, a minute of seconds each."""

    def __init__(self, catalog: Catalog) -> None:
        self._names = {member.value: member.name for member in catalog.enum("l7_protocol").members}
        self._services: dict[tuple[str, int, int], deque[_Second]] = {}
        self._requests: dict[tuple[str, int, int], int] = {}
        self._newest = 0
        self.packets = 0
        self.flows = 0

    @property
    def requests(self) -> int:
        """Requests since the beginning."""
        return sum(count for key, count in self._requests.items() if self._counts(key))

    def _counts(self, key: tuple[str, int, int]) -> bool:
        """Whether nothing better is known of the same service than what was seen at this place."""
        return not any((*key[:2], better) in self._requests for better in range(key[2]))

    def add(self, batch: RecordBatch) -> None:
        """Take a batch; tables other than the maps of each second are passed over."""
        if batch.table == APPLICATION:
            self._add_application(batch.data)
        elif batch.table == NETWORK:
            columns = _columns(batch.data, "packet", "new_flow")
            self.packets += sum(columns["packet"])
            self.flows += sum(columns["new_flow"])

    def _add_application(self, data: Any) -> None:
        columns = _columns(
            data, "time", "is_ipv4", "ip4_1", "ip6_1", "server_port", "l7_protocol", "request", "error", "rrt_sum", "rrt_count",
            "rrt_max", "signal_source", "observation_point",
        )  # fmt: skip
        for row in range(data.num_rows):
            address = columns["ip4_1"][row] if columns["is_ipv4"][row] else columns["ip6_1"][row]
            place = _place(columns["signal_source"][row], columns["observation_point"][row])
            key = (_server(address, columns["server_port"][row]), columns["l7_protocol"][row], place)
            if len(self._requests) < 8 * _MOST or key in self._requests:
                self._requests[key] = self._requests.get(key, 0) + columns["request"][row]
            seconds = self._services.get(key)
            if seconds is None:
                if len(self._services) >= _MOST:
                    continue
                seconds = self._services[key] = deque(maxlen=_SPAN_S)
            moment = int(columns["time"][row])
            self._newest = max(self._newest, moment)
            second = next((item for item in reversed(seconds) if item.time == moment), None)
            if second is None:
                second = _Second(moment)
                seconds.append(second)
            second.requests += columns["request"][row]
            second.errors += columns["error"][row]
            second.delay_sum += columns["rrt_sum"][row]
            second.delay_count += columns["rrt_count"][row]
            second.delay_max = max(second.delay_max, columns["rrt_max"][row])

    def lines(self, now_s: int | None = None) -> list[Line]:
        """Services with traffic in the span, the busiest first."""
        begin = (now_s if now_s is not None else self._newest) - _SPAN_S
        found: list[Line] = []
        for key, seconds in list(self._services.items()):
            if not self._counts(key):
                continue
            server, protocol, _ = key
            recent = [second for second in seconds if second.time > begin]
            if not recent:
                del self._services[key]
                continue
            requests = sum(second.requests for second in recent)
            count = sum(second.delay_count for second in recent)
            span = max(1, max(second.time for second in recent) - min(second.time for second in recent) + 1)
            found.append(
                Line(
                    server=server,
                    protocol=self._names.get(protocol, str(protocol)),
                    requests=requests,
                    rate=requests / span,
                    errors=sum(second.errors for second in recent),
                    average_us=sum(second.delay_sum for second in recent) / count if count else 0.0,
                    max_us=max(second.delay_max for second in recent),
                )
            )
        return sorted(found, key=lambda line: (-line.requests, line.server))


def _columns(data: Any, *names: str) -> dict[str, list[Any]]:
    """Columns as lists; times as whole seconds, a missing column or value as 0."""
    import pyarrow as pa

    found: dict[str, list[Any]] = {}
    for name in names:
        index = data.schema.get_field_index(name)
        if index < 0:
            found[name] = [0] * data.num_rows
            continue
        column = data.column(index)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("s", column.type.tz), safe=False).cast(pa.int64())
        found[name] = [0 if value is None else value for value in column.to_pylist()]
    return found


def _place(source: int, point: object) -> int:
    if source == _PACKET:
        return 0
    return (1 if point == "s-p" else 2) if source == _EBPF else 3


def _server(address: Any, port: int) -> str:
    if isinstance(address, bytes):
        return f"[{ipaddress.IPv6Address(address)}]:{port}"
    return f"{ipaddress.IPv4Address(address or 0)}:{port}"

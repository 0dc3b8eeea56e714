"""Random call trees, and the rows that agents on every host would have made of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from metaflow_tracing.spans import Span, spans_of

from metaflow_core.model.catalog import load_catalog
from metaflow_core.model.catalog.arrow import arrow_schema
from metaflow_core.model.catalog.conform import conform

BASE_US = 1_795_240_000_000_000
TABLE = load_catalog().table("l7_flow_log")


@dataclass
class Call:
    """One call of the tree: who asks whom, when in truth, and what it calls while it works."""

    number: int
    caller: int
    callee: int
    start: int
    end: int
    parent: Call | None = None
    children: list[Call] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"/call/{self.number}"

    def walk(self) -> Iterator[Call]:
        yield self
        for child in self.children:
            yield from child.walk()


class World:
    """Hosts with addresses, clocks, ports and per-host counters."""

    def __init__(self, seed: int, hosts: int = 6, clock_error_us: int = 0) -> None:
        self.random = random.Random(seed)
        self.hosts = hosts
        self.offsets = [self.random.randint(-clock_error_us, clock_error_us) for _ in range(hosts + 1)]
        self._ports = dict.fromkeys(range(hosts + 1), 30_000)
        self._threads = dict.fromkeys(range(hosts + 1), 1)
        self._calls = 0

    def ip(self, host: int) -> int:
        return 0x0A000000 + host

    def number(self, host: int) -> int:
        self._threads[host] += 1
        return (host << 40) + self._threads[host]

    def tree(self, calls: int, start: int = 0, *, parallel: bool = False) -> Call:
        """A tree of so many calls; host 0 is the client, which no agent watches from inside."""
        length = 200_000 * calls
        self._calls += 1
        top = Call(self._calls, 0, self.random.randint(1, self.hosts), BASE_US + start, BASE_US + start + length)
        self._grow(top, calls - 1, parallel)
        return top

    def _grow(self, call: Call, budget: int, parallel: bool) -> None:
        shares: list[int] = []
        while budget > 0:
            share = self.random.randint(1, budget)
            shares.append(share)
            budget -= share
        if not shares:
            return
        at = call.start + 1_000
        unit = (call.end - call.start - 2_000) // (sum(shares) + 1)
        for number, share in enumerate(shares):
            self._calls += 1
            begin, end = at, at + unit * share - 500
            at = end + 500
            if parallel:
                begin, end = call.start + 1_000 + 700 * number, call.end - 1_000 - 900 * self.random.randint(1, 5)
            others = [host for host in range(1, self.hosts + 1) if host != call.callee]
            child = Call(self._calls, call.callee, self.random.choice(others), begin, end, call)
            call.children.append(child)
            self._grow(child, share - 1, parallel)

    def port(self, host: int) -> int:
        self._ports[host] += 1
        if self._ports[host] > 60_000:
            self._ports[host] = 30_001
        return self._ports[host]


PLACES = ("c-p", "c", "c-nd", "s-nd", "s", "s-p")


def rows_of(
    world: World, top: Call, *, threads: bool = False, b3: str = "", w3c: str = "", request_id: str = "", apps: bool = False,
    places: Sequence[str] = PLACES,
) -> list[dict[str, Any]]:  # fmt: skip
    """What agents see of a tree.

    :param threads: with thread numbers, as a program with a thread per request has them. :param b3: a trace id, with span and parent ids
        on each message. :param w3c: a trace id, with the sender's span id only. :param request_id: one X-Request-ID everywhere.
    :param apps: applications send their spans too.
    """
    found: list[dict[str, Any]] = []
    numbers = {call.number: _Numbers() for call in top.walk()}
    if threads:
        for call in top.walk():
            _thread_numbers(world, call, numbers)
    for call in top.walk():
        found += _rows(world, call, numbers[call.number], b3, w3c, request_id, apps, places)
    return found


@dataclass
class _Numbers:
    server: tuple[int, int] = (0, 0)
    client: tuple[int, int] = (0, 0)


def _thread_numbers(world: World, call: Call, numbers: dict[int, _Numbers]) -> None:
    current = asked = world.number(call.callee)
    for child in call.children:
        answered = world.number(call.callee)
        numbers[child.number].client = (current, answered)
        current = answered
    numbers[call.number].server = (asked, current)


def _rows(
    world: World, call: Call, numbers: _Numbers, b3: str, w3c: str, request_id: str, apps: bool, places: Sequence[str]
) -> Iterator[dict[str, Any]]:
    port = world.port(call.caller)
    asked, answered = world.random.randint(1, 2**32 - 1), world.random.randint(1, 2**32 - 1)
    span = f"{call.number:016x}"
    parent = f"{call.parent.number:016x}" if call.parent else ""
    common = {
        "is_ipv4": True, "ip4_0": world.ip(call.caller), "ip4_1": world.ip(call.callee), "client_port": port, "server_port": 8000,
        "protocol": 6, "l7_protocol": 20, "type": 2, "request_type": "GET", "request_resource": call.name, "endpoint": call.name,
        "req_tcp_seq": asked, "resp_tcp_seq": answered, "response_status": 0, "response_code": 200, "flow_id": call.number,
        "trace_id": b3 or w3c, "span_id": span if b3 or w3c else "", "parent_span_id": parent if b3 else "",
        "x_request_id_0": request_id, "x_request_id_1": "",
    }  # fmt: skip
    shrink = max(1, (call.end - call.start) // 100)
    for at, place in enumerate(PLACES):
        if place not in places:
            continue
        host = call.caller if place.startswith("c") else call.callee
        if host == 0:
            continue
        inner = min(at * 20, shrink)
        row = {
            **common, "observation_point": place, "agent_id": host, "signal_source": 3 if place.endswith("-p") else 0,
            "start_time": call.start + inner - world.offsets[host], "end_time": call.end - inner - world.offsets[host],
            "flow_id": call.number * 10 + at, "response_duration": call.end - call.start - 2 * inner,
        }  # fmt: skip
        if place == "c-p":
            row |= {"process_id_0": 1000 + host, "process_kname_0": f"svc{host}"}
            row |= {"syscall_trace_id_request": numbers.client[0], "syscall_trace_id_response": numbers.client[1]}
        if place == "s-p":
            row |= {"process_id_1": 1000 + host, "process_kname_1": f"svc{host}"}
            row |= {"syscall_trace_id_request": numbers.server[0], "syscall_trace_id_response": numbers.server[1]}
        yield row
    if apps:
        yield from _app_rows(world, call, b3 or w3c)


def _app_rows(world: World, call: Call, trace: str) -> Iterator[dict[str, Any]]:
    """A client span in the caller (with the id that the message carries) and a server span in the callee."""
    parent = f"{call.parent.number:08x}ffffffff" if call.parent else ""
    common = {
        "type": 2, "request_resource": call.name, "endpoint": call.name, "response_status": 0, "signal_source": 4, "trace_id": trace,
        "is_ipv4": True, "agent_id": 99,
    }  # fmt: skip
    if call.caller:
        yield {
            **common, "observation_point": "c-app", "app_service": f"svc{call.caller}", "span_id": f"{call.number:016x}",
            "parent_span_id": parent, "start_time": call.start - 50 - world.offsets[call.caller],
            "end_time": call.end + 50 - world.offsets[call.caller], "flow_id": call.number * 10 + 8,
        }  # fmt: skip
    inner = max(150, min(150, (call.end - call.start) // 50))
    yield {
        **common, "observation_point": "s-app", "app_service": f"svc{call.callee}", "span_id": f"{call.number:08x}ffffffff",
        "parent_span_id": f"{call.number:016x}", "start_time": call.start + inner - world.offsets[call.callee],
        "end_time": call.end - inner - world.offsets[call.callee], "flow_id": call.number * 10 + 9,
    }  # fmt: skip


def table_of(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Rows as the storage gives them."""
    listed = list(rows)
    schema = arrow_schema(TABLE)
    names = sorted({name for row in listed for name in row})
    columns = {}
    for name in names:
        type_ = schema.field(name).type
        if pa.types.is_dictionary(type_):
            type_ = type_.value_type
        values = [row.get(name) for row in listed]
        columns[name] = (
            pa.array(values, pa.int64()).cast(type_) if pa.types.is_timestamp(type_) else pa.array(values, type_)
        )
    return pa.Table.from_batches([conform(pa.RecordBatch.from_pydict(columns), TABLE, fill=True)])


def batch_of(rows: Iterable[dict[str, Any]]) -> pa.RecordBatch:
    """Rows as an engine hands them over."""
    return table_of(rows).combine_chunks().to_batches()[0]


def spans(rows: Iterable[dict[str, Any]]) -> list[Span]:
    return spans_of(table_of(rows))

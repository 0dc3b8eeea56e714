"""Batches in, a summary out. Memory grows with the number of services and paths, not with the number of rows."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from metaflow_core.report.columns import Exchanges, addresses, numbers, texts, times_ns
from metaflow_core.report.histogram import Histogram
from metaflow_core.report.model import Edge, Failure, Path, Protocol, Service, Slow, Stranger, Summary, Trouble
from metaflow_core.report.timeline import Timeline

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.api.counters import CounterSample
    from metaflow_core.model.catalog import Catalog

__all__ = ["Summariser"]

REQUESTS, FLOWS = "flow_log.l7_flow_log", "flow_log.l4_flow_log"
# l7_type and response_status of the catalogue
_REQUEST, _RESPONSE, _SESSION = 0, 1, 2
_OK, _TIMEOUT, _UNKNOWN = 0, 2, 5
# close types that are no trouble: a capture that simply stops ends its open flows by timeout
_ENDED_WELL = frozenset({"unknown", "finish", "forced_report", "timeout", "tcp_fin_client_rst"})
# counted by engines for information: nothing was lost
_NO_LOSS = frozenset({"fragment_first", "fragment_later", "datagram_reassembled", "packets"})
_MOST_KEYS = 100_000
_MOST_CLIENTS = 10_000

_ServiceKey = tuple[str, int, str]
_Rows = np.ndarray[tuple[int], np.dtype[np.int64]]
_Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(slots=True)
class _Service:
    requests: int = 0
    errors: int = 0
    unanswered: int = 0
    delays: Histogram = field(default_factory=Histogram)
    names: Counter[str] = field(default_factory=Counter)
    clients: set[str] = field(default_factory=set)


class Summariser:
    """Give it every batch with :meth:`add`, then ask for :meth:`summary`.

    :ivar tables: the tables that it needs.
    :param top: how many of the slowest exchanges, failures and troubled paths are kept.
    """

    tables = (REQUESTS, FLOWS)

    def __init__(self, catalog: Catalog, *, top: int = 5) -> None:
        self._statuses = {member.value: member.name for member in catalog.enum("response_status").members}
        self._closes = {member.value: (member.name, member.display) for member in catalog.enum("close_type").members}
        self._top = top
        self._services: dict[_ServiceKey, _Service] = {}
        self._edges: dict[tuple[str, _ServiceKey], list[int]] = {}
        self._timeline = Timeline()
        self._slow: list[tuple[int, int, Slow]] = []
        self._failures: dict[tuple[str, str, str, str, str], list[int]] = {}
        self._paths: dict[tuple[str, str], list[int]] = {}
        self._rtt: dict[tuple[str, str], list[int]] = {}
        self._closed: Counter[str] = Counter()
        self._strangers: dict[tuple[str, int, int], list[int]] = {}
        self._protocols: dict[str, list[int]] = {}
        self._flows: set[int] = set()
        self._flow_count = 0
        self._start_ns = 0
        self._end_ns = 0
        self._bytes = 0
        self._sequence = 0

    def add(self, table: str, batch: pa.RecordBatch) -> None:
        """Take a batch; tables that the summary does not need are passed over."""
        if table == REQUESTS:
            self._add_requests(batch)
        elif table == FLOWS:
            self._add_flows(batch)

    def _add_requests(self, batch: pa.RecordBatch) -> None:
        rows_of = Exchanges.of(batch)
        kinds, statuses = rows_of.kinds, rows_of.statuses
        clients, domains = addresses(batch, "_0"), texts(batch, "request_domain")
        groups: dict[_ServiceKey, list[int]] = {}
        for row, key in enumerate(zip(rows_of.servers, rows_of.ports, rows_of.protocols, strict=True)):
            groups.setdefault(key, []).append(row)
        is_request, is_answered = kinds != _RESPONSE, kinds == _SESSION
        is_error = is_request & (statuses != _OK) & ((statuses != _UNKNOWN) | ~is_answered)
        is_unanswered = is_error & ~is_answered & ((statuses == _UNKNOWN) | (statuses == _TIMEOUT))
        for key, rows in groups.items():
            service = self._services.get(key)
            if service is None:
                if len(self._services) >= _MOST_KEYS:
                    continue
                service = self._services[key] = _Service()
            chosen = np.asarray(rows)
            service.requests += int(is_request[chosen].sum())
            service.errors += int(is_error[chosen].sum())
            service.unanswered += int(is_unanswered[chosen].sum())
            service.delays.add(rows_of.delays[chosen][is_answered[chosen]])
            service.names.update(domains[row] for row in rows if domains[row])
            if len(service.clients) < _MOST_CLIENTS:
                service.clients.update(clients[row] for row in rows)
            self._keep_edges(key, [clients[row] for row in rows], rows_of, chosen, is_request, is_error)
            counts = self._protocols.setdefault(key[2], [0, 0])
            counts[0] += int(is_request[chosen].sum())
            counts[1] += int((kinds[chosen] != _REQUEST).sum())
        self._timeline.add(rows_of.starts_ns[is_request], is_error[is_request])
        self._keep_slowest(rows_of)
        self._keep_failures(rows_of, np.flatnonzero(is_error))

    def _keep_edges(
        self, key: _ServiceKey, clients: list[str], of: Exchanges, rows: _Rows, is_request: _Flags, is_error: _Flags
    ) -> None:
        answered = of.kinds[rows] == _SESSION
        columns = (is_request[rows], is_error[rows], answered, np.where(answered, of.delays[rows], 0))
        for client, *values in zip(clients, *(column.tolist() for column in columns), strict=True):
            counts = self._edges.get((client, key))
            if counts is None:
                if len(self._edges) >= _MOST_KEYS:
                    continue
                counts = self._edges[client, key] = [0, 0, 0, 0, 0]
            for place, value in enumerate(values):
                counts[place] += value
            counts[4] = max(counts[4], values[3])

    def _keep_slowest(self, of: Exchanges) -> None:
        floor = self._slow[0][0] if len(self._slow) >= self._top else 0
        candidates = np.flatnonzero(of.delays > floor)
        # a stable sort, so that equal delays keep the order of the capture
        for row in candidates[np.argsort(-of.delays[candidates], kind="stable")][: self._top].tolist():
            one = of.batch.slice(row, 1)
            slow = Slow(
                time_ns=int(of.starts_ns[row]),
                duration_us=int(of.delays[row]),
                protocol=of.protocols[row],
                server=_host(of.servers[row], of.ports[row]),
                request=_request(texts(one, "request_type")[0], texts(one, "request_resource")[0]),
                status=self._statuses.get(int(of.statuses[row]), ""),
                flow_id=int(of.flows[row]) & 0xFFFF_FFFF_FFFF_FFFF,
            )
            self._sequence += 1
            heapq.heappush(self._slow, (slow.duration_us, -self._sequence, slow))
            if len(self._slow) > self._top:
                heapq.heappop(self._slow)

    def _keep_failures(self, of: Exchanges, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        if not len(rows):
            return
        failed = of.batch.take(rows.tolist())
        codes, said = numbers(failed, "response_code").tolist(), texts(failed, "response_exception")
        verbs, endpoints = texts(failed, "request_type"), texts(failed, "endpoint")
        for place, row in enumerate(rows.tolist()):
            status = self._statuses.get(int(of.statuses[row]), "")
            code = str(codes[place]) if codes[place] else ""
            what = " ".join(part for part in (code, said[place][:80]) if part) or _no_answer(int(of.statuses[row]))
            server = _host(of.servers[row], of.ports[row])
            key = (of.protocols[row], server, _request(verbs[place], endpoints[place]), status, what)
            found = self._failures.get(key)
            if found is None:
                if len(self._failures) >= _MOST_KEYS:
                    continue
                found = self._failures[key] = [0, int(of.flows[row]) & 0xFFFF_FFFF_FFFF_FFFF]
            found[0] += 1

    def _add_flows(self, batch: pa.RecordBatch) -> None:
        starts, ends = times_ns(batch, "start_time"), times_ns(batch, "end_time")
        if batch.num_rows:
            first, last = int(starts.min()), int(ends.max())
            self._start_ns = min(self._start_ns or first, first)
            self._end_ns = max(self._end_ns, last)
        self._flow_count += int(numbers(batch, "is_new_flow").sum())
        self._bytes += int(numbers(batch, "byte_tx").sum() + numbers(batch, "byte_rx").sum())
        closes = numbers(batch, "close_type").tolist()
        columns = {
            name: numbers(batch, name).tolist()
            for name in (
                "packet_tx", "packet_rx", "retrans_tx", "retrans_rx", "ooo_tx", "ooo_rx", "zero_win_tx", "zero_win_rx", "rtt",
                "protocol", "l7_protocol", "l4_byte_tx", "l4_byte_rx", "is_new_flow",
            )
        }  # fmt: skip
        servers, clients = addresses(batch, "_1"), addresses(batch, "_0")
        ports = numbers(batch, "server_port").tolist()
        for row in range(batch.num_rows):
            payload = columns["l4_byte_tx"][row] + columns["l4_byte_rx"][row]
            if payload and not columns["l7_protocol"][row]:
                self._add_stranger(
                    (servers[row], ports[row], columns["protocol"][row]), columns["is_new_flow"][row], payload
                )
            if columns["protocol"][row] != 6:
                continue
            close, shown = self._closes.get(closes[row], ("unknown", str(closes[row])))
            bad = close not in _ENDED_WELL
            if bad:
                self._closed[shown] += 1
            key = (clients[row], _host(servers[row], ports[row]))
            path = self._paths.get(key)
            if path is None:
                if len(self._paths) >= _MOST_KEYS:
                    continue
                path = self._paths[key] = [0, 0, 0, 0, 0]
                self._rtt[key] = [0, 0]
            path[0] += columns["packet_tx"][row] + columns["packet_rx"][row]
            path[1] += columns["retrans_tx"][row] + columns["retrans_rx"][row]
            path[2] += columns["ooo_tx"][row] + columns["ooo_rx"][row]
            path[3] += columns["zero_win_tx"][row] + columns["zero_win_rx"][row]
            path[4] += bad
            if columns["rtt"][row]:
                self._rtt[key][0] += columns["rtt"][row]
                self._rtt[key][1] += 1

    def _add_stranger(self, key: tuple[str, int, int], flows: int, payload: int) -> None:
        counts = self._strangers.get(key)
        if counts is None:
            if len(self._strangers) >= _MOST_KEYS:
                return
            counts = self._strangers[key] = [0, 0]
        counts[0] += flows
        counts[1] += payload

    def summary(
        self, files: Sequence[str], counters: Iterable[CounterSample] = (), notes: Sequence[str] = ()
    ) -> Summary:
        """The summary of everything that was added.

        :param counters: of the reading, for packets, unparsed bytes and drops.
        """
        samples = list(counters)
        total: Mapping[tuple[str, str], int] = _total(samples)
        services = sorted(
            map(self._service, self._services.items()), key=lambda item: (-item.requests, item.address, item.port)
        )
        failures = [
            Failure(
                count=count, protocol=key[0], server=key[1], request=key[2], status=key[3], what=key[4], flow_id=flow
            )
            for key, (count, flow) in self._failures.items()
        ]
        unparsed = sorted(
            ((reason, value) for (stage, reason), value in total.items() if stage == "unparsed"),
            key=lambda item: -item[1],
        )
        step_ns, timeline = self._timeline.moments()
        return Summary(
            files=tuple(files),
            start_ns=self._start_ns,
            end_ns=self._end_ns,
            packets=total.get(("decode", "packets"), 0),
            bytes=self._bytes,
            flows=self._flow_count,
            requests=sum(service.requests for service in services),
            errors=sum(service.errors for service in services),
            unanswered=sum(service.unanswered for service in services),
            services=tuple(services),
            slowest=tuple(item[2] for item in sorted(self._slow, key=lambda item: (-item[0], -item[1]))),
            failures=tuple(sorted(failures, key=lambda item: (-item.count, item.server, item.request))[: self._top]),
            paths=self._troubled(),
            troubles=tuple(Trouble(close_type=name, count=count) for name, count in self._closed.most_common()),
            protocols=tuple(
                Protocol(protocol=name, requests=counts[0], responses=counts[1])
                for name, counts in sorted(self._protocols.items(), key=lambda item: -sum(item[1]))
            ),
            unparsed_bytes=sum(value for _, value in unparsed),
            unparsed=tuple(unparsed),
            dropped=tuple(
                (stage, reason, value)
                for (stage, reason), value in sorted(total.items(), key=lambda item: -item[1])
                if reason not in {"", *_NO_LOSS}
                and stage in {"dropped", "frames", "link", "ip", "transport", "tunnel", "fragment"}
            ),
            notes=tuple(notes),
            strangers=self._sorted_strangers(),
            edges=self._sorted_edges(),
            timeline=timeline,
            step_ns=step_ns,
        )

    def _service(self, item: tuple[_ServiceKey, _Service]) -> Service:
        (address, port, protocol), service = item
        delays = service.delays
        return Service(
            address=address,
            port=port,
            protocol=protocol,
            name=service.names.most_common(1)[0][0] if service.names else "",
            requests=service.requests,
            errors=service.errors,
            unanswered=service.unanswered,
            p50_us=delays.quantile(0.5),
            p95_us=delays.quantile(0.95),
            p99_us=delays.quantile(0.99),
            max_us=delays.largest,
            clients=len(service.clients),
        )

    def _sorted_strangers(self) -> tuple[Stranger, ...]:
        known = {(address, port) for address, port, _ in self._services}
        found = [
            Stranger(server=_host(address, port) if port else address, transport=transport, flows=flows, bytes=payload)
            for (address, port, transport), (flows, payload) in self._strangers.items()
            if (address, port) not in known
        ]
        return tuple(sorted(found, key=lambda item: (-item.bytes, item.server))[: self._top])

    def _sorted_edges(self) -> tuple[Edge, ...]:
        found = [
            Edge(
                client=client,
                address=address,
                port=port,
                protocol=protocol,
                requests=counts[0],
                errors=counts[1],
                average_us=round(counts[3] / counts[2]) if counts[2] else 0,
                max_us=counts[4],
            )
            for (client, (address, port, protocol)), counts in self._edges.items()
        ]
        return tuple(sorted(found, key=lambda edge: (-edge.requests, edge.client, edge.address, edge.port)))

    def _troubled(self) -> tuple[Path, ...]:
        found = [
            Path(
                client=client,
                server=server,
                packets=path[0],
                retransmissions=path[1],
                out_of_order=path[2],
                zero_windows=path[3],
                rtt_us=self._rtt[client, server][0] // max(1, self._rtt[client, server][1]),
                failed=path[4],
            )
            for (client, server), path in self._paths.items()
            if path[1] or path[2] or path[3] or path[4]
        ]
        found.sort(
            key=lambda item: (-(item.retransmissions + item.zero_windows + item.failed), item.client, item.server)
        )
        return tuple(found[: self._top])


def _total(samples: Iterable[CounterSample]) -> dict[tuple[str, str], int]:
    total: dict[tuple[str, str], int] = {}
    for sample in samples:
        key = (sample.stage, sample.reason)
        total[key] = total.get(key, 0) + sample.value
    return total


def _host(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _request(verb: str, rest: str) -> str:
    # some protocols' resource is the whole command
    is_whole = rest[: len(verb)].upper() == verb.upper() and rest[len(verb) : len(verb) + 1] in ("", " ")
    return rest if verb and is_whole else f"{verb} {rest}".strip()


def _no_answer(status: int) -> str:
    return "no answer in time" if status == _TIMEOUT else "no answer seen"

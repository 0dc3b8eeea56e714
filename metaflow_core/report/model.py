"""The summary as values; ``--json`` prints exactly these fields. Durations are microseconds, times nanoseconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Edge", "Failure", "Moment", "Path", "Protocol", "Service", "Slow", "Stranger", "Summary", "Trouble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One server port speaking one protocol.

    :ivar name: the domain that requests named most often, empty when they named none.
    :ivar requests: requests seen. :ivar errors: of these, answered with an error or not at all; :ivar unanswered: of these, not at all.
    :ivar p50_us: half of the answers came within this; ``p95_us``, ``p99_us`` likewise (within 2 %), ``max_us`` is exact.
    :ivar clients: different client addresses.
    """

    address: str
    port: int
    protocol: str
    name: str
    requests: int
    errors: int
    p50_us: int
    p95_us: int
    p99_us: int
    max_us: int
    clients: int
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One client address calling one server port in one protocol.

    :ivar average_us: mean of the answers, 0 when none was measured.
    """

    client: str
    address: str
    port: int
    protocol: str
    requests: int
    errors: int
    average_us: int
    max_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What happened in one step of time; :attr:`Summary.step_ns` is how long that is."""

    time_ns: int
    requests: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """One of the slowest exchanges."""

    time_ns: int
    duration_us: int
    protocol: str
    server: str
    request: str
    status: str
    flow_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Exchanges that failed in the same way.

    :ivar what: code and words of the failure. :ivar flow_id: one of the flows it happened in, for ``mflow explain``.
    """

    count: int
    protocol: str
    server: str
    request: str
    status: str
    what: str
    flow_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """TCP from one client address to one server port."""

    client: str
    server: str
    packets: int
    retransmissions: int
    out_of_order: int
    zero_windows: int
    rtt_us: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """How connections ended that did not end well."""

    close_type: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """Messages of one protocol."""

    protocol: str
    requests: int
    responses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A server port that data was exchanged with and whose protocol no parser knows.

    :ivar transport: number of the IP protocol. :ivar bytes: payload of both directions.
    """

    server: str
    transport: int
    flows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Everything, sorted by what matters most.

    :ivar packets: frames decoded. :ivar bytes: on the wire, in flows.
    :ivar unparsed_bytes: payload that no parser read, with the reasons in ``unparsed``.
    :ivar dropped: what was not decoded or kept, by stage and reason.
    :ivar strangers: where unknown protocols are spoken, the most bytes first.
    :ivar timeline: at most some hundred steps, those without a request left out.
    """

    files: tuple[str, ...]
    start_ns: int
    end_ns: int
    packets: int
    bytes: int
    flows: int
    requests: int
    errors: int
    services: tuple[Service, ...]
    slowest: tuple[Slow, ...]
    failures: tuple[Failure, ...]
    paths: tuple[Path, ...]
    troubles: tuple[Trouble, ...]
    protocols: tuple[Protocol, ...]
    unparsed_bytes: int
    unparsed: tuple[tuple[str, int], ...]
    dropped: tuple[tuple[str, str, int], ...]
    notes: tuple[str, ...] = ()
    edges: tuple[Edge, ...] = ()
    timeline: tuple[Moment, ...] = ()
    step_ns: int = 0
    unanswered: int = 0
    strangers: tuple[Stranger, ...] = ()

"""What things are called: services, operations, protocols, outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from metaflow_tracing.spans import Span

if TYPE_CHECKING:
    from metaflow_core.model.catalog import Catalog
    from metaflow_tracing.assembly.trace import Node, Trace

__all__ = ["Names", "Vocabulary", "operation", "side", "span_kind"]

_CLIENT = frozenset({"c-p", "c", "c-nd", "c-hv", "c-gw-hv", "c-gw", "c-app"})
_WIRE = frozenset({"c-nd", "c-hv", "c-gw-hv", "c-gw", "rest", "s-gw", "s-gw-hv", "s-hv", "s-nd"})


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names of the numbers in rows."""

    protocols: Mapping[int, str]
    outcomes: Mapping[int, str]
    signals: Mapping[int, str]

    @classmethod
    def of(cls, catalog: Catalog) -> Vocabulary:
        """From the enumerations of an app's catalogue, with the protocols that its parsers registered."""

        def members(name: str) -> dict[int, str]:
            return {int(member.value): member.name for member in catalog.enum(name).members}

        return cls(members("l7_protocol"), members("response_status"), members("signal_source"))

    def protocol(self, span: Span) -> str:
        """Name of the application protocol; a plugin's own by its own name."""
        return span["biz_protocol"] or self.protocols.get(span["l7_protocol"] or 0, str(span["l7_protocol"] or ""))


def side(point: str) -> int:
    """Whose end a place belongs to: 0 the client's, 1 the server's."""
    return 0 if point in _CLIENT else 1


def operation(span: Span) -> str:
    """What was asked, in short: the verb and the endpoint."""
    what = span["endpoint"] or span["request_resource"] or ""
    verb = span["request_type"] or ""
    if span.is_span:
        return what or verb or span["span_id"] or "span"
    if verb and not what.startswith(verb):
        return f"{verb} {what}".strip()
    return what or verb or span["request_domain"] or "request"


def span_kind(span: Span) -> str:
    """OpenTelemetry's kind: ``client``, ``server``, ``internal``, ``producer``, ``consumer``."""
    known = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}.get(span["span_kind"] or 0)
    if known:
        return known
    if span.point == "app":
        return "internal"
    return "client" if side(span.point) == 0 else "server"


def end_name(span: Span, end: int) -> str:
    """What is known of one end by name; empty when only its address is."""
    if span.is_span and end == (0 if span.point == "c-app" else 1):
        return span["app_service"] or ""
    address = span.client if end == 0 else span.server
    for name in (f"auto_service_{end}", f"auto_instance_{end}", f"process_kname_{end}"):
        value = span[name]
        if value and value != address.ip and value not in ("0.0.0.0", "::"):  # noqa: S104
            return str(value)
    return ""


class Names:
    """Names of both ends of each hop: what one row knows holds for all rows of the hop, and a caller is named as it was when it was asked."""

    def __init__(self, trace: Trace) -> None:
        self._ends: dict[int, list[str]] = {}
        for node in trace.nodes:
            ends = self._ends.setdefault(node.hop, ["", ""])
            for end in (0, 1):
                ends[end] = ends[end] or end_name(node.span, end)
        for node in trace.nodes:
            if node.parent is None:
                continue
            above = trace.nodes[node.parent]
            if above.hop != node.hop and node.edge is not None and node.edge.relation != "same":
                ends = self._ends[node.hop]
                ends[0] = ends[0] or self._ends[above.hop][1 if above.span.point != "c-app" else 0]

    def end(self, node: Node, end: int) -> str:
        """Name of an end; its address when it has none."""
        found = self._ends[node.hop][end]
        if found:
            return found
        address = node.span.client if end == 0 else node.span.server
        return (f"{address.ip}:{address.port}" if end else address.ip) if address.ip else "unknown"

    def service(self, node: Node) -> str:
        """The service whose row it is."""
        return self.end(node, side(node.span.point))

    def bearer(self, node: Node) -> str:
        """Who spent the time that a row itself took: a service, or the network between two."""
        return "network" if node.span.point in _WIRE or (node.span.point == "c") else self.service(node)

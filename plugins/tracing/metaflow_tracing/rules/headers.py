"""What messages say of themselves: trace and span ids (traceparent, b3, sw8, uber-trace-id, EagleEye, ...), X-Request-ID."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from metaflow_core.api import Config, LinkSpan, Lookup, Match, Relation, Verdict
from metaflow_tracing.rules.parts import covers, meets, traces_differ

__all__ = ["HeaderConfig", "RequestId", "SpanId"]

_IDS = ("trace_id", "_trace_id_2")
_REQUEST_IDS = ("x_request_id_0", "x_request_id_1")


class HeaderConfig(Config):
    """No options."""


def _traces(span: LinkSpan) -> Iterator[str]:
    yield from (span[name] for name in _IDS if span[name])


class SpanId:
    """Span ids inside one trace: a message carries the id of the span that sent it; a span names its parent."""

    relation = Relation.CAUSE
    lookups = (Lookup(_IDS, _IDS),)

    def offers(self, span: LinkSpan) -> Iterator[Hashable]:
        """Its own id, as a message (on the wire) or as a span."""
        if span["span_id"]:
            where = "span" if span.is_span else "wire"
            yield from ((where, trace, span["span_id"]) for trace in _traces(span))

    def seeks(self, span: LinkSpan) -> Iterator[Hashable]:
        """A span seeks the message that brought its parent's id, then its parent. A message seeks the span that sent it, then the
        span or message that its sender names as parent, then the message that a proxy passed on unchanged."""
        mine, parent = span["span_id"], span["parent_span_id"]
        for trace in _traces(span):
            if not span.is_span and mine:
                yield "span", trace, mine
            if parent and parent != mine:
                yield "wire", trace, parent
                yield "span", trace, parent
            if not span.is_span and mine:
                yield "wire", trace, mine

    def judge(self, first: LinkSpan, second: LinkSpan, slack_us: int) -> Verdict:
        """Ids are long and random; what is checked is which of several carriers of one id it is."""
        column = "span_id" if first["span_id"] == second["span_id"] else "parent_span_id"
        matched = (_trace_match(first, second), Match("span_id", column, first["span_id"]))
        against = covers(first, second, slack_us)
        if first.is_span or second.is_span:
            reason = (
                "the span names its parent"
                if column == "parent_span_id"
                else "the message carries the id of the span that sent it"
            )
            if not first.is_span and first.server.ip and column == "span_id":
                return Verdict(0, "a span is not caused by a message that carries its own id", matched)
            if against and not first.is_span and second.start_us >= first.start_us - slack_us:
                # a handler's span may end long after its answer was sent: the message that brought it stays nearer than who sent that
                return Verdict(1.0, f"{reason}, though {against}", matched)
            if against:
                # spans are measured by their own process; one that outlives its parent is nothing unusual
                return Verdict(0.9, f"{reason}, though {against}", matched)
            return Verdict(1.0, reason, matched)
        if column == "parent_span_id":
            return (
                Verdict(0, against, matched)
                if against
                else Verdict(0.99, "the message names the one before as its parent", matched)
            )
        can_be, _, evidence = meets(first, second)
        if against:
            return Verdict(0, against, matched)
        if (first.client, first.server) == (second.client, second.server):
            return Verdict(0, "it is another message of the same connection", matched)
        if not can_be:
            return Verdict(0, "it was not sent by whoever received the other", matched)
        return Verdict(0.9, "a proxy passed the header on unchanged", matched + evidence, is_exclusive=True)


class RequestId:
    """One X-Request-ID: a gateway gives it to a request, or takes it over, and passes it on."""

    relation = Relation.CAUSE
    lookups = (Lookup(_REQUEST_IDS, _REQUEST_IDS),)

    def offers(self, span: LinkSpan) -> Iterator[Hashable]:
        """The ids of request and answer."""
        yield from dict.fromkeys(("x-request-id", span[name]) for name in _REQUEST_IDS if span[name])

    def seeks(self, span: LinkSpan) -> Iterator[Hashable]:
        """The same."""
        return self.offers(span)

    def judge(self, first: LinkSpan, second: LinkSpan, slack_us: int) -> Verdict:
        """Inside the other's time, sent by its receiver."""
        matched = tuple(
            Match(one, other, first[one])
            for one in _REQUEST_IDS
            for other in _REQUEST_IDS
            if first[one] and first[one] == second[other]
        )
        against = "they name different traces" if traces_differ(first, second) else covers(first, second, slack_us)
        if against:
            return Verdict(0, against, matched)
        if (first.client, first.server) == (second.client, second.server):
            return Verdict(0, "it is another message of the same connection", matched)
        can_be, tells, evidence = meets(first, second)
        if not can_be:
            return Verdict(0, "it was not sent by whoever received the other", matched)
        if not tells:
            return Verdict(0.8, "one request id, one inside the other's time", matched + evidence, is_exclusive=True)
        # a service that is met twice on one way could have sent it either time
        reason = "the receiver of the one sent the other with the same request id"
        return Verdict(0.95, reason, matched + evidence, is_exclusive=True)


def _trace_match(first: LinkSpan, second: LinkSpan) -> Match:
    for one in _IDS:
        for other in _IDS:
            if first[one] and first[one] == second[other]:
                return Match(one, other, first[one])
    return Match("trace_id", "trace_id", "")

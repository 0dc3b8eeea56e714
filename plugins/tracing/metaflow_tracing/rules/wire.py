"""The same message seen at several places: by the position of its bytes in the TCP stream, or by what a datagram carries."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from metaflow_core.api import Config, Field, LinkSpan, Lookup, Match, Relation, Verdict
from metaflow_tracing.rules.parts import TCP, UDP, conflict, match

__all__ = ["Datagram", "DatagramConfig", "TcpSequence", "TcpSequenceConfig", "TranslatedTcp", "TranslatedTcpConfig"]

_PROCESSES = ("c-p", "s-p")
# how exactly times of system calls and of packets agree, and how long a sender may be kept from the processor inside of its call
_SAME_US, _SENDING_US = 2_000, 100_000
_SEQUENCES = (Lookup(("req_tcp_seq",), ("req_tcp_seq",)), Lookup(("resp_tcp_seq",), ("resp_tcp_seq",)))


class TcpSequenceConfig(Config):
    """How far apart in time two sightings may be."""

    max_offset_s: float = Field(
        3600.0,
        gt=0,
        description="How far the clocks of two hosts may be apart, in seconds; beyond, it is another message.",
    )
    max_delay_ms: float = Field(1000.0, gt=0, description="The same on one host's clock, in milliseconds.")
    max_queued_s: float = Field(
        60.0,
        gt=0,
        description="The same where a process is one of the two, in seconds: a busy one leaves a request in its socket for long.",
    )


class TranslatedTcpConfig(TcpSequenceConfig):
    """How far apart in time two sightings may be."""

    max_offset_s: float = Field(
        60.0,
        gt=0,
        description="How far the clocks of two hosts may be apart, in seconds; beyond, it is another message.",
    )


class DatagramConfig(TcpSequenceConfig):
    """How far apart in time two sightings may be."""

    max_offset_s: float = Field(
        5.0,
        gt=0,
        description="How far the clocks of two hosts may be apart, in seconds; beyond, it is another message.",
    )
    max_queued_s: float = Field(
        1.0, gt=0, description="How far apart on one host's clock where a process is one of the two, in seconds."
    )


def _tuple(span: LinkSpan) -> tuple[str, int, str, int]:
    return (*_pair(span.client.ip, span.client.port), *_pair(span.server.ip, span.server.port))


def _pair(ip: str, port: int) -> tuple[str, int]:
    return ip, port


class _Wire:
    """What the rules here share."""

    relation = Relation.SAME

    def __init__(self, config: TcpSequenceConfig) -> None:
        self._far_us = int(config.max_offset_s * 1e6)
        self._near_us = int(config.max_delay_ms * 1e3)
        self._queued_us = int(config.max_queued_s * 1e6)

    def seeks(self, span: LinkSpan) -> Iterator[Hashable]:
        """Symmetric: what it offers."""
        return self.offers(span)

    def offers(self, span: LinkSpan) -> Iterator[Hashable]:
        """Keys."""
        raise NotImplementedError

    def too_far(self, first: LinkSpan, second: LinkSpan) -> str:
        """Why they are too far apart in time; empty when they are not. Requests are compared by their starts, else by their ends."""
        both_asked = first["type"] != 1 and second["type"] != 1
        apart = abs(first.start_us - second.start_us) if both_asked else abs(first.end_us - second.end_us)
        if first.agent_id == second.agent_id:
            near = self._queued_us if first.point in _PROCESSES or second.point in _PROCESSES else self._near_us
            return f"they are {apart} us apart on one clock" if apart > near else ""
        return f"they are {apart} us apart, more than clocks may differ" if apart > self._far_us else ""


class TcpSequence(_Wire):
    """Same 5-tuple, same sequence numbers: the strongest evidence there is. Retransmissions keep them, another message cannot."""

    lookups = _SEQUENCES

    def offers(self, span: LinkSpan) -> Iterator[Hashable]:
        """The 5-tuple with either number."""
        if span.is_span or span["protocol"] != TCP or not span.client.ip:
            return
        ends = _tuple(span)
        for name in ("req_tcp_seq", "resp_tcp_seq"):
            if span[name]:
                yield name, ends, span[name]

    def judge(self, first: LinkSpan, second: LinkSpan, slack_us: int) -> Verdict:
        """Numbers that both have are equal, and nothing in the content speaks against it."""
        del slack_us
        matched = [Match("5-tuple", "5-tuple", _shown(first))]
        for name in ("req_tcp_seq", "resp_tcp_seq"):
            if first[name] and second[name]:
                if first[name] != second[name]:
                    return Verdict(0, f"{name} differs: {first[name]} and {second[name]}")
                matched.append(match(first, second, name))
        against = conflict(first, second) or self.too_far(first, second)
        if against:
            return Verdict(0, against, tuple(matched))
        return Verdict(1.0, "the same bytes of the same connection", tuple(matched))


class TranslatedTcp(_Wire):
    """Same sequence numbers in both directions, other addresses: a translator (NAT, load balancer) stands in between."""

    lookups = _SEQUENCES

    def offers(self, span: LinkSpan) -> Iterator[Hashable]:
        """Both numbers."""
        if not span.is_span and span["protocol"] == TCP and span["req_tcp_seq"] and span["resp_tcp_seq"]:
            yield "both", span["req_tcp_seq"], span["resp_tcp_seq"]

    def judge(self, first: LinkSpan, second: LinkSpan, slack_us: int) -> Verdict:
        """One end may be translated; what was asked must be the same."""
        del slack_us
        matched = (
            match(first, second, "req_tcp_seq"),
            match(first, second, "resp_tcp_seq"),
            match(first, second, "l7_protocol"),
        )
        against = conflict(first, second) or self.too_far(first, second)
        if against:
            return Verdict(0, against, matched)
        if first["l7_protocol"] != second["l7_protocol"]:
            return Verdict(0, "they are of different protocols", matched)
        return Verdict(0.9, "the same bytes in both directions, behind a translation of addresses", matched)


class Datagram(_Wire):
    """UDP has no sequence numbers: same ports and addresses, same request id, same question, at nearly the same time.

    A socket that is not connected has no address of its own (the kernel chooses one for each datagram), nor has one that listens on
    all; on one host its port, the other end and the time tell it just as well.
    """

    lookups = (Lookup(("request_id",), ("request_id",), ("client_port", "server_port")),)

    def offers(self, span: LinkSpan) -> Iterator[Hashable]:
        """The ports and the id."""
        if not span.is_span and span["protocol"] == UDP and span["request_id"] and span.client.port:
            yield "datagram", span.client.port, span.server.port, span["request_id"]

    def judge(self, first: LinkSpan, second: LinkSpan, slack_us: int) -> Verdict:
        """Ids are short and come again, so time and content must agree."""
        del slack_us
        is_whole = True
        for mine, other in ((first.client, second.client), (first.server, second.server)):
            if mine.ip and other.ip and mine.ip != other.ip:
                return Verdict(0, f"the addresses differ: {mine.ip} and {other.ip}")
            is_whole = is_whole and bool(mine.ip and other.ip)
        if is_whole:
            ends = Match("5-tuple", "5-tuple", _shown(first))
        else:
            ends = Match(
                "ports", "ports", f"{first.client.port} > {first.server.ip or second.server.ip}:{first.server.port}"
            )
        matched = (ends, match(first, second, "request_id"))
        if not is_whole and first.agent_id != second.agent_id:
            return Verdict(
                0, "a socket without an address of its own is told by its port on its own host only", matched
            )
        against = conflict(first, second) or self.too_far(first, second) or _out_of_order(first, second)
        if against:
            return Verdict(0, against, matched)
        if is_whole:
            return Verdict(0.95, "the same request id between the same ports", matched)
        return Verdict(0.9, "the same request id from the same port of this host, at the same time", matched)


def _out_of_order(first: LinkSpan, second: LinkSpan) -> str:
    """Why a sender's or receiver's call cannot be that of a datagram seen beside it, on one clock: what was asked twice, with the same id,
    is two datagrams. Empty when it can."""
    if first.agent_id != second.agent_id:
        return ""
    if 1 in (first["type"], second["type"]):
        alone = first["type"] == second["type"]
        return "" if alone else "one is an answer alone, which may be to another question with the same id"
    for one, other in ((first, second), (second, first)):
        later = other.start_us - one.start_us
        if one.point == "c-p" and not -_SAME_US <= later <= _SENDING_US:
            return f"it was seen {later} us after it was sent; a datagram leaves its sender at once"
        if one.point == "s-p" and later > _SAME_US:
            return f"the server had received it {later} us before"
    return ""


def _shown(span: LinkSpan) -> str:
    return f"{span.client.ip}:{span.client.port} > {span.server.ip}:{span.server.port}"

"""What one thread or goroutine did: it read a request, then it asked others, then it answered."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from metaflow_core.api import Config, LinkSpan, Lookup, Match, Relation, Verdict
from metaflow_tracing.rules.parts import covers, match, traces_differ

__all__ = ["Thread", "ThreadChain", "ThreadConfig"]

_REQUEST, _RESPONSE = "syscall_trace_id_request", "syscall_trace_id_response"
_BOTH = (_REQUEST, _RESPONSE)
# protocols whose connections carry several requests at once: HTTP2, gRPC, Triple (l7_protocol)
_MANY_AT_ONCE = (21, 41, 49)


class ThreadConfig(Config):
    """No options."""


class Thread:
    """A thread carries one number from what it received to what it sent next; the number is of one host.

    A thread that serves several requests at once proves nothing: whoever watches it writes 0 there, and 0 links nothing.
    """

    relation = Relation.CAUSE
    lookups = (Lookup(_BOTH, _BOTH),)

    def offers(self, span: LinkSpan) -> Iterator[Hashable]:
        """Numbers of what a process was asked, and answered."""
        if span.point == "s-p":
            yield from (("thread", span.agent_id, name, span[name]) for name in _BOTH if span[name])

    def seeks(self, span: LinkSpan) -> Iterator[Hashable]:
        """Numbers of what a process asked."""
        if span.point == "c-p":
            yield from (("thread", span.agent_id, name, span[name]) for name in _BOTH if span[name])

    def judge(self, first: LinkSpan, second: LinkSpan, slack_us: int) -> Verdict:
        """One process, and the call lies inside the handling."""
        matched = tuple(match(first, second, name) for name in _BOTH if first[name] and first[name] == second[name])
        mine, other = first["process_id_1"], second["process_id_0"]
        if mine and other and mine != other:
            return Verdict(0, f"the number is that of process {mine}, this is process {other}", matched)
        if not matched:
            return Verdict(0, "the numbers do not agree")
        if traces_differ(first, second):
            return Verdict(0, "they name different traces", matched)
        against = covers(first, second, slack_us)
        if against:
            return Verdict(0, against, matched)
        routines = (first["syscall_coroutine_1"], second["syscall_coroutine_0"])
        if all(routines):
            return _of_routines(first, second, matched)
        threads = (first["syscall_thread_0"], second["syscall_thread_0"])
        if threads[0] and threads[0] == threads[1]:
            matched += (match(first, second, "syscall_thread_0"),)
        elif all(threads) and not any(routines) and len(matched) == 1:
            return Verdict(0.9, "a number that one thread handed to another", matched, is_exclusive=True)
        return Verdict(0.97, "one thread received the one and then sent the other", matched, is_exclusive=True)


def _of_routines(first: LinkSpan, second: LinkSpan, matched: tuple[Match, ...]) -> Verdict:
    """A goroutine is one flow of work wherever it runs. One that another started works for it, as far as one can tell: it may have been
    started for the request at hand and then have taken work from elsewhere, so this is likely, never certain.
    """
    if first["syscall_coroutine_1"] == second["syscall_coroutine_0"]:
        matched += (match(first, second, "syscall_coroutine_1", "syscall_coroutine_0"),)
        return Verdict(0.97, "one goroutine received the one and then sent the other", matched, is_exclusive=True)
    if first["l7_protocol"] in _MANY_AT_ONCE:
        return Verdict(
            0,
            "it was sent by a goroutine that the one started which reads requests of many streams: of which is not known",
            matched,
        )
    return Verdict(
        0.8,
        "it was sent by a goroutine that the one started which was working on the other, its first",
        matched,
        is_exclusive=True,
    )


class ThreadChain:
    """A thread that asked, got its answer and asked again: both calls are of whatever caused the first."""

    relation = Relation.SIBLING
    lookups = (Lookup(_BOTH, _BOTH),)

    def offers(self, span: LinkSpan) -> Iterator[Hashable]:
        """The number of the answer it got."""
        if span.point == "c-p" and span[_RESPONSE]:
            yield "chain", span.agent_id, span[_RESPONSE]

    def seeks(self, span: LinkSpan) -> Iterator[Hashable]:
        """The number with which it asked."""
        if span.point == "c-p" and span[_REQUEST]:
            yield "chain", span.agent_id, span[_REQUEST]

    def judge(self, first: LinkSpan, second: LinkSpan, slack_us: int) -> Verdict:
        """One process, one after the other."""
        matched = (Match(_RESPONSE, _REQUEST, str(first[_RESPONSE])),)
        mine, other = first["process_id_0"], second["process_id_0"]
        if mine and other and mine != other:
            return Verdict(0, f"the number is that of process {mine}, this is process {other}", matched)
        if second.start_us < first.end_us - slack_us:
            return Verdict(0, "it began before the other one was answered", matched)
        if traces_differ(first, second):
            return Verdict(0, "they name different traces", matched)
        return Verdict(0.95, "one thread got its answer and then asked again", matched, is_exclusive=True)

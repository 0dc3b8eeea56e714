"""The weakest rule: one trace id, one inside the other's time, and the one's receiver is the other's sender."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from metaflow_core.api import Config, LinkSpan, Match, Relation, Verdict
from metaflow_tracing.rules.parts import covers, meets, traces_differ

__all__ = ["Inside", "InsideConfig"]


class InsideConfig(Config):
    """No options."""


def _guess(first: LinkSpan, second: LinkSpan, evidence: tuple[Match, ...]) -> Verdict:
    """Why not, where time and place fit. Of streams only the first and the last message have numbers: what a thread does between
    two messages of one is known by the thread alone, and a thread may work on several in turns.
    """
    thread = first["syscall_thread_1"]
    if thread and thread == second["syscall_thread_0"] and first["process_id_1"] == second["process_id_0"]:
        return Verdict(
            0,
            "the thread that sent it also wrote the answer to the other, but no number and no header says that it worked on nothing else "
            "meanwhile: that would be a guess",
            (*evidence, Match("syscall_thread_1", "syscall_thread_0", str(thread))),
        )
    return Verdict(0, "time and place fit, but no id says that they belong together: that would be a guess", evidence)


class Inside:
    """Links only inside one trace, and only when a single message fits; else it tells what would have fitted.

    Headers such as ``traceparent`` carry the sender's span alone, so between what a service was asked and what it asks there may be
    nothing else to go by when no application told of its spans.
    """

    relation = Relation.CAUSE
    lookups = ()

    def offers(self, span: LinkSpan) -> Iterator[Hashable]:
        """Its receiver."""
        if span.is_span:
            return
        if span["process_id_1"]:
            yield "process", span.agent_id, span["process_id_1"]
        if span.server.ip:
            yield "address", span.server.ip

    def seeks(self, span: LinkSpan) -> Iterator[Hashable]:
        """Its sender."""
        if span.is_span:
            return
        if span["process_id_0"]:
            yield "process", span.agent_id, span["process_id_0"]
        if span.client.ip:
            yield "address", span.client.ip

    def judge(self, first: LinkSpan, second: LinkSpan, slack_us: int) -> Verdict:
        """Never without a trace id in common."""
        can_be, _, evidence = meets(first, second)
        if not can_be:
            return Verdict(0, "it was sent by another process than the one that received the other", evidence)
        if (first.client, first.server) == (second.client, second.server):
            return Verdict(0, "it is another message of the same connection", evidence)
        against = covers(first, second, slack_us)
        if against:
            return Verdict(0, against, evidence)
        if traces_differ(first, second):
            return Verdict(0, "they name different traces", evidence)
        mine = {first["trace_id"], first["_trace_id_2"]} - {"", None}
        common = sorted(mine & {second["trace_id"], second["_trace_id_2"]})
        if not common:
            return _guess(first, second, evidence)
        matched = (Match("trace_id", "trace_id", common[0]), *evidence)
        return Verdict(
            0.7, "one trace, and the only request that its sender was working on", matched, is_exclusive=True
        )

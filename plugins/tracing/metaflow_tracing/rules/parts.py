"""What several rules ask of two rows."""

from __future__ import annotations

from metaflow_core.api import LinkSpan, Match

__all__ = ["TCP", "UDP", "conflict", "covers", "match", "meets", "traces_differ"]

TCP, UDP = 6, 17
_TEXTS = (
    "l7_protocol",
    "request_type",
    "request_domain",
    "request_resource",
    "endpoint",
    "request_id",
    "response_code",
)
_LONGEST = 1024


def match(first: LinkSpan, second: LinkSpan, one: str, other: str | None = None) -> Match:
    """The evidence that two columns agree."""
    del second
    return Match(one, other or one, str(first[one])[:_LONGEST])


def traces_differ(first: LinkSpan, second: LinkSpan) -> bool:
    """Both name traces, and none in common."""
    mine, others = first["trace_id"], second["trace_id"]
    if mine and mine == others:
        return False
    mine2, others2 = first["_trace_id_2"], second["_trace_id_2"]
    if not (mine or mine2) or not (others or others2):
        return False
    return not {mine, mine2}.intersection({others, others2} - {"", None})


def conflict(first: LinkSpan, second: LinkSpan) -> str:
    """Why two rows cannot tell of one message: a field that both have and that differs; empty when nothing speaks against it."""
    if traces_differ(first, second):
        return "they name different traces"
    for name in (*_TEXTS, "span_id"):
        mine, other = first[name], second[name]
        if mine == other or not mine or not other:
            continue
        if isinstance(mine, str) and isinstance(other, str):
            mine, other = mine[:_LONGEST], other[:_LONGEST]
        if mine != other:
            return f"{name} differs: {str(mine)[:60]} and {str(other)[:60]}"
    return ""


def covers(first: LinkSpan, second: LinkSpan, slack_us: int) -> str:
    """Why the second cannot have happened while the first was worked on; empty when it can. A one-way request covers by its start."""
    if second.start_us < first.start_us - slack_us:
        return f"it began {first.start_us - second.start_us} us before what would have caused it"
    has_answer = first["type"] != 0 and first.end_us > first.start_us
    if has_answer and not second["is_async"] and second.end_us > first.end_us + slack_us:
        return f"it ended {second.end_us - first.end_us} us after what would have caused it"
    return ""


def meets(first: LinkSpan, second: LinkSpan) -> tuple[bool, bool, tuple[Match, ...]]:
    """Whether the server of the first is the client of the second: ``(it can be, that tells it from others, evidence)``.

    Processes tell best. Addresses tell only where each host has its own: on a loopback all are one.
    """
    mine, other = first["process_id_1"], second["process_id_0"]
    if mine and other and first.agent_id == second.agent_id:
        return mine == other, True, (Match("process_id_1", "process_id_0", str(mine)),) if mine == other else ()
    here, there = first.server.ip, second.client.ip
    if not here or not there:
        return True, False, ()
    telling = not here.startswith("127.") and here not in ("::1", first.client.ip)
    return here == there, telling, (Match("ip_1", "ip_0", here),) if here == there else ()

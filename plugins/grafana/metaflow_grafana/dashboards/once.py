"""A call counts once, wherever it was seen: the condition in ClickHouse's SQL, the same rule as the pages and ``mflow top`` have.

Packets count; what they cannot read (inside TLS) counts at the server's process (eBPF), or at the client's where the server is no process that
was watched. Without packets processes count in that way, without either the spans of OpenTelemetry.
"""

# ruff: noqa: S608 - made of constants; Grafana puts the variables in

from __future__ import annotations

__all__ = ["once"]

_PACKET, _PROCESS = 0, 3


def once(table: str, when: str) -> str:
    """The condition for rows of the request log.

    :param when: the condition of time, by which it is known what there is.
    """

    def none_of(*sources: int) -> str:
        numbers = ", ".join(str(each) for each in sources)
        return f"(SELECT count() FROM {table} WHERE {when} AND signal_source IN ({numbers})) = 0"

    at_one_end = "(observation_point = 's-p' OR ifNull(gprocess_id_1, 0) = 0)"
    return (
        f"(signal_source = {_PACKET} OR (signal_source = {_PROCESS} AND {at_one_end} AND (is_tls OR {none_of(_PACKET)})) "
        f"OR {none_of(_PACKET, _PROCESS)})"
    )

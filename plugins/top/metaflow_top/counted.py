"""One call, one row: which rows of the request log count where a call is seen at several places.

Packets count; what they cannot read (inside TLS) counts at the server's process (eBPF), or at the client's where the server is no
process of this machine. Without packets the processes count in that way, without either the spans of OpenTelemetry.
"""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["SOURCES", "counted"]

SOURCES = "SELECT signal_source, Count(row) AS rows FROM l7_flow_log WHERE {where} GROUP BY signal_source"
"""The question for what there is."""
_AT_ONE_END = "(observation_point = 's-p' or gprocess_id_1 = 0)"


def counted(sources: Collection[str]) -> str:
    """A condition; empty where every row counts.

    :param sources: names of ``signal_source`` that there are rows of.
    """
    if "packet" in sources:
        if len(sources) == 1:
            return ""
        return f"(signal_source = 0 or (signal_source = 3 and is_tls = 1 and {_AT_ONE_END}))"
    return f"signal_source = 3 and {_AT_ONE_END}" if "ebpf" in sources else ""

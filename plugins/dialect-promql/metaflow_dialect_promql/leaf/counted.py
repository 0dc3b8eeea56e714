"""One call, one row: which rows of the request log count where a call is seen at several places.

Packets count; what they cannot read (inside TLS) counts at the server's process (eBPF), or at the client's where the server is no
process of this machine. Without packets the processes count in that way, without either the spans of OpenTelemetry.
"""

from __future__ import annotations

from metaflow_core.api import Storage
from metaflow_core.model.expression import And, Compare, Expr, Literal, Or, Ref
from metaflow_core.query import Aggregate, Filter, Fold, Named

__all__ = ["counted"]

# signal_source of the catalogue
_PACKET, _EBPF = 0, 3


async def counted(rows: Filter, storage: Storage) -> Filter:
    """The same rows without those of calls that others count."""
    table = await storage.execute(Aggregate(rows, (Named("source", Ref("signal_source")),), (Fold("rows", "count"),)))
    there = {value or _PACKET for value in table["source"].to_pylist()}
    one_end = Or((_equal("observation_point", "s-p"), _equal("gprocess_id_1", 0)))
    if _PACKET in there:
        if len(there) == 1:
            return rows
        inside = And((_equal("signal_source", _EBPF), _equal("is_tls", True), one_end))
        return Filter(rows, Or((_equal("signal_source", _PACKET), inside)))
    return Filter(rows, And((_equal("signal_source", _EBPF), one_end))) if _EBPF in there else rows


def _equal(column: str, value: str | int | bool) -> Expr:
    return Compare("=", Ref(column), Literal(value))

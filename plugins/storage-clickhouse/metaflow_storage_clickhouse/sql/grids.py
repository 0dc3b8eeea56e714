"""PromQL's leaf through ClickHouse's ``timeSeries*ToGrid`` functions."""

from __future__ import annotations

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.query import Grid
from metaflow_storage_clickhouse.sql.relation import Relation
from metaflow_storage_clickhouse.sql.typed import Typed, instant, real

__all__ = ["grid"]

# Windows are open on the left and closed on the right in all of them; measured against PromQL in the reference.
_CALLS = {
    "last": "timeSeriesResampleToGridWithStaleness",
    "rate": "timeSeriesRateToGrid",
    "delta": "timeSeriesDeltaToGrid",
    "irate": "timeSeriesInstantRateToGrid",
    "idelta": "timeSeriesInstantDeltaToGrid",
}


def grid(node: Grid, below: Relation) -> Relation:
    """One row a series with a list of one number a step.

    :raises UnsupportedQuery: the function is not among those whose meaning equals PromQL's, or moments fall between
        the time column's units.
    """
    call = _CALLS.get(node.function)
    if call is None:
        raise UnsupportedQuery(f"ClickHouse computes no {node.function!r} over windows here; read the samples instead")
    below = below.open()
    time, value = below.columns[node.time], below.columns[node.value]
    unit = 1_000_000_000 // time.per_second
    moments = (node.start_ns, node.end_ns, node.step_ns, node.window_ns)
    if any(moment % unit for moment in moments) or any(m % 1_000_000_000 for m in moments[2:]):
        raise UnsupportedQuery("steps and windows of a grid are whole seconds here; read the samples instead")
    start, end = (instant(str(moment // unit), time.type).sql for moment in moments[:2])
    step, window = (moment // 1_000_000_000 for moment in moments[2:])
    aliases = {name: below.names.new() for name in node.series}
    values = below.names.new()
    listed = [(aliases[name], below.columns[name].sql) for name in node.series]
    listed.append((values, f"{call}({start}, {end}, {step}, {window})({time.sql}, {real(value).sql})"))
    columns = {
        name: Typed(aliases[name], below.columns[name].type, below.columns[name].nullable, below.columns[name].column)
        for name in node.series
    }
    columns["values"] = Typed(values, "list_f64")
    group_by = ", ".join(aliases.values())
    return Relation(f"({below.select(listed, group_by=group_by)})", columns, names=below.names)

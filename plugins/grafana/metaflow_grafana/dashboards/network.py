"""The network: every metric of the catalogue's table of connections, one panel each, grouped as the catalogue groups them."""

from __future__ import annotations

from metaflow_core.model.catalog import Catalog
from metaflow_core.model.catalog.values import Column, Metric
from metaflow_grafana.panels import Board, Panel, promql

__all__ = ["UNITS", "network"]

_TABLE = "flow_metrics.network_map.1m"
_BY = "auto_service_1, server_port"
_LEGEND = "{{auto_service_1}}:{{server_port}}"
_KINDS = frozenset({"counter", "gauge", "bounded_gauge", "delay", "percentage", "quotient"})
_MOST_LINES = 15
UNITS = {"us": "µs", "byte": "bytes", "packet": "pps", "%": "percent", "percent": "percent", "ratio": "percentunit"}
"""The catalogue's unit -> Grafana's."""


def network(catalog: Catalog) -> Board:
    """The dashboard."""
    table = catalog.table(_TABLE)
    every: list[Column | Metric] = [*table.columns, *table.metrics]
    # sums and counts are the parts of means, which have panels of their own
    fields = [each for each in every if each.kind in _KINDS and not each.name.endswith(("_sum", "_count"))]
    panels = [_panel(each) for each in fields]
    return Board(
        "metaflow-network",
        "MetaFlow / Network",
        panels,
        description=f"Every metric of {_TABLE}: the {_MOST_LINES} greatest servers of each, by minute.",
    )


def _panel(each: Column | Metric) -> Panel:
    name = f"flow_metrics__network_map__{each.name}__1m"
    # sums of sums are sums; of everything else the greatest is what one looks for
    fold = "sum" if each.kind == "counter" else "max"
    expression = f"topk({_MOST_LINES}, {fold} by ({_BY}) ({name}))"
    return Panel(
        each.name,
        "timeseries",
        [promql(expression, _LEGEND)],
        UNITS.get(each.unit or "", "short"),
        width=8,
        height=7,
        description=each.description,
    )

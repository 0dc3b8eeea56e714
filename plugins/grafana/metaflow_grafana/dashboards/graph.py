"""The service map: Grafana's node graph panel from two questions, and the numbers behind it under Tempo's names."""

# ruff: noqa: S608 - made of constants and of the catalogue; Grafana puts the variables in

from __future__ import annotations

from metaflow_core.model.catalog import Catalog
from metaflow_grafana.dashboards.once import once
from metaflow_grafana.dashboards.requests import address, words
from metaflow_grafana.panels import Board, Panel, promql, sql

__all__ = ["graph"]

_TABLE = "flow_log.l7_flow_log"
_WHEN = "$__timeFilter(time)"
# fields of a table carry no colour of their own, as those of Tempo's frames do
_COLOURS = {
    "nodes": {"arcs": [{"field": "arc__success", "color": "green"}, {"field": "arc__failed", "color": "red"}]},
}
_RESPONSE = 1
"""l7_type of a response alone, which is no request."""


def graph(catalog: Catalog) -> Board:
    """The dashboard."""
    status = words(catalog, "response_status", "response_status")
    bad = f"{status} IN ('server_error', 'client_error', 'timeout')"
    failed = f"countIf({bad})"
    client, server = address(0), f"concat({address(1)}, ':', toString(server_port))"
    rows = f"FROM {_TABLE} WHERE {_WHEN} AND type != {_RESPONSE} AND {once(_TABLE, _WHEN)}"
    # the panel wants fields of these names; arcs are shares that add up to 1
    # each row counts at its server, and shows that its client is there
    ends = f"[tuple({server}, biz_protocol, 1, toUInt8({bad})), tuple({client}, 'client', 0, 0)]"
    nodes = (
        "SELECT tupleElement(end, 1) AS id, tupleElement(end, 1) AS title, max(tupleElement(end, 2)) AS subtitle, "
        "sum(tupleElement(end, 3)) AS mainstat, sum(tupleElement(end, 4)) AS secondarystat, "
        "1 - secondarystat / greatest(mainstat, 1) AS arc__success, secondarystat / greatest(mainstat, 1) AS arc__failed "
        f"FROM (SELECT arrayJoin({ends}) AS end {rows}) GROUP BY id ORDER BY mainstat DESC LIMIT 200"
    )
    edges = (
        f"SELECT concat(source, ' ', target) AS id, {client} AS source, {server} AS target, count() AS mainstat, "
        f"{failed} AS secondarystat, avg(response_duration) AS detail__mean_us {rows} "
        "GROUP BY source, target ORDER BY mainstat DESC LIMIT 1000"
    )
    graph_metric = "traces_service_graph_request"
    rate = f"sum by (client, server) (rate({graph_metric}_total[$__rate_interval]))"
    failing = f"sum by (client, server) (rate({graph_metric}_failed_total[$__rate_interval]))"
    seconds = f"sum by (client, server) (rate({graph_metric}_server_seconds_sum[$__rate_interval]))"
    answered = f"sum by (client, server) (rate({graph_metric}_server_seconds_count[$__rate_interval]))"
    legend = "{{client}} → {{server}}"
    return Board(
        "metaflow-map",
        "MetaFlow / Service map",
        (
            Panel("Who calls whom", "nodeGraph", [sql(edges), sql(nodes)], width=24, height=16, options=_COLOURS),
            Panel("Requests a second", "timeseries", [promql(rate, legend)], "reqps", 8),
            Panel("Failed a second", "timeseries", [promql(failing, legend)], "reqps", 8),
            Panel("Mean response time", "timeseries", [promql(f"{seconds} / {answered}", legend)], "s", 8),
            Panel(
                "Operations",
                "table",
                [
                    promql(
                        "topk(50, sum by (service, span_name, status_code) (increase(traces_spanmetrics_calls_total[$__range])))",
                        instant=True,
                    )
                ],
                width=24,
            ),
        ),
        description="Grafana's own Service Graph (Explore, Tempo) reads the same series.",
    )

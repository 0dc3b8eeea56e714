"""Services: rate, errors, duration, from the metrics of each minute."""

from __future__ import annotations

from typing import Any

from metaflow_core.model.catalog import Catalog
from metaflow_grafana.panels import PROMETHEUS, Board, Panel, promql

__all__ = ["services"]

_BY = "auto_service_1, server_port, l7_protocol_enum"
_LEGEND = "{{auto_service_1}}:{{server_port}} {{l7_protocol_enum}}"
_CHOSEN = '{auto_service_1=~"$service",l7_protocol_enum=~"$protocol"}'


def _metric(name: str) -> str:
    return f"flow_metrics__application_map__{name}__1m{_CHOSEN}"


def _variable(name: str, label: str) -> dict[str, Any]:
    query = f"label_values(flow_metrics__application_map__request__1m, {label})"
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": PROMETHEUS,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


def services(catalog: Catalog) -> Board:
    """The dashboard."""
    for name in ("request", "error", "timeout", "rrt", "rrt_max"):
        catalog.table("flow_metrics.application_map.1m").by_name[name]
    requests, errors = f"sum by ({_BY}) ({_metric('request')})", f"sum by ({_BY}) ({_metric('error')})"
    total = f"sum(sum_over_time({_metric('request')}[$__range]))"
    failed = f"sum(sum_over_time({_metric('error')}[$__range]))"
    return Board(
        "metaflow-services",
        "MetaFlow / Services",
        (
            Panel("Requests", "stat", [promql(total, instant=True)], width=6, height=4),
            Panel("Failed", "stat", [promql(failed, instant=True)], width=6, height=4),
            Panel("Share that failed", "stat", [promql(f"{failed} / {total}", instant=True)], "percentunit", 6, 4),
            Panel(
                "Services",
                "stat",
                [promql(f"count(sum by ({_BY}) (sum_over_time({_metric('request')}[$__range])))", instant=True)],
                width=6,
                height=4,
            ),
            Panel("Requests a second", "timeseries", [promql(f"{requests} / 60", _LEGEND)], "reqps"),
            Panel("Share that failed", "timeseries", [promql(f"{errors} / {requests}", _LEGEND)], "percentunit"),
            Panel(
                "Mean response time",
                "timeseries",
                [promql(f"sum by ({_BY}) ({_metric('rrt_sum')}) / sum by ({_BY}) ({_metric('rrt_count')})", _LEGEND)],
                "µs",
            ),
            Panel("Slowest response", "timeseries", [promql(f"max by ({_BY}) ({_metric('rrt_max')})", _LEGEND)], "µs"),
            Panel(
                "Response time, 95 of 100 (from the request log)",
                "timeseries",
                [
                    promql(
                        "histogram_quantile(0.95, sum by (le, server) "
                        "(rate(traces_service_graph_request_server_seconds_bucket[$__rate_interval])))",
                        "{{server}}",
                    )
                ],
                "s",
            ),
            Panel("Timeouts", "timeseries", [promql(f"sum by ({_BY}) ({_metric('timeout')})", _LEGEND)]),
            Panel(
                "Busiest services",
                "table",
                [promql(f"topk(20, sum by ({_BY}) (sum_over_time({_metric('request')}[$__range])))", instant=True)],
                width=24,
            ),
        ),
        (_variable("service", "auto_service_1"), _variable("protocol", "l7_protocol_enum")),
        "Rate, errors and duration of every service, watched from outside.",
    )

"""Services: rate, errors, duration, from the metrics of each minute."""

from __future__ import annotations

from typing import Any

from metaflow_core.model.catalog import Catalog
from metaflow_grafana.panels import PROMETHEUS, Board, Panel, promql

__all__ = ["services"]

_BY = "auto_service_1, server_port, l7_protocol_enum"
_LEGEND = "{{auto_service_1}}:{{server_port}} {{l7_protocol_enum}}"
_CHOSEN = 'auto_service_1=~"$service",l7_protocol_enum=~"$protocol"'
# A call that packets and processes (eBPF) saw is counted once: by packets, else at the server's process, else at the client's.
_PLACES = (
    'signal_source_enum="packet"',
    'signal_source_enum="ebpf",observation_point="s-p"',
    'signal_source_enum="ebpf",observation_point="c-p"',
)


def _each(name: str, fold: str = "sum", over: str = "") -> str:
    """A metric of each service. :param over: what is made of a series before it is summed, with ``{}`` in its place."""
    series = (f"flow_metrics__application_map__{name}__1m{{{_CHOSEN},{place}}}" for place in _PLACES)
    return "(" + " or ".join(f"{fold} by ({_BY}) ({over.replace('{}', each) or each})" for each in series) + ")"


def _over_range(name: str) -> str:
    return _each(name, over="sum_over_time({}[$__range])")


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
    requests, errors = _each("request"), _each("error")
    total = f"sum({_over_range('request')})"
    failed = f"sum({_over_range('error')})"
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
                [promql(f"count({_over_range('request')})", instant=True)],
                width=6,
                height=4,
            ),
            Panel("Requests a second", "timeseries", [promql(f"{requests} / 60", _LEGEND)], "reqps"),
            Panel("Share that failed", "timeseries", [promql(f"{errors} / {requests}", _LEGEND)], "percentunit"),
            Panel(
                "Mean response time",
                "timeseries",
                [promql(f"{_each('rrt_sum')} / {_each('rrt_count')}", _LEGEND)],
                "µs",
            ),
            Panel("Slowest response", "timeseries", [promql(_each("rrt_max", "max"), _LEGEND)], "µs"),
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
            Panel("Timeouts", "timeseries", [promql(_each("timeout"), _LEGEND)]),
            Panel(
                "Busiest services",
                "table",
                [promql(f"topk(20, {_over_range('request')})", instant=True)],
                width=24,
            ),
        ),
        (_variable("service", "auto_service_1"), _variable("protocol", "l7_protocol_enum")),
        "Rate, errors and duration of every service, watched from outside.",
    )

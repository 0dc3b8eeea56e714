"""The request log: rows, in ClickHouse's SQL over MetaFlow's ClickHouse interface."""

# ruff: noqa: S608 - made of constants and of the catalogue; Grafana puts the variables in

from __future__ import annotations

from typing import Any

from metaflow_core.model.catalog import Catalog
from metaflow_grafana.dashboards.once import once
from metaflow_grafana.panels import CLICKHOUSE, Board, Panel, sql

__all__ = ["address", "requests", "words"]

_TABLE = "flow_log.l7_flow_log"
_WHEN = "$__timeFilter(time)"


def address(end: int) -> str:
    """The address of the client (0) or the server (1) as text."""
    return f"if(is_ipv4, toString(ip4_{end}), toString(ip6_{end}))"


def words(catalog: Catalog, column: str, enum: str) -> str:
    """An enumeration's names for its numbers."""
    members = catalog.enum(enum).members
    numbers = ", ".join(str(member.value) for member in members)
    names = ", ".join("'" + str(member.name).replace("'", "''") + "'" for member in members)
    return f"transform(toInt64(ifNull({column}, -1)), [{numbers}], [{names}], '')"


def requests(catalog: Catalog) -> Board:
    """The dashboard."""
    status = words(catalog, "response_status", "response_status")
    server = f"concat({address(1)}, ':', toString(server_port))"
    chosen = f"{_WHEN} AND biz_protocol IN (${{protocol:singlequote}}) AND (endpoint LIKE '%$text%' OR request_resource LIKE '%$text%')"
    counted = f"{chosen} AND {once(_TABLE, _WHEN)}"
    failed = f"{status} IN ('server_error', 'client_error', 'timeout')"
    step = "toStartOfInterval(time, INTERVAL $__interval_s second)"
    columns = (
        f"start_time AS time, biz_protocol AS protocol, {address(0)} AS client, {server} AS server, request_type AS verb, "
        f"request_resource AS resource, {status} AS status, response_code AS code, response_duration AS took_us, "
        "response_exception AS said, trace_id, toString(flow_id) AS flow"
    )
    return Board(
        "metaflow-requests",
        "MetaFlow / Requests",
        (
            Panel(
                "Requests",
                "timeseries",
                [
                    sql(
                        f"SELECT {step} AS t, {status} AS status, count() AS requests FROM {_TABLE} WHERE {counted} GROUP BY t, status ORDER BY t",
                        over_time=True,
                    )
                ],
                width=12,
            ),
            Panel(
                "Response time",
                "timeseries",
                [
                    sql(
                        f"SELECT {step} AS t, quantile(0.5)(response_duration) AS p50, quantile(0.95)(response_duration) AS p95, "
                        f"max(response_duration) AS slowest FROM {_TABLE} WHERE {counted} GROUP BY t ORDER BY t",
                        over_time=True,
                    )
                ],
                "µs",
            ),
            Panel(
                "Endpoints",
                "table",
                [
                    sql(
                        f"SELECT biz_protocol AS protocol, {server} AS server, endpoint, count() AS requests, countIf({failed}) AS failed, "
                        f"quantile(0.95)(response_duration) AS p95_us FROM {_TABLE} WHERE {counted} "
                        "GROUP BY protocol, server, endpoint ORDER BY requests DESC LIMIT 100"
                    )
                ],
            ),
            Panel(
                "What fails",
                "table",
                [
                    sql(
                        f"SELECT biz_protocol AS protocol, {server} AS server, endpoint, {status} AS status, response_code AS code, "
                        f"any(response_exception) AS said, count() AS times FROM {_TABLE} WHERE {counted} AND {failed} "
                        "GROUP BY protocol, server, endpoint, status, code ORDER BY times DESC LIMIT 100"
                    )
                ],
            ),
            Panel(
                "Request log",
                "table",
                [sql(f"SELECT {columns} FROM {_TABLE} WHERE {chosen} ORDER BY time DESC LIMIT 1000")],
                width=24,
                height=14,
            ),
        ),
        (_protocols(), _text()),
        "Every request, newest first; a call that was seen at several places counts once, and is listed at each.",
    )


def _protocols() -> dict[str, Any]:
    query = f"SELECT DISTINCT biz_protocol FROM {_TABLE} ORDER BY biz_protocol"
    return {
        "name": "protocol", "label": "Protocol", "type": "query", "datasource": CLICKHOUSE, "query": query, "definition": query,
        "refresh": 2, "includeAll": True, "multi": True, "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip


def _text() -> dict[str, Any]:
    return {
        "name": "text",
        "label": "With the text",
        "type": "textbox",
        "query": "",
        "current": {"text": "", "value": ""},
    }

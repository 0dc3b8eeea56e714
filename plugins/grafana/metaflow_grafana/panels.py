"""Panels as Grafana's JSON has them (dashboard schema 39, Grafana 10.4 and newer)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CLICKHOUSE", "PROMETHEUS", "TEMPO", "Board", "Panel", "promql", "sql"]

PROMETHEUS = {"type": "prometheus", "uid": "metaflow-prometheus"}
CLICKHOUSE = {"type": "grafana-clickhouse-datasource", "uid": "metaflow-clickhouse"}
TEMPO = {"type": "tempo", "uid": "metaflow-tempo"}
_WIDTH = 24
# what Grafana's ClickHouse data source calls its forms of answers
_TABLE, _TIME_SERIES = 1, 0


def promql(expression: str, legend: str = "", *, instant: bool = False) -> dict[str, Any]:
    """A query in PromQL."""
    return {
        "datasource": PROMETHEUS,
        "expr": expression,
        "legendFormat": legend or "__auto",
        "instant": instant,
        "range": not instant,
        "format": "table" if instant else "time_series",
    }


def sql(text: str, *, over_time: bool = False) -> dict[str, Any]:
    """A query in ClickHouse's SQL."""
    return {
        "datasource": CLICKHOUSE,
        "editorType": "sql",
        "rawSql": text,
        "queryType": "timeseries" if over_time else "table",
        "format": _TIME_SERIES if over_time else _TABLE,
    }


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    :ivar kind: Grafana's type: ``timeseries``, ``table``, ``stat``, ``nodeGraph``, ``logs``. :ivar unit: Grafana's unit.
    """

    title: str
    kind: str
    targets: Sequence[dict[str, Any]]
    unit: str = "short"
    width: int = 12
    height: int = 8
    description: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    overrides: Sequence[dict[str, Any]] = ()
    transformations: Sequence[dict[str, Any]] = ()

    def document(self, number: int, x: int, y: int) -> dict[str, Any]:
        """As JSON has it."""
        targets = [{"refId": chr(ord("A") + index), **each} for index, each in enumerate(self.targets)]
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": targets[0]["datasource"],
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0}, "overrides": list(self.overrides)},
            "options": self.options,
            "targets": targets,
            "transformations": list(self.transformations),
        }


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard.

    :ivar uid: stays the same over versions, so that links do. :ivar variables: as Grafana's ``templating.list``.
    """

    uid: str
    title: str
    panels: Sequence[Panel]
    variables: Sequence[dict[str, Any]] = ()
    description: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON has it; panels flow from left to right."""
        placed: list[dict[str, Any]] = []
        x = y = row = 0
        for number, panel in enumerate(self.panels, 1):
            if x + panel.width > _WIDTH:
                x, y, row = 0, y + row, 0
            placed.append(panel.document(number, x, y))
            x, row = x + panel.width, max(row, panel.height)
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["metaflow"],
            "schemaVersion": 39,
            "version": 1,
            "editable": True,
            "refresh": "10s",
            "time": {"from": "now-15m", "to": "now"},
            "timezone": "browser",
            "links": [
                {
                    "type": "dashboards",
                    "tags": ["metaflow"],
                    "title": "MetaFlow",
                    "asDropdown": True,
                    "keepTime": True,
                    "icon": "external link",
                    "includeVars": False,
                    "targetBlank": False,
                    "tooltip": "MetaFlow's dashboards",
                }
            ],
            "templating": {"list": list(self.variables)},
            "annotations": {"list": []},
            "panels": placed,
        }

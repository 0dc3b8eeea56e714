"""The dashboards, from the catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from metaflow_core.model.catalog import Catalog
from metaflow_grafana.dashboards.graph import graph
from metaflow_grafana.dashboards.network import network
from metaflow_grafana.dashboards.requests import requests
from metaflow_grafana.dashboards.services import services
from metaflow_grafana.panels import Board

__all__ = ["boards"]


def boards(catalog: Catalog) -> Sequence[Board]:
    """Every dashboard."""
    return (services(catalog), graph(catalog), requests(catalog), network(catalog))

"""The engine's tables: their numbers in the C ABI, their names in the engine and in the catalogue."""

from __future__ import annotations

TABLES = (
    "l7_message",
    "l7_flow_log",
    "l4_flow_log",
    "network.1s",
    "network.1m",
    "network_map.1s",
    "network_map.1m",
    "application.1s",
    "application.1m",
    "application_map.1s",
    "application_map.1m",
    "explain",
)
"""Names by table id (docs/explanation/data-plane.md, "Tables")."""

AGGREGATED = frozenset(name for name in TABLES if name.endswith((".1s", ".1m")))
"""Tables whose rows of one time and key are meant to be added up."""


def catalogue_name(table: str) -> str:
    """The full name that the catalogue has for one of the engine's tables."""
    return f"flow_metrics.{table}" if table in AGGREGATED else f"flow_log.{table}"

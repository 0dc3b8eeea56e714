"""Data sources and the dashboards' provider, as Grafana's provisioning has them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from metaflow_grafana.panels import CLICKHOUSE, PROMETHEUS, TEMPO

__all__ = ["providers", "sources"]


def sources(url: str, clickhouse: str, *, has_token: bool, has_password: bool) -> dict[str, Any]:
    """``datasources/metaflow.yaml``. Secrets stay in Grafana's environment.

    :param url: of MetaFlow's HTTP service, as Grafana reaches it. :param clickhouse: of its ClickHouse interface.
    """
    parts = urlsplit(clickhouse)
    header: dict[str, Any] = {"jsonData": {}}
    if has_token:
        header = {
            "jsonData": {"httpHeaderName1": "Authorization"},
            "secureJsonData": {"httpHeaderValue1": "Bearer $METAFLOW_TOKEN"},
        }
    store: dict[str, Any] = {
        "name": "MetaFlow ClickHouse",
        **CLICKHOUSE,
        "access": "proxy",
        "jsonData": {
            "host": parts.hostname,
            "port": parts.port or (8443 if parts.scheme == "https" else 8123),
            "protocol": "http",
            "secure": parts.scheme == "https",
            "username": "default",
            "defaultDatabase": "flow_log",
        },
    }
    if has_password:
        store["secureJsonData"] = {"password": "$METAFLOW_CLICKHOUSE_PASSWORD"}
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "MetaFlow",
                **PROMETHEUS,
                "access": "proxy",
                "url": f"{url}/prom",
                **header,
                "jsonData": {
                    **header["jsonData"],
                    "httpMethod": "POST",
                    "prometheusType": "Prometheus",
                    "timeInterval": "60s",
                },
            },
            store,
            {
                "name": "MetaFlow traces",
                **TEMPO,
                "access": "proxy",
                "url": f"{url}/tempo",
                **header,
                "jsonData": {
                    **header["jsonData"],
                    "serviceMap": {"datasourceUid": PROMETHEUS["uid"]},
                    "nodeGraph": {"enabled": True},
                    "streamingEnabled": {"search": False},
                },
            },
        ],
    }


def providers(folder: str) -> dict[str, Any]:
    """``dashboards/metaflow.yaml``.

    :param folder: where Grafana finds the dashboards' files.
    """
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "metaflow",
                "folder": "MetaFlow",
                "type": "file",
                "updateIntervalSeconds": 30,
                "allowUiUpdates": True,
                "options": {"path": folder, "foldersFromFilesStructure": False},
            }
        ],
    }

"""The configuration that ``mflow up`` makes of what is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metaflow_core.api import Kind
from metaflow_core.hooks.host import PluginHost
from metaflow_up.choice import STORAGES, Capture, first_installed

__all__ = ["assemble"]

# dialect and service types that are started when they are installed, with nothing to configure
_DIALECTS = ("sql", "promql")
_SERVICES = ("querier", "web", "prometheus_api")


def assemble(host: PluginHost, capture: Capture, data_dir: Path, port: int) -> dict[str, Any]:
    """A configuration as a mapping, ready for :class:`metaflow_core.App` or a YAML file."""
    storage = first_installed(STORAGES, host.factories(Kind.STORAGE))
    pipeline: dict[str, Any] = {"collectors": [capture.collector], "parsers": ["*"]}
    config: dict[str, Any] = {
        "version": 1,
        "collectors": {capture.collector: _plain(capture.options)},
        "pipelines": {"live": pipeline},
        "service": {"data_dir": str(data_dir)},
    }
    if storage:
        config["storages"] = {storage: _with(host, Kind.STORAGE, storage, path=str(data_dir / storage))}
        pipeline["storages"] = [storage]
    dialects: dict[str, dict[str, Any]] = {name: {} for name in _DIALECTS if name in host.factories(Kind.DIALECT)}
    if storage and dialects:
        config["dialects"] = dialects
    services = {
        name: _with(host, Kind.SERVICE, name, listen=f"127.0.0.1:{port}")
        for name in _SERVICES
        if name in host.factories(Kind.SERVICE)
    }
    if services:
        config["services"] = services
    return config


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, [], ())}


def _with(host: PluginHost, kind: Kind, name: str, **wanted: Any) -> dict[str, Any]:
    """Those of the wanted options that the component has."""
    known = host.factory(kind, name).config.model_fields
    return {option: value for option, value in wanted.items() if option in known}

"""The configurations that ``mflow up``, ``mflow agent`` and ``mflow server`` make of what is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metaflow_core.api import CollectorFactory, Kind
from metaflow_core.hooks.host import PluginHost
from metaflow_up.choice import STORAGES, Capture, first_installed
from metaflow_up.explaining import explain_flows
from metaflow_up.keeping import KEEPER, Keeping, keep_packets
from metaflow_up.looking import in_cluster
from metaflow_up.masking import mask_values

__all__ = ["LINK", "agent_config", "assemble", "gathering", "receivers", "server_config"]

# dialect and service types that are started when they are installed, with nothing to configure
_DIALECTS = ("sql", "promql")
_SERVICES = ("querier", "web", "prometheus_api", "tracing", "agents")

_HELD_S = 5.0

LINK = "metaflow"
"""The type of the components that join agents and a server."""


def assemble(
    host: PluginHost,
    capture: Capture,
    data_dir: Path,
    port: int,
    *,
    receives: bool = True,
    clickhouse: int = 0,
    keeping: Keeping | None = None,
    keeps_values: bool = False,
) -> dict[str, Any]:
    """A configuration as a mapping, ready for :class:`metaflow_core.App` or a YAML file.

    :param receives: also start every installed receiver; never with files, whose time is not now.
    :param clickhouse: port on loopback for ClickHouse's clients; 0 for none. :param keeping: of packets; None keeps none.
    :param keeps_values: what statements and stored values hold is kept; of files it always is.
    """
    config: dict[str, Any] = {
        "version": 1,
        "collectors": {capture.collector: _plain(capture.options)},
        "pipelines": {"live": {"collectors": [capture.collector], "parsers": ["*"]}},
        "service": {"data_dir": str(data_dir)},
    }
    if capture.is_live and not keeps_values:
        mask_values(host, config)
    explain_flows(host, config)
    _add_more(config, capture)
    _tag(host, config, capture)
    _store_and_answer(host, config, data_dir, port, clickhouse)
    if keeping is not None:
        keep_packets(host, config, capture, keeping, data_dir)
    if capture.is_live and receives:
        _receive(host, config, ())
    return config


def agent_config(
    host: PluginHost,
    capture: Capture,
    data_dir: Path,
    link: Mapping[str, Any],
    cluster: str = "",
    *,
    keeps_values: bool = False,
    keeping: Keeping | None = None,
) -> dict[str, Any]:
    """Capture, engine and what this machine alone can know of its rows; they go to a server, which tags by it. In a cluster one of all
    agents is elected to watch it.

    :param link: options of the sender. :param cluster: name of the Kubernetes cluster; its default when empty.
    :param keeps_values: and :param keeping: as of :func:`assemble`; the server may ask for the packets of a flow.
    """
    config: dict[str, Any] = {
        "version": 1,
        "collectors": {capture.collector: _plain(capture.options)},
        "storages": {LINK: _plain(link)},
        "pipelines": {"live": {"collectors": [capture.collector], "parsers": ["*"], "storages": [LINK]}},
        "service": {"data_dir": str(data_dir)},
    }
    if capture.is_live and not keeps_values:
        mask_values(host, config)
    explain_flows(host, config)
    _add_more(config, capture)
    _tag(host, config, capture)
    if "kubernetes" in config.get("taggers", {}):
        config["taggers"]["kubernetes"] = _with(host, Kind.TAGGER, "kubernetes", elect=True, cluster=cluster)
    if keeping is not None:
        keep_packets(host, config, capture, keeping, data_dir)
    return config


def server_config(host: PluginHost, data_dir: Path, port: int, link: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of agents into the best storage, and everything that answers questions.

    :param link: options of the receiver.
    """
    config: dict[str, Any] = {
        "version": 1,
        "collectors": {LINK: _plain(link)},
        "pipelines": {"agents": {"collectors": [LINK]}},
        "service": {"data_dir": str(data_dir)},
    }
    if LINK in host.factories(Kind.TAGGER):
        config["taggers"] = {LINK: {}}
        config["pipelines"]["agents"]["taggers"] = [LINK]
    _store_and_answer(host, config, data_dir, port)
    if KEEPER in host.factories(Kind.SERVICE):
        # it keeps none, and asks agents for theirs
        config.setdefault("services", {})[KEEPER] = {}
    _receive(host, config, (LINK,))
    return config


def _add_more(config: dict[str, Any], capture: Capture) -> None:
    for name, options in capture.more.items():
        config["collectors"][name] = {**_plain(options), "_startup_error": "ignore"}
        config["pipelines"]["live"]["collectors"].append(name)


def _tag(host: PluginHost, config: dict[str, Any], capture: Capture) -> None:
    """The taggers that need nothing said, the surest first; a capture of files is not of this machine, nor of now."""
    wanted = {"kubernetes": in_cluster(), "process": True, "seen": True}
    installed = host.factories(Kind.TAGGER)
    names = [name for name, is_wanted in wanted.items() if is_wanted and name in installed]
    if names and capture.is_live:
        config["taggers"] = {name: {} for name in names}
        config["pipelines"]["live"]["taggers"] = names


def receivers(host: PluginHost) -> list[str]:
    """Installed receivers of ready records that need no options, by type."""
    return [
        name
        for name, factory in host.factories(Kind.COLLECTOR).items()
        if isinstance(factory, CollectorFactory)
        and factory.emits == {"records"}
        and factory.files is None
        and not any(field.is_required() for field in factory.config.model_fields.values())
    ]


def _store_and_answer(host: PluginHost, config: dict[str, Any], data_dir: Path, port: int, clickhouse: int = 0) -> None:
    storage = first_installed(STORAGES, host.factories(Kind.STORAGE))
    if storage:
        config["storages"] = {storage: _with(host, Kind.STORAGE, storage, path=str(data_dir / storage))}
        for pipeline in config["pipelines"].values():
            pipeline["storages"] = [storage]
    dialects: dict[str, dict[str, Any]] = {name: {} for name in _DIALECTS if name in host.factories(Kind.DIALECT)}
    if storage and dialects:
        config["dialects"] = dialects
    services = {
        name: _with(host, Kind.SERVICE, name, listen=f"127.0.0.1:{port}")
        for name in _SERVICES
        if name in host.factories(Kind.SERVICE)
    }
    if clickhouse and "sql" in dialects and "clickhouse_http" in host.factories(Kind.SERVICE):
        services["clickhouse_http"] = {"listen": f"127.0.0.1:{clickhouse}", "_startup_error": "ignore"}
    if services:
        config["services"] = services


def _receive(host: PluginHost, config: dict[str, Any], there: tuple[str, ...]) -> None:
    """Every receiver that is installed listens on loopback; one that cannot is left out and named."""
    storages = next(iter(config["pipelines"].values())).get("storages")
    names = [name for name in receivers(host) if name not in there]
    if not names or not storages:
        return
    for name in names:
        config["collectors"][name] = {"_startup_error": "ignore"}
    config["pipelines"]["received"] = {"collectors": names, "storages": list(storages)}


def gathering(config: dict[str, Any], wait_s: float) -> dict[str, Any]:
    """The configuration with rows that wait so long for more: an insert costs a store as much for ten rows as for a thousand, and who asks
    has them written at once. Agents are answered sooner: they keep what is not answered.
    """
    for pipeline in config["pipelines"].values():
        if wait_s and pipeline.get("storages"):
            pipeline["gather"] = {"wait_s": wait_s, "held_s": min(wait_s, _HELD_S)}
    return config


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, [], ())}


def _with(host: PluginHost, kind: Kind, name: str, **wanted: Any) -> dict[str, Any]:
    """Those of the wanted options that the component has."""
    known = host.factory(kind, name).config.model_fields
    return {option: value for option, value in wanted.items() if option in known}

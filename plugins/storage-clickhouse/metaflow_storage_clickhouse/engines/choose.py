"""From options to an engine."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from metaflow_core.errors import ConfigError, Problem
from metaflow_storage_clickhouse.config import ClickHouseConfig
from metaflow_storage_clickhouse.engines.base import Engine

__all__ = ["choose_engine", "embedded_path"]

_DEFAULT = "clickhouse"


def embedded_path(config: ClickHouseConfig, data_dir: Path | None) -> Path | None:
    """The directory of an embedded store; None where the options name a server, or nothing and there is no data directory."""
    if config.url is not None:
        parts = urlsplit(config.url)
        return Path(unquote(parts.path)) if parts.scheme == "chdb" and parts.path else None
    if config.path is not None:
        return config.path
    return None if data_dir is None else data_dir / _DEFAULT


def choose_engine(config: ClickHouseConfig, data_dir: Path | None) -> Engine:
    """The engine that the options name.

    :raises ConfigError: they contradict each other, or name none.
    """
    if config.url is not None and config.path is not None:
        raise ConfigError([Problem("path", "give a path or a url, not both")])
    path = embedded_path(config, data_dir)
    if path is not None:
        if config.cluster:
            raise ConfigError([Problem("cluster", "an embedded store is no cluster; give the url of a server")])
        from metaflow_storage_clickhouse.engines.embedded import EmbeddedEngine

        return EmbeddedEngine(path, config.max_memory or _quarter_of_memory())
    if config.url is None:
        raise ConfigError(
            [Problem("path", "this app has no data directory; give the directory of the store as path, or a url")]
        )
    scheme = urlsplit(config.url).scheme
    if scheme in ("clickhouse", "clickhouse+http", "clickhouse+https", "http", "https"):
        from metaflow_storage_clickhouse.engines.http import HttpEngine
        from metaflow_storage_clickhouse.engines.urls import parse_url

        return HttpEngine(parse_url(config.url))
    if scheme in ("clickhouse+native", "clickhouses+native"):
        from metaflow_storage_clickhouse.engines.tcp.engine import NativeEngine
        from metaflow_storage_clickhouse.engines.urls import parse_url

        return NativeEngine(parse_url(config.url))
    raise ConfigError(
        [
            Problem(
                "url",
                f"{scheme!r} is no scheme of this storage; it takes chdb:///path, clickhouse://host:8123 (HTTP) and "
                "clickhouse+native://host:9000",
            )
        ]
    )


def _quarter_of_memory() -> int:
    """At least 512 MiB: below that merges of wide tables fail."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(512 << 20, total // 4)

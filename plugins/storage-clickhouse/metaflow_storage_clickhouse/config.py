"""Options of the ClickHouse storage."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from metaflow_core.api import Config, Field

__all__ = ["ClickHouseConfig"]


class ClickHouseConfig(Config):
    """Where the store is, how long it keeps rows, how much it may use."""

    path: Path | None = Field(
        default=None, description="Directory of an embedded store; null for one in the app's data directory."
    )
    url: str | None = Field(
        default=None,
        description="A server instead: clickhouse://user:password@host:8123,host2:8123/?secure=true (HTTP), "
        "clickhouse+native://host:9000/?compression=lz4 (native protocol), or chdb:///path. Several hosts are tried in turn.",
    )
    cluster: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_.-]*$",
        description="Name of the server's cluster: Replicated and Distributed tables.",
    )
    retention: Literal["default", "forever"] = Field(
        default="default", description="How long rows are kept: the catalogue's hours, or for ever."
    )
    retention_hours: dict[str, int] = Field(
        default_factory=dict,
        description="Hours by table (flow_log.l7_flow_log, flow_metrics.network.1m); 0 is for ever.",
    )
    codec: str = Field(
        default="ZSTD(1)", pattern=r"^[A-Za-z0-9() ,]+$", description="Compression of columns: ZSTD(1), LZ4, ..."
    )
    fsync: bool = Field(default=False, description="Also safe when the machine loses power; a quarter slower.")
    minute_sums: bool = Field(
        default=True,
        description="Sums by minute are kept beside requests: lists of services and endpoints are answered from them.",
    )
    max_memory: int | None = Field(
        default=None,
        ge=256 << 20,
        description="Bytes that an embedded engine may use in all; null for a quarter of the memory.",
    )
    max_query_memory: int = Field(default=2 << 30, ge=16 << 20, description="Bytes that one query may use.")
    max_execution_s: float = Field(default=60.0, gt=0, description="Seconds that one query may take.")
    max_result_rows: int = Field(default=10_000_000, ge=1, description="Rows that one query may return.")
    max_result_bytes: int = Field(
        default=256 << 20, ge=1 << 20, description="Bytes of an answer in ClickHouse's own SQL."
    )
    query_threads: int = Field(default=4, ge=1, le=64, description="How many queries run at once; the others wait.")
    flush_rows: int = Field(default=300_000, ge=1, description="Rows that are stored together at most; 64 MiB of them.")
    linger_ms: int = Field(
        default=50, ge=0, description="How long small batches of a table may wait for more, in milliseconds."
    )
    max_pending_bytes: int = Field(
        default=256 << 20, ge=1 << 20, description="Bytes of batches that may wait; who writes more waits too."
    )

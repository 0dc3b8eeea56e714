"""A cluster of one shard in this process. The shard is this process itself, so Distributed tables are the real ones, sharding keys and all; but
chDB has no Keeper: ``ON CLUSTER`` is taken off and ``Replicated...MergeTree`` becomes the kind that it replicates, behind ClickHouse's own parser,
which has read every statement as it was.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from metaflow_storage_clickhouse.config import ClickHouseConfig
from metaflow_storage_clickhouse.engines import embedded
from metaflow_storage_clickhouse.engines.base import Insert, settings_clause
from metaflow_storage_clickhouse.engines.embedded import EmbeddedEngine
from metaflow_storage_clickhouse.storage import ClickHouseStorage

from metaflow_core.api import BuildContext

__all__ = ["CLUSTER", "ClusterEngine", "cluster_storage", "configured"]

CLUSTER = "prod"
_SHARD = f"""  <tcp_port>9000</tcp_port>
  <remote_servers><{CLUSTER}><shard><internal_replication>true</internal_replication>
    <replica><host>127.0.0.1</host><port>9000</port></replica></shard></{CLUSTER}></remote_servers>
</clickhouse>
"""
_REPLICATED = re.compile(r"Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?")


def configured() -> str:
    """What an embedded engine is configured by, with the cluster in it. The port is nobody's: by it ClickHouse knows that the shard is itself."""
    return embedded._CONFIG.replace("</clickhouse>\n", _SHARD)


class ClusterEngine(EmbeddedEngine):
    """Takes what a cluster is told; keeps every such statement.

    :ivar told: statements for all nodes, as they were sent.
    """

    def __init__(self, path: Path, memory: int) -> None:
        super().__init__(path, memory)
        self.told: list[str] = []

    def command(self, sql: str) -> None:
        """A statement of which Keeper's part is taken off."""
        if " ON CLUSTER " not in sql:
            super().command(sql)
            return
        self.told.append(sql)
        super().command(f"EXPLAIN AST {sql}")
        alone = _REPLICATED.sub(r"\1(", sql.replace(f" ON CLUSTER `{CLUSTER}`", ""))
        if not alone.startswith("SYSTEM SYNC REPLICA"):
            super().command(alone)

    def insert(self, insert: Insert) -> None:
        """Rows of a file that is selected from: a Distributed table hands FROM INFILE on to the shard, where there is nothing of it to be read."""
        columns = ", ".join(insert.columns)
        file = os.memfd_create("cluster", os.MFD_CLOEXEC)
        try:
            for block in insert.blocks:
                for piece in block:
                    os.write(file, piece)
            source = f"SELECT {columns} FROM file('/proc/self/fd/{file}', 'Native'){settings_clause(insert.settings)}"
            super().command(f"INSERT INTO {insert.table} ({columns}) {source}")
        finally:
            os.close(file)


def cluster_storage(context: BuildContext, config: ClickHouseConfig) -> Any:
    """A storage over the cluster, in the context's directory."""
    assert context.data_dir is not None
    engine = ClusterEngine(context.data_dir / "clickhouse", 1 << 30)
    asked = config.model_copy(update={"cluster": CLUSTER, "linger_ms": 0})
    return ClickHouseStorage(engine, context.catalog, asked, context.counters, context.report, context.flush)

"""Registers the storage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, Stability, StorageFactory
from metaflow_core.hooks import hookimpl
from metaflow_storage_clickhouse.config import ClickHouseConfig

if TYPE_CHECKING:
    from metaflow_storage_clickhouse.storage import ClickHouseStorage

__all__ = ["metaflow_storages"]


def _create(context: BuildContext, config: ClickHouseConfig) -> ClickHouseStorage:
    from metaflow_storage_clickhouse.storage import ClickHouseStorage

    return ClickHouseStorage.of(context, config)


@hookimpl
def metaflow_storages() -> Iterable[StorageFactory]:
    """The type ``clickhouse``."""
    return [
        StorageFactory(
            type="clickhouse",
            config=ClickHouseConfig,
            create=_create,
            # batches that come while an insert runs go into the next one together
            writes_at_once=64,
            stability=Stability.BETA,
            summary="ClickHouse: embedded in a directory (chDB), or a server or cluster",
        )
    ]

"""Registers the storage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, Stability, StorageFactory
from metaflow_core.hooks import hookimpl
from metaflow_storage_duckdb.config import DuckdbConfig

if TYPE_CHECKING:
    from metaflow_storage_duckdb.storage import DuckdbStorage

__all__ = ["metaflow_storages"]


def _create(context: BuildContext, config: DuckdbConfig) -> DuckdbStorage:
    from metaflow_storage_duckdb.storage import DuckdbStorage

    return DuckdbStorage(context.catalog, config, context.counters, context.data_dir, context.flush)


@hookimpl
def metaflow_storages() -> Iterable[StorageFactory]:
    """The type ``duckdb``."""
    return [
        StorageFactory(
            type="duckdb",
            config=DuckdbConfig,
            create=_create,
            stability=Stability.BETA,
            summary="one DuckDB file: light, embedded, exactly once; every plan runs as SQL",
        )
    ]

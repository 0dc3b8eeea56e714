"""Registers the storage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, Stability, StorageFactory
from metaflow_core.hooks import hookimpl
from metaflow_storage_memory.config import MemoryConfig

if TYPE_CHECKING:
    from metaflow_storage_memory.storage import MemoryStorage

__all__ = ["metaflow_storages"]


def _create(context: BuildContext, config: MemoryConfig) -> MemoryStorage:
    from metaflow_storage_memory.storage import MemoryStorage

    return MemoryStorage(
        context.catalog,
        context.counters,
        max_bytes=config.max_bytes,
        max_rows=config.max_rows,
        flush=context.flush,
    )


@hookimpl
def metaflow_storages() -> Iterable[StorageFactory]:
    """The type ``memory``."""
    return [
        StorageFactory(
            type="memory",
            config=MemoryConfig,
            create=_create,
            stability=Stability.BETA,
            summary="rows as Arrow columns in memory, bounded; nothing survives the process",
        )
    ]

"""Records as Arrow columns in memory, bounded, with answers to plans."""

from __future__ import annotations

from metaflow_storage_memory.config import MemoryConfig
from metaflow_storage_memory.storage import MemoryStorage

__all__ = ["MemoryConfig", "MemoryStorage"]

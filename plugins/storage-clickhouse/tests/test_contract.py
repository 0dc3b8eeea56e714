"""The embedded store keeps the contract of storages."""

from __future__ import annotations

from metaflow_storage_clickhouse.plugin import metaflow_storages

from metaflow_core.testing import NamesContract, StorageContract


class TestEmbedded(NamesContract, StorageContract):
    """What every storage must do, in a directory."""

    factory = next(iter(metaflow_storages()))

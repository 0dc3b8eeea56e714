"""The embedded store keeps the contract of storages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from metaflow_storage_clickhouse.plugin import metaflow_storages

from metaflow_core.testing import LateTagsContract, NamesContract, StorageContract


class TestEmbedded(LateTagsContract, NamesContract, StorageContract):
    """What every storage must do, in a directory."""

    factory = next(iter(metaflow_storages()))

    @pytest.fixture(autouse=True)
    def _new_store(self, tmp_path: Path, templates: Any) -> None:
        templates.copy(tmp_path)

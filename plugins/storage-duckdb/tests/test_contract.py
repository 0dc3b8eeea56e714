"""The DuckDB storage keeps the contract of storages and is found as a plugin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from metaflow_storage_duckdb.config import DuckdbConfig
from metaflow_storage_duckdb.plugin import metaflow_storages
from metaflow_storage_duckdb.storage import DuckdbStorage

from metaflow_core.api import Kind, Resource
from metaflow_core.testing import LateTagsContract, NamesContract, StorageContract, build_context


class TestContract(LateTagsContract, NamesContract, StorageContract):
    """What every storage must do, in a file of the component's data directory."""

    factory = next(iter(metaflow_storages()))


class TestMemoryContract(StorageContract):
    """The same without a file."""

    factory = next(iter(metaflow_storages()))
    options: Mapping[str, Any] = {"path": ":memory:", "threads": 1}


def test_the_factory_builds_one_that_claims_its_file(tmp_path: Path) -> None:
    factory = next(iter(metaflow_storages()))
    assert factory.roles == {"write", "read"}
    storage = factory.create(build_context(Kind.STORAGE, "duckdb", data_dir=tmp_path), DuckdbConfig())
    assert isinstance(storage, DuckdbStorage)
    assert list(storage.resources()) == [Resource("file", str(tmp_path / "metaflow.duckdb"))]
    assert not list(tmp_path.iterdir()), "building touches nothing"

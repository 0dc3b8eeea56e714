"""The contract of artifact loaders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metaflow_core.api import ArtifactLoader, ParserLimits
from metaflow_core.errors import PluginLoadError
from metaflow_core.testing.contracts.base import ComponentContract

__all__ = ["LoaderContract"]


class LoaderContract(ComponentContract):
    """Inherit and set ``factory``."""

    factory: ArtifactLoader

    @pytest.fixture
    def component(self, tmp_path: Path) -> Any:
        """Loaders have no lifecycle of their own."""
        return object()

    def test_missing_file_is_a_sentence(self, tmp_path: Path) -> None:
        """A file that is not there is named."""
        path = tmp_path / f"nothing{self.factory.suffixes[0]}"
        with pytest.raises(PluginLoadError, match="nothing"):
            self.factory.load(path, {}, ParserLimits())

    def test_garbage_is_a_sentence(self, tmp_path: Path) -> None:
        """A file that is no artifact is named, and no code of it runs."""
        path = tmp_path / f"garbage{self.factory.suffixes[0]}"
        path.write_bytes(bytes(range(256)) * 16)
        with pytest.raises(PluginLoadError, match="garbage"):
            self.factory.load(path, {}, ParserLimits())

"""The contract of exporters."""

from __future__ import annotations

from metaflow_core.testing.contracts.base import ComponentContract

__all__ = ["ExporterContract"]


class ExporterContract(ComponentContract):
    """Inherit and set ``factory``."""

    async def test_has_export(self, component: object) -> None:
        """It can be given batches."""
        assert callable(getattr(component, "export", None))

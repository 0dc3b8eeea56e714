"""What every component promises, whatever its kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from metaflow_core.api import BuildContext, Config, Kind
from metaflow_core.api.factories import Factory
from metaflow_core.testing.context import build_context

__all__ = ["ComponentContract"]


class ComponentContract:
    """Base of the contract suites.

    Set :attr:`factory`; set :attr:`options` when the component has required options. Methods named ``test_*`` are the
    contract; override fixtures, not tests.
    """

    factory: Factory
    options: Mapping[str, Any] = {}

    def config(self) -> Config:
        """The component's options as its own model."""
        return self.factory.config.model_validate(dict(self.options))

    def context(self, tmp_path: Path) -> BuildContext:
        """A context for one component alone."""
        return build_context(self.factory.kind, self.factory.type, data_dir=tmp_path)

    def build(self, context: BuildContext) -> Any:
        """A new component, not started."""
        create: Any = self.factory.create  # type: ignore[union-attr]  # parsers and loaders override build
        return create(context, self.config())

    @pytest.fixture
    def component(self, tmp_path: Path) -> Any:
        """A new component, not started."""
        return self.build(self.context(tmp_path))

    def test_describes_itself(self) -> None:
        """A summary for the list of plugins, and a description for each option."""
        assert self.factory.summary, "give the factory a one-line summary; 'mflow plugins list' shows it"
        assert isinstance(self.factory.kind, Kind)
        missing = [name for name, field in self.factory.config.model_fields.items() if not field.description]
        assert not missing, f"options without a description: {', '.join(missing)}"

    def test_options_have_a_json_schema(self) -> None:
        """Options can be written into the reference and checked by an editor."""
        json.dumps(self.factory.config.model_json_schema())

    def test_unknown_option_is_refused(self) -> None:
        """A mistyped option is an error, not silence."""
        with pytest.raises(ValueError, match="surely_not_an_option"):
            self.factory.config.model_validate({**dict(self.options), "surely_not_an_option": 1})

    async def test_stop_without_start(self, component: Any) -> None:
        """``stop`` is safe on what was never started."""
        stop = getattr(component, "stop", None)
        if stop is not None:
            await stop()

    async def test_stop_twice(self, component: Any) -> None:
        """``stop`` may be repeated."""
        if hasattr(component, "start") and hasattr(component, "stop"):
            await component.start()
            await component.stop()
            await component.stop()

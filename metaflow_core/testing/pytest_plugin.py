"""pytest fixtures of the test kit. Imports are inside the fixtures, so that coverage of a plugin under test is true."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from metaflow_core.hooks.host import PluginHost
    from metaflow_core.sdk import App
    from metaflow_core.testing.clock import FakeClock
    from metaflow_core.testing.golden import Golden


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--mf-update`` rewrites golden files."""
    group = parser.getgroup("metaflow")
    group.addoption("--mf-update", action="store_true", help="Rewrite MetaFlow's golden files with what the tests see.")


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until the test advances it."""
    from metaflow_core.testing.clock import FakeClock

    return FakeClock()


@pytest.fixture
def plugin_host() -> PluginHost:
    """A host without the installed plugins; load what the test needs by ``plugin_host.load(autoload=False, objects=[...])``."""
    from metaflow_core.hooks.host import PluginHost

    return PluginHost(strict=True)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares rows with a golden file; ``pytest --mf-update`` rewrites it."""
    from metaflow_core.testing.golden import Golden

    return Golden(update=bool(request.config.getoption("--mf-update")))


@pytest.fixture
async def metaflow_app() -> AsyncIterator[Callable[..., Any]]:
    """Starts apps from a configuration and plugins; all are stopped when the test ends.

    ``app = await metaflow_app({"pipelines": ...}, plugins=[module])``; nothing installed is loaded unless ``autoload=True``.
    """
    from contextlib import AsyncExitStack

    from metaflow_core.sdk import App

    async with AsyncExitStack() as stack:

        async def make(config: Any, *, plugins: Any = (), autoload: bool = False, **options: Any) -> App:
            app = App(config=config, plugins=plugins, autoload=autoload, **options)
            return await stack.enter_async_context(app)

        yield make

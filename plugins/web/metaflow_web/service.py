"""The service: one route, for whatever component answers HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from metaflow_core.api import BuildContext, Resource, Route
from metaflow_web.assets import BUILT, load_assets
from metaflow_web.config import WebConfig
from metaflow_web.pages import NOT_BUILT, Pages

__all__ = ["WebService"]


class WebService:
    """Offers the pages; it listens nowhere itself.

    :param folder: where the built files are; default those beside this module.
    """

    def __init__(self, context: BuildContext, config: WebConfig, folder: Path = BUILT) -> None:
        self._assets = load_assets(folder)
        self._pages = Pages(self._assets)
        self._path = config.path
        self._context = context

    async def start(self) -> None:
        """Say it when there is nothing to show; the HTTP API works all the same."""
        if not self._assets:
            self._context.report("degraded", NOT_BUILT)

    async def stop(self) -> None:
        """Nothing is held."""

    def routes(self) -> Iterable[Route]:
        """The pages, below the configured path."""
        return [
            Route(path=self._path, app=self._pages, summary="web UI: overview, map, requests, flows, explore, health")
        ]

    def resources(self) -> Iterable[Resource]:
        """Nothing that another component could want too."""
        return ()

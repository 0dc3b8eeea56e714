"""Registers the service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, ServiceFactory, Stability
from metaflow_core.hooks import hookimpl
from metaflow_web.config import WebConfig

if TYPE_CHECKING:
    from metaflow_web.service import WebService

__all__ = ["metaflow_services"]


def _create(context: BuildContext, config: WebConfig) -> WebService:
    from metaflow_web.service import WebService

    return WebService(context, config)


@hookimpl
def metaflow_services() -> Iterable[ServiceFactory]:
    """The type ``web``."""
    return [
        ServiceFactory(
            type="web",
            config=WebConfig,
            create=_create,
            stability=Stability.BETA,
            summary="pages in the browser: overview, service map, requests, flows, explore, health",
        )
    ]

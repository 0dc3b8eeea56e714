"""Registers the service and the command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, ServiceFactory, Stability
from metaflow_core.hooks import hookimpl
from metaflow_querier.config import QuerierConfig

if TYPE_CHECKING:
    import click

    from metaflow_querier.service import QuerierService

__all__ = ["metaflow_commands", "metaflow_services"]


def _create(context: BuildContext, config: QuerierConfig) -> QuerierService:
    from metaflow_querier.service import QuerierService

    return QuerierService(context, config)


@hookimpl
def metaflow_services() -> Iterable[ServiceFactory]:
    """The type ``querier``."""
    return [
        ServiceFactory(
            type="querier",
            config=QuerierConfig,
            create=_create,
            stability=Stability.BETA,
            summary="questions over HTTP: JSON, CSV, Arrow; catalogue, health, OpenAPI",
        )
    ]


@hookimpl
def metaflow_commands(cli: click.Group) -> None:
    """``mflow query``, ``mflow export``, ``mflow import``."""
    from metaflow_querier.client.command import query
    from metaflow_querier.client.transfer import export_rows, import_rows

    for command in (query, export_rows, import_rows):
        cli.add_command(command)

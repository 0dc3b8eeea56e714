"""Registers rules, the service and the commands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, LinkRuleFactory, ServiceFactory, Stability
from metaflow_core.hooks import hookimpl
from metaflow_tracing.config import TracingConfig

if TYPE_CHECKING:
    import click

    from metaflow_tracing.service import TracingService

__all__ = ["metaflow_commands", "metaflow_link_rules", "metaflow_services"]


def _create(context: BuildContext, config: TracingConfig) -> TracingService:
    from metaflow_tracing.service import TracingService

    return TracingService(context, config)


@hookimpl
def metaflow_link_rules() -> Iterable[LinkRuleFactory]:
    """Sequence numbers, threads, headers, request ids."""
    from metaflow_tracing.rules.offer import RULES

    return list(RULES)


@hookimpl
def metaflow_services() -> Iterable[ServiceFactory]:
    """The type ``tracing``."""
    return [
        ServiceFactory(
            type="tracing",
            config=TracingConfig,
            create=_create,
            stability=Stability.BETA,
            summary="traces with evidence over HTTP: /v1/trace, Tempo's and Jaeger's query APIs",
        )
    ]


@hookimpl
def metaflow_commands(cli: click.Group) -> None:
    """``mflow trace`` and ``mflow explain trace``."""
    from metaflow_tracing.cli.commands import explain, trace

    cli.add_command(trace)
    cli.add_command(explain)

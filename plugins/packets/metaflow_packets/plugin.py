"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from metaflow_core.api import BuildContext, EngineFactory, ParserBinding, ServiceFactory, Stability
from metaflow_core.hooks import hookimpl
from metaflow_packets.config import KeeperConfig, PacketsConfig

if TYPE_CHECKING:
    import click

__all__ = ["metaflow_commands", "metaflow_engines", "metaflow_services"]


def _keeper(context: BuildContext, config: KeeperConfig, parsers: Sequence[ParserBinding]) -> Any:
    from metaflow_packets.keeper import PacketKeeper

    return PacketKeeper(context, config)


def _service(context: BuildContext, config: PacketsConfig) -> Any:
    from metaflow_packets.service import PacketsService

    return PacketsService(context, config)


@hookimpl
def metaflow_engines() -> Iterable[EngineFactory]:
    """Offer the keeper of packets: an engine that makes no rows."""
    return [
        EngineFactory(
            type="packets",
            config=KeeperConfig,
            create=_keeper,
            stability=Stability.BETA,
            summary="Keeps recent packets on disk, so that those of one flow can be had as a capture file.",
        )
    ]


@hookimpl
def metaflow_services() -> Iterable[ServiceFactory]:
    """Offer the service that gives them."""
    return [
        ServiceFactory(
            type="packets",
            config=PacketsConfig,
            create=_service,
            stability=Stability.BETA,
            summary="the packets of a flow as a capture file: /v1/packets?flow_id=N",
        )
    ]


@hookimpl
def metaflow_commands(cli: click.Group) -> None:
    """``mflow packets``."""
    from metaflow_packets.command import packets

    cli.add_command(packets)

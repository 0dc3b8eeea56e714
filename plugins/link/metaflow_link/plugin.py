"""Registers both halves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import (
    BuildContext,
    CollectorFactory,
    ExporterFactory,
    ServiceFactory,
    Stability,
    StorageFactory,
    TaggerFactory,
)
from metaflow_core.hooks import hookimpl
from metaflow_core.tagging.tags import TAGS
from metaflow_link.agent.config import SenderConfig
from metaflow_link.server.config import AgentsConfig, AgentTagsConfig, ReceiverConfig

if TYPE_CHECKING:
    from metaflow_link.agent.forwarder import Forwarder
    from metaflow_link.server.receiver import Receiver
    from metaflow_link.server.service import AgentsService
    from metaflow_link.server.tagger import AgentTagger

__all__ = [
    "metaflow_collectors",
    "metaflow_exporters",
    "metaflow_services",
    "metaflow_storages",
    "metaflow_taggers",
]


def _forwarder(context: BuildContext, config: SenderConfig) -> Forwarder:
    from metaflow_link.agent.forwarder import Forwarder

    return Forwarder(context, config)


def _receiver(context: BuildContext, config: ReceiverConfig) -> Receiver:
    from metaflow_link.server.receiver import Receiver

    return Receiver(context, config)


def _service(context: BuildContext, config: AgentsConfig) -> AgentsService:
    from metaflow_link.server.service import AgentsService

    return AgentsService(context, config)


def _tagger(context: BuildContext, config: AgentTagsConfig) -> AgentTagger:
    from metaflow_link.server.tagger import AgentTagger

    return AgentTagger(context, config)


@hookimpl
def metaflow_storages() -> Iterable[StorageFactory]:
    """The type ``metaflow``: what receivers are told is safe when the spool has it."""
    return [
        StorageFactory(
            type="metaflow",
            config=SenderConfig,
            create=_forwarder,
            roles=frozenset({"write"}),
            stability=Stability.BETA,
            summary="Sends rows to a MetaFlow server, through a spool on disk",
        )
    ]


@hookimpl
def metaflow_exporters() -> Iterable[ExporterFactory]:
    """The type ``metaflow``: beside a storage, never holding it up."""
    return [
        ExporterFactory(
            type="metaflow",
            config=SenderConfig,
            create=_forwarder,
            stability=Stability.BETA,
            summary="Sends a copy of the rows to a MetaFlow server, through a spool on disk",
        )
    ]


@hookimpl
def metaflow_collectors() -> Iterable[CollectorFactory]:
    """The type ``metaflow``."""
    return [
        CollectorFactory(
            type="metaflow",
            config=ReceiverConfig,
            create=_receiver,
            emits=frozenset({"records"}),
            stability=Stability.BETA,
            summary="Receives rows of MetaFlow agents over gRPC; answers when they are stored",
        )
    ]


@hookimpl
def metaflow_services() -> Iterable[ServiceFactory]:
    """The type ``agents``."""
    return [
        ServiceFactory(
            type="agents",
            config=AgentsConfig,
            create=_service,
            stability=Stability.BETA,
            summary="/v1/agents: the agents of this server, last seen, rows and losses",
        )
    ]


@hookimpl
def metaflow_taggers() -> Iterable[TaggerFactory]:
    """The type ``metaflow``."""
    return [
        TaggerFactory(
            type="metaflow",
            config=AgentTagsConfig,
            create=_tagger,
            stability=Stability.BETA,
            summary="tags the rows of agents by what their taggers know: a cluster's by the one that is elected, others by their own",
            tags=TAGS,
        )
    ]

"""Registers the tagger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, Stability, TaggerFactory
from metaflow_core.hooks import hookimpl
from metaflow_core.tagging.tags import TAGS
from metaflow_tagger_registry.config import RegistryConfig

if TYPE_CHECKING:
    from metaflow_tagger_registry.tagger import RegistryTagger

__all__ = ["metaflow_taggers"]


def _create(context: BuildContext, config: RegistryConfig) -> RegistryTagger:
    from metaflow_tagger_registry.tagger import RegistryTagger

    return RegistryTagger(context, config)


@hookimpl
def metaflow_taggers() -> Iterable[TaggerFactory]:
    """The type ``registry``."""
    return [
        TaggerFactory(
            type="registry",
            config=RegistryConfig,
            create=_create,
            stability=Stability.BETA,
            summary="services of Consul, Nacos, etcd, ZooKeeper and Eureka, by address, port and time",
            tags=TAGS,
        )
    ]

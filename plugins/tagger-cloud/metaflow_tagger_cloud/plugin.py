"""Registers the tagger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, Stability, TaggerFactory
from metaflow_core.hooks import hookimpl
from metaflow_core.tagging.tags import TAGS
from metaflow_tagger_cloud.config import CloudConfig

if TYPE_CHECKING:
    from metaflow_tagger_cloud.tagger import CloudTagger

__all__ = ["metaflow_taggers"]


def _create(context: BuildContext, config: CloudConfig) -> CloudTagger:
    from metaflow_tagger_cloud.tagger import CloudTagger

    return CloudTagger(context, config)


@hookimpl
def metaflow_taggers() -> Iterable[TaggerFactory]:
    """The type ``cloud``."""
    return [
        TaggerFactory(
            type="cloud",
            config=CloudConfig,
            create=_create,
            stability=Stability.BETA,
            summary="regions, zones, VPCs, subnets, hosts, load balancers, NAT gateways and databases of clouds, by address and time",
            tags=TAGS,
        )
    ]

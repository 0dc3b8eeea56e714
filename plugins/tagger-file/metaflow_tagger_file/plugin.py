"""Registers the tagger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, Stability, TaggerFactory
from metaflow_core.hooks import hookimpl
from metaflow_core.tagging.tags import TAGS
from metaflow_tagger_file.config import FileTaggerConfig

if TYPE_CHECKING:
    from metaflow_tagger_file.tagger import FileTagger

__all__ = ["metaflow_taggers"]


def _create(context: BuildContext, config: FileTaggerConfig) -> FileTagger:
    from metaflow_tagger_file.tagger import FileTagger

    return FileTagger(context, config)


@hookimpl
def metaflow_taggers() -> Iterable[TaggerFactory]:
    """The type ``file``."""
    return [
        TaggerFactory(
            type="file",
            config=FileTaggerConfig,
            create=_create,
            stability=Stability.BETA,
            summary="regions, hosts, VPCs, subnets and services by address, port and time, from YAML or CSV files",
            tags=TAGS,
        )
    ]

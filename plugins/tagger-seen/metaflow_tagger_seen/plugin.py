"""Registers the tagger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, Stability, TaggerFactory
from metaflow_core.hooks import hookimpl
from metaflow_core.tagging.tags import TAGS
from metaflow_tagger_seen.config import SeenTaggerConfig

if TYPE_CHECKING:
    from metaflow_tagger_seen.tagger import SeenTagger

__all__ = ["metaflow_taggers"]


def _create(context: BuildContext, config: SeenTaggerConfig) -> SeenTagger:
    from metaflow_tagger_seen.tagger import SeenTagger

    return SeenTagger(context, config)


@hookimpl
def metaflow_taggers() -> Iterable[TaggerFactory]:
    """The type ``seen``."""
    return [
        TaggerFactory(
            type="seen",
            config=SeenTaggerConfig,
            create=_create,
            stability=Stability.BETA,
            summary="names of addresses from what is seen: DNS answers, host names in requests, this machine",
            tags=TAGS,
        )
    ]

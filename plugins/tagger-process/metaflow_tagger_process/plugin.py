"""Registers the tagger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, Stability, TaggerFactory
from metaflow_core.hooks import hookimpl
from metaflow_tagger_process.config import ProcessTaggerConfig

if TYPE_CHECKING:
    from metaflow_tagger_process.tagger import ProcessTagger

__all__ = ["metaflow_taggers"]

_TAGS = (
    *("gprocess_id", "process_id", "process_kname", "process_start_time", "tag_source"),
    *("auto_instance_id", "auto_instance_type", "auto_service_id", "auto_service_type"),
)


def _create(context: BuildContext, config: ProcessTaggerConfig) -> ProcessTagger:
    from metaflow_tagger_process.tagger import ProcessTagger

    return ProcessTagger(context, config)


@hookimpl
def metaflow_taggers() -> Iterable[TaggerFactory]:
    """The type ``process``."""
    return [
        TaggerFactory(
            type="process",
            config=ProcessTaggerConfig,
            create=_create,
            stability=Stability.BETA,
            summary="processes, containers and systemd units of this machine's ends of connections, from /proc",
            tags=_TAGS,
        )
    ]

"""Registers the tagger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, Stability, TaggerFactory
from metaflow_core.hooks import hookimpl
from metaflow_core.tagging.tags import TAGS
from metaflow_tagger_kubernetes.config import KubernetesConfig

if TYPE_CHECKING:
    from metaflow_tagger_kubernetes.tagger import KubernetesTagger

__all__ = ["metaflow_taggers"]


def _create(context: BuildContext, config: KubernetesConfig) -> KubernetesTagger:
    from metaflow_tagger_kubernetes.tagger import KubernetesTagger

    return KubernetesTagger(context, config)


@hookimpl
def metaflow_taggers() -> Iterable[TaggerFactory]:
    """The type ``kubernetes``."""
    return [
        TaggerFactory(
            type="kubernetes",
            config=KubernetesConfig,
            create=_create,
            stability=Stability.BETA,
            summary="pods, workloads, services, nodes and labels of a Kubernetes cluster, by address, port and time",
            tags=TAGS,
        )
    ]

"""Registers the refiner."""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_core.api import Config, Refiner, RefinerFactory, Stability
from metaflow_core.hooks import hookimpl

__all__ = ["ElasticsearchConfig", "metaflow_refiners"]


class ElasticsearchConfig(Config):
    """Elasticsearch has no options."""


def _create(config: ElasticsearchConfig) -> Refiner:
    from metaflow_refiner_elasticsearch.refiner import ElasticsearchRefiner

    return ElasticsearchRefiner()


@hookimpl
def metaflow_refiners() -> Iterable[RefinerFactory]:
    """The type ``elasticsearch``."""
    return [
        RefinerFactory(
            type="elasticsearch",
            config=ElasticsearchConfig,
            create=_create,
            refines=("http", "http2"),
            body_bytes=4096,
            bodiless=True,
            stability=Stability.BETA,
            summary="Elasticsearch and OpenSearch: operation, index, errors inside a success",
        )
    ]

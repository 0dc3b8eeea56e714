"""Registers the refiner."""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_core.api import Config, Field, Refiner, RefinerFactory, Stability
from metaflow_core.hooks import hookimpl

__all__ = ["GraphQLConfig", "metaflow_refiners"]


class GraphQLConfig(Config):
    """Where GraphQL is spoken."""

    paths: list[str] = Field(default=["/graphql"], description="Endings of paths at which GraphQL is spoken.")


def _create(config: GraphQLConfig) -> Refiner:
    from metaflow_refiner_graphql.refiner import GraphQLRefiner

    return GraphQLRefiner(config.paths)


@hookimpl
def metaflow_refiners() -> Iterable[RefinerFactory]:
    """The type ``graphql``."""
    return [
        RefinerFactory(
            type="graphql",
            config=GraphQLConfig,
            create=_create,
            refines=("http", "http2"),
            body_bytes=8192,
            stability=Stability.BETA,
            summary="GraphQL over HTTP: operations by name, errors inside a 200",
        )
    ]

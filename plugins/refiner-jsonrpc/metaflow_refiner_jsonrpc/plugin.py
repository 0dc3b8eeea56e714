"""Registers the refiner."""

from __future__ import annotations

from collections.abc import Iterable

from metaflow_core.api import Config, Refiner, RefinerFactory, Stability
from metaflow_core.hooks import hookimpl

__all__ = ["JsonRpcConfig", "metaflow_refiners"]


class JsonRpcConfig(Config):
    """JSON-RPC has no options."""


def _create(config: JsonRpcConfig) -> Refiner:
    from metaflow_refiner_jsonrpc.refiner import JsonRpcRefiner

    return JsonRpcRefiner()


@hookimpl
def metaflow_refiners() -> Iterable[RefinerFactory]:
    """The type ``jsonrpc``."""
    return [
        RefinerFactory(
            type="jsonrpc",
            config=JsonRpcConfig,
            create=_create,
            refines=("http", "http2"),
            body_bytes=4096,
            stability=Stability.BETA,
            summary="JSON-RPC over HTTP: methods, tools of the Model Context Protocol, errors",
        )
    ]

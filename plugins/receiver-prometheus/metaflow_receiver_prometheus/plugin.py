"""Registers the receiver."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, CollectorFactory, Stability
from metaflow_core.hooks import hookimpl
from metaflow_receiver_prometheus.config import PrometheusConfig

if TYPE_CHECKING:
    from metaflow_receiver_prometheus.collector import PrometheusReceiver

__all__ = ["metaflow_collectors"]


def _create(context: BuildContext, config: PrometheusConfig) -> PrometheusReceiver:
    from metaflow_receiver_prometheus.collector import PrometheusReceiver

    return PrometheusReceiver(context, config)


@hookimpl
def metaflow_collectors() -> Iterable[CollectorFactory]:
    """The type ``prometheus``."""
    return [
        CollectorFactory(
            type="prometheus",
            config=PrometheusConfig,
            create=_create,
            emits=frozenset({"records"}),
            stability=Stability.BETA,
            summary="Prometheus remote write 1.0 and 2.0 over HTTP",
        )
    ]

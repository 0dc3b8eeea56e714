"""Registers the receiver."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, CollectorFactory, Stability
from metaflow_core.hooks import hookimpl
from metaflow_receiver_otlp.config import OtlpConfig

if TYPE_CHECKING:
    from metaflow_receiver_otlp.collector import OtlpReceiver

__all__ = ["metaflow_collectors"]


def _create(context: BuildContext, config: OtlpConfig) -> OtlpReceiver:
    from metaflow_receiver_otlp.collector import OtlpReceiver

    return OtlpReceiver(context, config)


@hookimpl
def metaflow_collectors() -> Iterable[CollectorFactory]:
    """The type ``otlp``."""
    return [
        CollectorFactory(
            type="otlp",
            config=OtlpConfig,
            create=_create,
            emits=frozenset({"records"}),
            stability=Stability.BETA,
            summary="OpenTelemetry traces, metrics and logs over gRPC and HTTP",
        )
    ]

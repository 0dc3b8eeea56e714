"""Registers the dialect and its HTTP API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, DialectFactory, ServiceFactory, Stability
from metaflow_core.hooks import hookimpl
from metaflow_dialect_promql.config import ApiConfig, PromqlConfig

if TYPE_CHECKING:
    from metaflow_dialect_promql.api.service import PrometheusApi
    from metaflow_dialect_promql.dialect import PromqlDialect

__all__ = ["metaflow_dialects", "metaflow_services"]


def _dialect(context: BuildContext, config: PromqlConfig) -> PromqlDialect:
    from metaflow_dialect_promql.dialect import PromqlDialect

    return PromqlDialect(context.catalog, config, context.clock, context.counters)


def _api(context: BuildContext, config: ApiConfig) -> PrometheusApi:
    from metaflow_dialect_promql.api.service import PrometheusApi

    return PrometheusApi(context, config)


@hookimpl
def metaflow_dialects() -> Iterable[DialectFactory]:
    """The type ``promql``."""
    return [
        DialectFactory(
            type="promql",
            config=PromqlConfig,
            create=_dialect,
            stability=Stability.BETA,
            summary="PromQL over every metric of the catalogue and over stored Prometheus samples",
        )
    ]


@hookimpl
def metaflow_services() -> Iterable[ServiceFactory]:
    """The type ``prometheus_api``."""
    return [
        ServiceFactory(
            type="prometheus_api",
            config=ApiConfig,
            create=_api,
            stability=Stability.BETA,
            summary="Prometheus' HTTP API under /prom: queries, series, labels, remote read",
        )
    ]

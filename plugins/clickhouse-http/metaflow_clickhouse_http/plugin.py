"""Registers the service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_clickhouse_http.config import ClickHouseHttpConfig
from metaflow_core.api import BuildContext, ServiceFactory, Stability
from metaflow_core.hooks import hookimpl

if TYPE_CHECKING:
    from metaflow_clickhouse_http.service import ClickHouseHttpService

__all__ = ["metaflow_services"]


def _create(context: BuildContext, config: ClickHouseHttpConfig) -> ClickHouseHttpService:
    from metaflow_clickhouse_http.service import ClickHouseHttpService

    return ClickHouseHttpService(context, config)


@hookimpl
def metaflow_services() -> Iterable[ServiceFactory]:
    """The type ``clickhouse_http``."""
    return [
        ServiceFactory(
            type="clickhouse_http",
            config=ClickHouseHttpConfig,
            create=_create,
            stability=Stability.BETA,
            summary="ClickHouse's HTTP interface over the store, read only, for ClickHouse's own clients",
        )
    ]

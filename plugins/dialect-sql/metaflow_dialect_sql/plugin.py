"""Registers the dialect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from metaflow_core.api import BuildContext, DialectFactory, Stability
from metaflow_core.hooks import hookimpl
from metaflow_dialect_sql.config import SqlConfig

if TYPE_CHECKING:
    from metaflow_dialect_sql.later import SqlLater

__all__ = ["metaflow_dialects"]


def _create(context: BuildContext, config: SqlConfig) -> SqlLater:
    from metaflow_dialect_sql.later import SqlLater

    return SqlLater(context, config)


@hookimpl
def metaflow_dialects() -> Iterable[DialectFactory]:
    """The type ``sql``."""
    return [
        DialectFactory(
            type="sql",
            config=SqlConfig,
            create=_create,
            stability=Stability.BETA,
            summary="one SQL for every table: tags, metrics, functions, time buckets, SHOW, EXPLAIN",
        )
    ]

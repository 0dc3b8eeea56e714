"""A build context for one component alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from metaflow_core.api import BuildContext, Clock, ComponentId, Counters, IdBook, Kind
from metaflow_core.testing.clock import FakeClock

__all__ = ["build_context"]


def build_context(
    kind: Kind,
    id: str = "test",
    *,
    clock: Clock | None = None,
    data_dir: Path | None = None,
    services: Mapping[str, object] | None = None,
    reports: list[tuple[str, str]] | None = None,
) -> BuildContext:
    """A context with a fake clock, counters of its own and the plain catalogue.

    :param reports: receives what the component reports of itself, ``(state, sentence)``.
    """
    from metaflow_core.model.catalog import load_catalog

    def report(state: str, sentence: str) -> None:
        if reports is not None:
            reports.append((state, sentence))

    return BuildContext(
        kind=kind,
        id=ComponentId.parse(id),
        catalog=load_catalog(),
        logger=logging.getLogger(f"metaflow.test.{kind.value}.{id}"),
        counters=Counters(f"{kind.value}.{id}"),
        clock=clock or FakeClock(),
        report=report,
        data_dir=data_dir,
        services=services or {},
        ids=IdBook(data_dir / "ids.json" if data_dir is not None else None),
    )

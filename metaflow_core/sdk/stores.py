"""A store in a directory, opened without a configuration: to put records in, and to ask plans of it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from metaflow_core.api.clock import SystemClock
from metaflow_core.api.components import RecordBatch, Storage
from metaflow_core.api.context import BuildContext
from metaflow_core.api.counters import Counters
from metaflow_core.api.factories import StorageFactory
from metaflow_core.api.identity import ComponentId, Kind, Stability
from metaflow_core.config import read_document
from metaflow_core.errors import InputError, UnavailableError
from metaflow_core.hooks.host import PluginHost
from metaflow_core.model.catalog import Catalog
from metaflow_core.sdk.loading import open_host
from metaflow_core.sdk.vocabulary import catalog_of

if TYPE_CHECKING:
    import pyarrow as pa

    from metaflow_core.query import Plan

__all__ = ["Store", "choose_storage", "open_store"]

T = TypeVar("T")
_BEST_FIRST = (Stability.STABLE, Stability.BETA, Stability.ALPHA)


def choose_storage(host: PluginHost, storage: str = "") -> StorageFactory:
    """The storage that keeps rows in a directory: the one named, else the most stable that is installed, the first by name.

    :raises UnavailableError: there is none, or none of that name.
    """
    able = {
        name: factory
        for name, factory in host.registry.factories(Kind.STORAGE).items()
        if isinstance(factory, StorageFactory) and "path" in factory.config.model_fields and "read" in factory.roles
    }
    if storage and storage in able:
        return able[storage]
    if storage or not able:
        known = ", ".join(able) or "none"
        what = f"the storage {storage!r}" if storage else "a storage"
        raise UnavailableError(
            f"{what} that keeps rows in a directory is needed; installed are: {known} (choose with --storage)"
        )

    def rank(name: str) -> tuple[int, str]:
        stability = able[name].stability
        return (_BEST_FIRST.index(stability) if stability in _BEST_FIRST else len(_BEST_FIRST), name)

    return able[min(able, key=rank)]


def open_store(
    folder: str | Path,
    *,
    storage: str = "",
    make: bool = True,
    options: Mapping[str, Any] | None = None,
    host: PluginHost | None = None,
    catalog: Catalog | None = None,
) -> Store:
    """Open the store in a directory; a context manager.

    ::

        with open_store("store") as store:
            store.write(batch)

    :param storage: its type; empty for the best that is installed. :param make: make it where there is none.
    :param options: further options of the storage. :param host: with its plugins; default all that are installed.
    :param catalog: with these tables; default those of the plugins.
    :raises InputError: there is none, and none is to be made. :raises UnavailableError: no installed storage can.
    """
    place = Path(folder)
    if not make and not place.exists():
        raise InputError(f"{place}: there is no such directory or file")
    host = host or open_host(read_document({}), autoload=True)
    factory = choose_storage(host, storage)
    context = BuildContext(
        kind=Kind.STORAGE,
        id=ComponentId(factory.type),
        catalog=catalog or catalog_of(host),
        logger=logging.getLogger(f"metaflow.storage.{factory.type}"),
        counters=Counters(f"storage.{factory.type}"),
        clock=SystemClock(),
        report=lambda state, sentence: None,
    )
    config = factory.config.model_validate({**(options or {}), "path": str(place)})
    return Store(factory.create(context, config), context)


class Store:
    """An open store, with plain calls; its work is done in a thread of its own."""

    def __init__(self, storage: Storage, context: BuildContext) -> None:
        self.storage = storage
        self.catalog = context.catalog
        self.counters = context.counters
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="metaflow-store", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.run(self.storage.start())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.run(self.storage.stop())
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for what the storage's loop does."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def write(self, batch: RecordBatch) -> None:
        """Store a batch; when this returns, it is safe. A ``batch_id`` seen before is not stored again.

        :raises StorageError: it is not stored.
        """
        self.run(self.storage.write(batch))

    def execute(self, plan: Plan) -> pa.Table:
        """Answer a plan.

        :raises QueryError: with a sentence.
        """
        return self.run(self.storage.execute(plan))

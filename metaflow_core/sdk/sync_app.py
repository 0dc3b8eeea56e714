"""The app for programs without an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError as FutureCancelled
from types import TracebackType
from typing import Any, Self, TypeVar

from metaflow_core.api.components import QueryResult, RecordBatch
from metaflow_core.api.counters import CounterSample
from metaflow_core.config import ConfigDiff, LoadedConfig, Source
from metaflow_core.errors import MetaFlowError
from metaflow_core.sdk.app import App

__all__ = ["SyncApp"]

T = TypeVar("T")


class SyncApp:
    """An :class:`App` in a thread of its own (``metaflow-app``), with plain calls.

    ::

        with SyncApp.from_file("metaflow.yaml") as app:
            for batch in app.tap("l7"):
                ...

    :param app: the app, or the arguments of :class:`App`.
    """

    def __init__(self, app: App | Source | Sequence[Source], **options: Any) -> None:
        self._app = app if isinstance(app, App) else App(app, **options)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._stopping: asyncio.Event | None = None

    @classmethod
    def from_file(cls, *files: str, **options: Any) -> SyncApp:
        """As :meth:`App.from_file`."""
        return cls(App.from_file(*files, **options))

    @property
    def config(self) -> LoadedConfig:
        """The configuration in force."""
        return self._app.config

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for said in self.stop():
            if error is not None:
                error.add_note(f"MetaFlow, while stopping: {said}")

    def start(self) -> None:
        """Start the thread and the app in it.

        :raises ComponentError: a component cannot be built or started; nothing is left running.
        """
        if self._thread is not None:
            raise MetaFlowError("this app was started already")
        self._thread = threading.Thread(target=self._work, name="metaflow-app", daemon=False)
        self._thread.start()
        self._ready.wait()
        try:
            self._call(self._app.start())
        except BaseException:
            self._end()
            raise

    def _work(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._ready.set()
        await self._stopping.wait()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        loop = self._loop
        if loop is None or self._thread is None:
            work.close()
            raise MetaFlowError("this app is not running; start it, or use it in a 'with' block")
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except FutureCancelled:
            raise MetaFlowError("the app was stopped meanwhile") from None
        except KeyboardInterrupt:
            future.cancel()
            raise

    def _end(self) -> None:
        loop, stopping, thread = self._loop, self._stopping, self._thread
        self._loop = self._stopping = None
        if loop is not None and stopping is not None:
            loop.call_soon_threadsafe(stopping.set)
        if thread is not None:
            thread.join()
        self._thread = None

    def stop(self) -> list[str]:
        """Stop the app and join its thread. Idempotent. Returns sentences about what went wrong."""
        if self._loop is None:
            return []
        try:
            return self._call(self._app.stop())
        finally:
            self._end()

    def wait(self) -> None:
        """As :meth:`App.wait`."""
        self._call(self._app.wait())

    def run_until_complete(self) -> list[CounterSample]:
        """As :meth:`App.run_until_complete`."""
        with self:
            self.wait()
        return self.stats()

    def query(self, dialect: str, text: str, /, **params: Any) -> QueryResult:
        """As :meth:`App.query`."""
        return self._call(self._app.query(dialect, text, **params))

    def explain(self, flow_id: int) -> list[Mapping[str, Any]]:
        """As :meth:`App.explain`."""
        return self._call(self._app.explain(flow_id))

    def reload(self, config: Source | Sequence[Source] | None = None) -> ConfigDiff:
        """As :meth:`App.reload`."""
        return self._call(self._app.reload(config))

    def tap(self, pipeline: str, max_batches: int = 256) -> Iterator[RecordBatch]:
        """As :meth:`App.tap`, as a plain iterator; the tap is there when this returns."""
        tap = self._call(_inside(lambda: self._app.tap(pipeline, max_batches)))

        def batches() -> Iterator[RecordBatch]:
            try:
                while True:
                    try:
                        yield self._call(tap.__anext__())
                    except StopAsyncIteration:
                        return
            finally:
                if self._loop is not None:
                    self._call(tap.aclose())

        return batches()

    def status(self) -> list[dict[str, Any]]:
        """As :meth:`App.status`."""
        return self._app.status()

    def stats(self) -> list[CounterSample]:
        """As :meth:`App.stats`."""
        return self._app.stats()


async def _inside(call: Callable[[], T]) -> T:
    return call()

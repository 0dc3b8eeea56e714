"""The app: a configuration at work inside somebody's program."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from metaflow_core.api.clock import Clock
from metaflow_core.api.components import QueryRequest, QueryResult
from metaflow_core.api.counters import CounterSample
from metaflow_core.api.identity import ComponentId, Kind
from metaflow_core.config import ConfigDiff, LoadedConfig, Resolver, Source
from metaflow_core.errors import MetaFlowError, QueryError, UnsupportedQuery
from metaflow_core.hooks.host import PluginHost
from metaflow_core.hooks.info import PluginInfo
from metaflow_core.model.catalog import Catalog
from metaflow_core.pipeline import (
    Graph,
    Runtime,
    SupervisionPolicy,
    Tap,
    graph_of,
    reload_runtime,
)
from metaflow_core.sdk.loading import Loading, check_config, open_host, verify_artifacts
from metaflow_core.sdk.vocabulary import catalog_of

__all__ = ["App"]


class App:
    """A configuration at work. ``async with`` builds and starts it, and stops it at the end.

    It owns no event loop, installs no signal handler, configures no logging and keeps nothing global: two apps live in
    one process. Making one loads the plugins and checks the configuration, and touches nothing else.

    :param config: a file, a mapping, or several of them, merged from left to right.
    :param plugins: modules or objects that implement hooks, besides the installed plugins.
    :param autoload: load the installed plugins; default what the configuration says, and no when it says nothing.
    :param resolver: ``resolver(scheme, ref)`` for ``${scheme:ref}`` placeholders; None for "not mine".
    :param strict: a plugin that cannot be used is an error.
    :param sets: ``path=value`` settings, applied last.
    :param environ: for ``${env:...}``; default that of the process.
    :param catalog: another record catalogue than the core's.
    :param clock: another clock than the machine's. :param policy: other numbers for supervision.
    :param host: plugins that the program loaded already; then ``plugins`` of the configuration, ``plugins``, ``autoload`` and
        ``strict`` load nothing.
    :raises ConfigError: with every mistake at once. :raises PluginError: a required plugin cannot be used.
    """

    def __init__(
        self,
        config: Source | Sequence[Source],
        *,
        plugins: Sequence[object] = (),
        autoload: bool | None = None,
        resolver: Resolver | None = None,
        strict: bool = False,
        sets: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        catalog: Catalog | None = None,
        clock: Clock | None = None,
        policy: SupervisionPolicy | None = None,
        host: PluginHost | None = None,
    ) -> None:
        sources = (config,) if isinstance(config, (str, Path, Mapping)) else tuple(config)
        self._loading = Loading(sources=sources, sets=tuple(sets), resolver=resolver, environ=environ)
        document = self._loading.document()
        if autoload is None and document.tree.get("plugins", "autoload") is None:
            autoload = False
        self._host = host or open_host(document, plugins=plugins, autoload=autoload, strict=strict)
        self._catalog = catalog or catalog_of(self._host)
        services = {
            "app": self,
            "storages": _Live(self, Kind.STORAGE),
            "dialects": _Live(self, Kind.DIALECT),
            "services": _Live(self, Kind.SERVICE),
            "collectors": _Live(self, Kind.COLLECTOR),
            "taggers": _Live(self, Kind.TAGGER),
            "link_rules": self._host.factories(Kind.LINK_RULE),
        }
        loaded = self._loading.load(document, self._host)
        self._runtime = Runtime(loaded, self._host, self._catalog, clock=clock, policy=policy, services=services)
        self._state = "new"
        self._last_error = ""
        self._reloading = asyncio.Lock()

    @classmethod
    def from_file(cls, *files: str | Path, autoload: bool = True, **options: Any) -> App:
        """An app from configuration files, with the installed plugins.

        :param autoload: used where the files do not say ``plugins.autoload``. :param options: as for :class:`App`.
        """
        loading = Loading(sources=files, sets=tuple(options.get("sets", ())), environ=options.get("environ"))
        said = loading.document().tree.get("plugins", "autoload")
        return cls(files, autoload=autoload if said is None else None, **options)

    @property
    def config(self) -> LoadedConfig:
        """The configuration in force."""
        return self._runtime.loaded

    @property
    def catalog(self) -> Catalog:
        """The record catalogue."""
        return self._catalog

    @property
    def host(self) -> PluginHost:
        """The plugins of this app."""
        return self._host

    @property
    def plugins(self) -> Sequence[PluginInfo]:
        """Every plugin that was found, and its fate."""
        return self._host.infos

    @property
    def generation(self) -> Mapping[str, Any]:
        """``{"generation": n, "last_error": text}``: how often it was reloaded, and why the last reload failed."""
        return {"generation": self._runtime.generation.number, "last_error": self._last_error}

    def validate(self) -> None:
        """Build every component once, start nothing, and find what only shows then: two components on one port, a
        parser without a runtime. Needs neither root nor a database nor the network.

        :raises ConfigError: with every mistake.
        """
        check_config(self.config, self._host)

    def graph(self) -> Graph:
        """The pipelines as a graph."""
        return graph_of(self.config)

    async def start(self) -> None:
        """Build every component, then start every component. ``async with`` does it.

        :raises ComponentError: one cannot be built or started; nothing is left running.
        """
        if self._state != "new":
            raise MetaFlowError(f"this app is {self._state}; an app runs once, make another")
        self._state = "running"
        try:
            await self._runtime.start()
        except BaseException:
            self._state = "stopped"
            raise

    async def stop(self) -> list[str]:
        """Stop everything in order, each component under its deadline. Idempotent; never raises.

        :returns: sentences about what went wrong.
        """
        self._state = "stopped"
        return await self._runtime.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wrong = await self.stop()
        if error is not None:
            # what the body raised is what counts; the rest is added to it
            for said in wrong:
                error.add_note(f"MetaFlow, while stopping: {said}")

    async def wait(self) -> None:
        """Wait until every pipeline has ended: at the end of files; never with live collectors or services.

        :raises ComponentError: a component kept failing in a pipeline with ``on_error: fail``.
        """
        await self._runtime.wait()

    async def run_until_complete(self) -> list[CounterSample]:
        """Start, wait for the end, stop; returns the counters."""
        async with self:
            await self.wait()
        return self.stats()

    def tap(
        self,
        pipeline: str,
        max_batches: int = 256,
        *,
        tables: Collection[str] | None = None,
        tagged: bool = True,
        patience_s: float = 0.0,
    ) -> Tap:
        """A bounded copy of a pipeline's records, as an async iterator of batches.

        A slow reader loses the oldest batches, counted in :attr:`Tap.dropped`; the pipeline never waits for it.

        :param tables: full names of those that are wanted; None for all. :param tagged: rows come with their tags.
        :param patience_s: how late they may come, in seconds; a pipeline that gathers rows (``gather``) then works on more together.

        :raises MetaFlowError: there is no such pipeline.
        """
        return self._runtime.tap(pipeline, max_batches, tables=tables, tagged=tagged, patience_s=patience_s)

    async def query(
        self, dialect: str, text: str, /, *, timeout_s: float = 60.0, max_rows: int = 1_000_000, **params: Any
    ) -> QueryResult:
        """Ask in a dialect, from the storage it is bound to.

        :param dialect: its component id. :param timeout_s: how long it may take.
        :param max_rows: how many rows it may return. :param params: dialect-specific.
        :raises QueryError: with a sentence.
        """
        try:
            cid = ComponentId.parse(dialect)
        except ValueError as error:
            raise UnsupportedQuery(str(error)) from None
        configured = [str(each.id) for each in self.config.of_kind(Kind.DIALECT)]
        if (Kind.DIALECT, cid) not in self.config.components:
            raise UnsupportedQuery(
                f"there is no dialect {dialect!r}; configured are: {', '.join(configured) or 'none'} (add one under dialects)"
            )
        unit = self._runtime.generation.units.get((Kind.DIALECT, cid, ""))
        if unit is None or not unit.is_usable:
            raise QueryError(f"the dialect {dialect!r} is not running")
        try:
            storage = self._runtime.readable_storage(cid)
        except MetaFlowError as error:
            raise QueryError(str(error)) from None
        if not storage.is_usable:
            raise QueryError(f"{storage.path} is not running, so it cannot be asked")
        request = QueryRequest(text=text, params=params, timeout_s=timeout_s, max_rows=max_rows)
        try:
            async with asyncio.timeout(timeout_s):
                result: QueryResult = await unit.component.query(request, storage.component)
        except TimeoutError:
            raise QueryError(
                f"the query was not answered within {timeout_s:g} s; ask for less, or allow more"
            ) from None
        return result

    async def explain(self, flow_id: int) -> list[Mapping[str, Any]]:
        """How the protocol of a flow was recognised, as far as the engines keep it."""
        return await self._runtime.explain(flow_id)

    def components(self, kind: Kind) -> Mapping[str, object]:
        """The running components of a kind by id, as they are now."""
        return _Live(self, kind)

    def status(self) -> list[dict[str, Any]]:
        """The state of every component. Safe from any thread."""
        return self._runtime.status()

    def stats(self) -> list[CounterSample]:
        """Every counter, sorted. Safe from any thread."""
        return self._runtime.stats()

    async def reload(self, config: Source | Sequence[Source] | None = None) -> ConfigDiff:
        """Read the configuration again (or take another) and change over to what differs; a failure changes nothing.

        :raises ConfigError: the new configuration is wrong, or changes what needs a restart.
        :raises ComponentError: a component cannot be built or started.
        """
        async with self._reloading:
            if self._state != "running":
                raise MetaFlowError("only a running app can be reloaded")
            loading = self._loading
            if config is not None:
                sources = (config,) if isinstance(config, (str, Path, Mapping)) else tuple(config)
                loading = Loading(
                    sources=sources, sets=loading.sets, resolver=loading.resolver, environ=loading.environ
                )
            try:
                document = loading.document()
                verify_artifacts(self._host, document)
                loaded = loading.load(document, self._host)
                diff = await reload_runtime(self._runtime, loaded)
            except MetaFlowError as error:
                self._last_error = str(error)
                raise
            self._last_error = ""
            self._loading = loading
            return diff


class _Live(Mapping[str, object]):
    """The running components of a kind by id, whatever generation they are of."""

    def __init__(self, app: App, kind: Kind) -> None:
        self._app = app
        self._kind = kind

    def _units(self) -> dict[str, object]:
        units = self._app._runtime.generation.units  # noqa: SLF001 - the same module
        return {str(key[1]): unit.component for key, unit in units.items() if key[0] is self._kind and unit.is_usable}

    def __getitem__(self, name: str) -> object:
        return self._units()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._units())

    def __len__(self) -> int:
        return len(self._units())

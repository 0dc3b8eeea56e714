"""Whom a question is put to: captures read into memory, a store on this machine, a server somewhere."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from metaflow_core.api import (
    BuildContext,
    ComponentId,
    Counters,
    Kind,
    QueryRequest,
    QueryResult,
    SystemClock,
)
from metaflow_core.errors import InputError, UnavailableError
from metaflow_core.model.catalog import Catalog, load_catalog

__all__ = ["Asker", "CaptureAsker", "RemoteAsker", "StoreAsker"]

Progress = Callable[[int, int | None], None]


class Asker(Protocol):
    """Answers questions until it is closed.

    :ivar catalog: the names that can be asked for, for completion.
    """

    catalog: Catalog

    def ask(self, text: str, *, timeout_s: float, max_rows: int, params: Mapping[str, Any]) -> QueryResult:
        """Answers a question.

        :raises QueryError: with a sentence.
        """
        ...

    def close(self) -> None:
        """Gives back what it holds."""
        ...


class CaptureAsker:
    """Reads captures into the memory storage once, and asks that.

    :param dialect: its type. :param progress: told how far reading has come.
    :raises InputError: a file cannot be read. :raises UnavailableError: a plugin is missing.
    """

    def __init__(self, paths: Sequence[str], dialect: str, progress: Progress | None = None) -> None:
        from metaflow_core.config import read_document
        from metaflow_core.sdk import open_host, read_pcap

        capture = read_pcap(list(paths), progress=progress)
        self.catalog = capture.catalog
        host = open_host(read_document({}), autoload=True)
        storages, dialects = host.registry.factories(Kind.STORAGE), host.registry.factories(Kind.DIALECT)
        self._storage: Any = _built(storages, Kind.STORAGE, "memory", self.catalog, {"max_bytes": None})
        self._dialect: Any = _built(dialects, Kind.DIALECT, dialect, self.catalog, {})
        asyncio.run(self._fill(capture))

    async def _fill(self, capture: Any) -> None:
        await self._storage.start()
        for batch in capture.stream_all():
            await self._storage.write(batch)

    def ask(self, text: str, *, timeout_s: float, max_rows: int, params: Mapping[str, Any]) -> QueryResult:
        """Answers from the rows in memory."""
        request = QueryRequest(text=text, params=params, timeout_s=timeout_s, max_rows=max_rows)
        result: QueryResult = asyncio.run(self._dialect.query(request, self._storage))
        return result

    def close(self) -> None:
        """The rows go with the process."""


def _built(factories: Mapping[str, Any], kind: Kind, name: str, catalog: Catalog, options: Mapping[str, Any]) -> Any:
    factory = factories.get(name)
    if factory is None:
        known = ", ".join(factories) or "none"
        raise UnavailableError(
            f"the {kind.value} {name!r} is not installed (there are: {known}); run: pip install metaflow-{kind.value}-{name}"
        )
    context = BuildContext(
        kind=kind,
        id=ComponentId(name),
        catalog=catalog,
        logger=logging.getLogger(f"metaflow.{kind.value}.{name}"),
        counters=Counters(f"{kind.value}.{name}"),
        clock=SystemClock(),
        report=lambda state, sentence: None,
    )
    return factory.create(context, factory.config.model_validate(dict(options)))


class StoreAsker:
    """Asks a store in a directory, through an app of its own.

    :param storage: type of the storage; empty for the best that is installed.
    :raises UnavailableError: no installed storage can. :raises ComponentError: it cannot be opened.
    """

    def __init__(self, folder: Path, storage: str, dialect: str) -> None:
        from metaflow_core.config import read_document
        from metaflow_core.sdk import SyncApp, open_host
        from metaflow_core.sdk.stores import choose_storage

        # An empty place would be made into a new store, which nobody who asks wants. Some storages keep one file.
        if not folder.exists():
            raise InputError(f"{folder}: there is no such directory or file")
        host = open_host(read_document({}), autoload=True)
        chosen = choose_storage(host, storage).type
        config = {"storages": {chosen: {"path": str(folder)}}, "dialects": {dialect: {}}}
        self._dialect = dialect
        self._app = SyncApp(config, autoload=True)
        self._app.start()
        self.catalog = load_catalog()

    def ask(self, text: str, *, timeout_s: float, max_rows: int, params: Mapping[str, Any]) -> QueryResult:
        """Answers from the store."""
        return self._app.query(self._dialect, text, timeout_s=timeout_s, max_rows=max_rows, **params)

    def close(self) -> None:
        """Closes the store."""
        self._app.stop()


class RemoteAsker:
    """Asks a querier over HTTP.

    :param url: ``http://host:20416``, with or without ``/v1/query``. :param token: sent as a bearer token.
    :raises InputError: it is no such address.
    """

    def __init__(self, url: str, token: str | None) -> None:
        from urllib.parse import urlsplit

        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"{url!r} is no address such as http://127.0.0.1:20416")
        path = parts.path.rstrip("/").removesuffix("/v1/query")
        self._url = f"{parts.scheme}://{parts.netloc}{path}/v1/query"
        self._token = token
        self.catalog = load_catalog()

    def ask(self, text: str, *, timeout_s: float, max_rows: int, params: Mapping[str, Any]) -> QueryResult:
        """Answers what the server answers."""
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, urlopen

        body = json.dumps({"sql": text, "timeout_s": timeout_s, "max_rows": max_rows, **params}).encode()
        headers = {"content-type": "application/json", "accept": "application/vnd.apache.arrow.stream"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        request = Request(self._url, body, headers, method="POST")  # noqa: S310 - http and https only, see above
        try:
            with urlopen(request, timeout=timeout_s + 10) as response:  # noqa: S310
                return _result(response.read())
        except HTTPError as error:
            raise _refusal(error.read(), error.code, self._url) from None
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise UnavailableError(
                f"{self._url}: cannot be asked: {reason}; is mflow up running there? --url asks another server, --pcap a capture, --data a store"
            ) from None

    def close(self) -> None:
        """Nothing is held."""


def _result(body: bytes) -> QueryResult:
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(body).read_all()
    except pa.ArrowInvalid as error:
        raise UnavailableError(f"the answer is not what a querier of MetaFlow sends: {error}") from None
    units = {
        field.name: field.metadata[b"unit"].decode()
        for field in table.schema
        if field.metadata and b"unit" in field.metadata
    }
    warnings = json.loads((table.schema.metadata or {}).get(b"warnings", b"[]"))
    return QueryResult(table=table, units=units, warnings=tuple(warnings))


def _refusal(body: bytes, status: int, url: str) -> Exception:
    from metaflow_core.errors import QueryError, QuerySyntaxError

    try:
        document = json.loads(body)
        said = str(document["DESCRIPTION"])
    except (ValueError, KeyError, TypeError):
        return UnavailableError(f"{url}: answered with status {status}, and not as a querier of MetaFlow does")
    if document.get("error") == QuerySyntaxError.code:
        column = document.get("column")
        prefix = f"column {column}: "
        return QuerySyntaxError(said.removeprefix(prefix), column if isinstance(column, int) else None)
    return QueryError(said) if status in (400, 422, 504) else UnavailableError(f"{url}: {said}")

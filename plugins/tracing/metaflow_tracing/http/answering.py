"""What the three APIs share: the storage, the bounds, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from metaflow_core.api import BuildContext
from metaflow_core.errors import MetaFlowError, QueryError, QuerySyntaxError, UnavailableError, UnsupportedQuery
from metaflow_core.query import TimeRange
from metaflow_tracing.answer.names import Vocabulary
from metaflow_tracing.config import TracingConfig
from metaflow_tracing.gather.gather import Store
from metaflow_tracing.rules.load import load_rules
from metaflow_tracing.search.searcher import Searcher
from metaflow_tracing.tracer import Tracer

__all__ = ["Answering", "Handler", "whole_number"]

Handler = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")


class Answering:
    """One per service.

    :raises ComponentError: a rule or its options are wrong.
    """

    def __init__(self, context: BuildContext, config: TracingConfig) -> None:
        self._context = context
        self.config = config
        offered: Any = context.services.get("link_rules", {})
        self.tracer = Tracer(context.catalog, load_rules(offered, config.rules, config.without), config.limits())
        self.searcher = Searcher(context.catalog)
        self.catalog = context.catalog
        self.words = Vocabulary.of(context.catalog)

    def store(self) -> Store:
        """The storage to ask.

        :raises UnavailableError: there is none, or several and none is named.
        """
        storages: Any = self._context.services.get("storages", {})
        running = dict(storages) if isinstance(storages, Mapping) else {}
        wanted = self.config.storage
        if wanted is not None:
            if wanted not in running:
                raise UnavailableError(
                    f"the storage {wanted!r} is not running; there are: {', '.join(sorted(running)) or 'none'}"
                )
            found: Store = running[wanted]
            return found
        if len(running) != 1:
            raise UnavailableError(
                f"{'no storage is' if not running else 'several storages are'} running ({', '.join(sorted(running)) or 'none'}); "
                "name the one to ask under services.tracing.storage"
            )
        only: Store = next(iter(running.values()))
        return only

    def now_s(self) -> float:
        """The moment."""
        return self._context.clock.time_ns() / 1e9

    def recent(self, start_s: float | None, end_s: float | None) -> TimeRange:
        """A range of time; what is not given is the recent past.

        :raises QueryError: it ends before it begins.
        """
        end = self.now_s() + 1 if end_s is None else end_s
        start = end - self.config.search_window_s if start_s is None else start_s
        if not 0 <= start <= end <= 2**34:
            raise QueryError(f"the range of time from {start} to {end} ends before it begins, or cannot be stored")
        return TimeRange(int(start * 1e9), int(end * 1e9))

    async def within(self, work: Awaitable[T]) -> T:
        """An answer in time.

        :raises QueryError: it took too long.
        """
        try:
            async with asyncio.timeout(self.config.timeout_s):
                return await work
        except TimeoutError:
            raise QueryError(
                f"the answer took longer than {self.config.timeout_s:g} s; ask for less time or fewer traces"
            ) from None

    def guarded(self, handler: Handler, shape: Callable[[int, str, str], Any]) -> Handler:
        """A handler whose errors become answers.

        :param shape: makes the body of a refusal from status, code and sentence.
        """

        async def run(request: Request) -> Response:
            try:
                return await self.within(handler(request))
            except (QuerySyntaxError, UnsupportedQuery) as error:
                return JSONResponse(shape(400, error.code, str(error)), 400)
            except UnavailableError as error:
                return JSONResponse(shape(503, error.code, str(error)), 503, {"Retry-After": "5"})
            except MetaFlowError as error:
                return JSONResponse(shape(422, error.code, str(error)), 422)
            except Exception:
                self._context.logger.exception("%s %s: a defect of MetaFlow.", request.method, request.url.path)
                return JSONResponse(shape(500, "internal", "MetaFlow has a defect here; its log tells more"), 500)

        return run


def whole_number(request: Request, name: str, default: int | None, *, most: int = 1 << 62) -> int | None:
    """A parameter that is a whole number of 0 or more.

    :raises UnsupportedQuery: it is none.
    """
    text = request.query_params.get(name)
    if text in (None, ""):
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 20:
        raise UnsupportedQuery(f"{name} is a whole number; found {text!r}")
    return min(int(text), most)

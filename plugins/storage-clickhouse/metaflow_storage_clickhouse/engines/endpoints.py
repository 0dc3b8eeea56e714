"""Several endpoints of one server or cluster: which is used, and which rests because it did not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from metaflow_core.errors import StartError
from metaflow_storage_clickhouse.engines.urls import Endpoint, Server
from metaflow_storage_clickhouse.errors import ClickHouseError

__all__ = ["Endpoints", "unusable"]

_Result = TypeVar("_Result")
_REST_S = 5.0


class Endpoints:
    """Statements go to one endpoint as long as it answers, then to the next. Safe from any thread.

    :param endpoints: in the order in which they are tried first.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._all = tuple(endpoints)
        self._resting: dict[Endpoint, float] = {}
        self.current = self._all[0]

    def use(self, endpoint: Endpoint) -> None:
        """It answered."""
        self.current = endpoint

    def rest(self, endpoint: Endpoint) -> None:
        """It did not answer; for some seconds it is tried last."""
        self._resting[endpoint] = time.monotonic() + _REST_S

    def order(self) -> list[Endpoint]:
        """The current endpoint first; those that rest last."""
        now = time.monotonic()
        others = [each for each in self._all if each != self.current]
        return sorted((self.current, *others), key=lambda each: self._resting.get(each, 0.0) > now)

    def anywhere(self, call: Callable[[Endpoint], _Result]) -> _Result:
        """A statement that reads, or bears being run twice: at the first endpoint that answers.

        :raises ClickHouseError: one refused it, or none answered.
        """
        return self._try(call, lambda error: not error.number)

    def once(self, call: Callable[[Endpoint], _Result]) -> _Result:
        """A statement that must not be run twice: at the next endpoint only when it certainly never arrived.

        :raises ClickHouseError: it was refused, may have arrived, or none could be reached.
        """
        return self._try(call, lambda error: error.definite and not error.number)

    def _try(self, call: Callable[[Endpoint], _Result], goes_on: Callable[[ClickHouseError], bool]) -> _Result:
        last: ClickHouseError | None = None
        for endpoint in self.order():
            try:
                return call(endpoint)
            except ClickHouseError as error:
                if not goes_on(error):
                    raise
                last = error
        assert last is not None
        raise last


def unusable(server: Server, error: ClickHouseError) -> StartError:
    """What a store says that cannot start because no endpoint takes its first statement."""
    hosts = ", ".join(str(each) for each in server.endpoints)
    return StartError(f"ClickHouse at {hosts} cannot be used: {error}; look at the url, the user and the server")

"""Calls of a cloud's API: what is forbidden is named and passed over, everything else that fails leaves the last known in force."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from metaflow_core.tagging import Network
from metaflow_tagger_cloud.resources import Resource, addresses, resource

__all__ = ["Asking", "Cloud", "Failed", "load"]

T = TypeVar("T")
_MAX_SENTENCE = 240


class Failed(Exception):
    """A part of the cloud could not be read; read it again later."""


class Cloud(Protocol):
    """One account. The next cloud is a class with these, and a line in ``clouds/__init__.py``."""

    def parts(self) -> list[str]:
        """Its regions, projects or subscriptions. :raises Failed: it cannot be asked."""
        ...

    def read(self, part: str) -> list[Resource]:
        """Everything of a part. :raises Failed: as above; what was known stays."""
        ...


class Asking:
    """What a cloud is read with.

    :param denies: whether an error of the SDK says that the rights are missing. :ivar denied: the calls that are forbidden.
    :param drop: counts a resource that cannot be used.
    """

    def __init__(
        self,
        denies: Callable[[BaseException], bool],
        drop: Callable[[str], None],
        *,
        timeout_s: float,
        resolve: bool,
        look_up: Callable[[str], list[str]] | None = None,
    ) -> None:
        self._denies = denies
        self._drop = drop
        self._resolve = resolve
        self._look_up = look_up or _look_up
        self.timeout_s = timeout_s
        self.denied: set[str] = set()

    def each(self, call: str, items: Callable[[], Iterable[T]]) -> Iterator[T]:
        """The items of a call, page by page. A forbidden call has none, and is remembered by its name.

        :raises Failed: it failed otherwise, throttled for longer than the SDK repeats it for instance.
        """
        try:
            yield from items()
        except Failed:
            raise
        except GeneratorExit:
            raise
        except Exception as error:  # SDKs have no common base for what goes wrong
            if self._denies(error):
                self.denied.add(call)
                return
            raise Failed(f"{call}: {type(error).__name__}: {' '.join(str(error).split())[:_MAX_SENTENCE]}") from error
        self.denied.discard(call)

    def make(self, *fields: Any, **more: Any) -> list[Resource]:
        """A resource, or nothing where there is nothing to tell of it."""
        made = resource(*fields, **more)
        return [made] if made is not None else []

    def all(self, call: str, items: Callable[[], Iterable[T]], make: Callable[[T], list[Resource]]) -> list[Resource]:
        """The resources of a call; items that are not as documented are counted and passed over."""
        out: list[Resource] = []
        for item in self.each(call, items):
            try:
                out += make(item)
            except (KeyError, TypeError, AttributeError, ValueError, IndexError):
                self._drop("malformed_resource")
        return out

    def named(self, name: object) -> list[Network]:
        """The addresses of a name, where names are looked up; none where there are none now."""
        if not self._resolve or not isinstance(name, str) or not name:
            return []
        try:
            return addresses(*self._look_up(name))
        except (OSError, UnicodeError):
            self._drop("name_not_found")
            return []


def _look_up(name: str) -> list[str]:
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})


def load(module: str, cloud: str) -> Any:
    """A module of an SDK. :raises Failed: it is not installed, with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Failed(
            f"the SDK of {cloud} is not installed ({error}); run: pip install 'metaflow-tagger-cloud[{cloud}]'"
        ) from error

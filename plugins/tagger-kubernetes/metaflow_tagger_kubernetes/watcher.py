"""Keeps one resource up to date: list, then watch from where the list ended, again and again."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from metaflow_core.api import Counters
from metaflow_tagger_kubernetes.access import OPENED, Access, Failed, Forbidden, Gone
from metaflow_tagger_kubernetes.config import KubernetesConfig
from metaflow_tagger_kubernetes.objects import Item, trim
from metaflow_tagger_kubernetes.resources import Resource
from metaflow_tagger_kubernetes.world import World

__all__ = ["Watcher"]

_LONGEST_REST_S = 30.0


class Watcher(threading.Thread):
    """A thread for one resource (in one namespace, or in all).

    :ivar problem: why it is behind; empty when it is not. :ivar listed: it knew everything at least once.
    """

    def __init__(
        self,
        access: Access,
        resource: Resource,
        namespace: str,
        config: KubernetesConfig,
        world: World,
        counters: Counters,
        now_ns: Callable[[], int],
    ) -> None:
        super().__init__(name=f"kubernetes {resource.plural} {namespace}".strip(), daemon=True)
        self._access = access
        self._resource = resource
        self._namespace = namespace if resource.namespaced else ""
        self._config = config
        self._world = world
        self._counters = counters
        self._now_ns = now_ns
        self._stopping = threading.Event()
        self.problem = ""
        self.listed = threading.Event()

    def end(self) -> None:
        """Stop as soon as the connection lets it."""
        self._stopping.set()

    def run(self) -> None:
        """List and watch until told to stop. A failure waits, longer each time, with a random part so that agents do not come at once."""
        failures = 0
        version = ""
        while not self._stopping.is_set():
            try:
                if not version:
                    version = self._list()
                    failures, self.problem = 0, ""
                    self.listed.set()
                for seen in self._watch(version):
                    # what the next watch begins at
                    version = seen
                    failures, self.problem = 0, ""
            except Gone:
                version = ""
                self._counters.add("relisted", reason="gone", unit="lists")
            except Failed as error:
                failures += 1
                self.problem = self._sentence(error)
                self._counters.add(
                    "retries", reason="forbidden" if isinstance(error, Forbidden) else "failed", unit="calls"
                )
                rest = min(_LONGEST_REST_S, 0.5 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311
                self._stopping.wait(rest)

    def _sentence(self, error: Failed) -> str:
        if isinstance(error, Forbidden):
            group = f" of the API group {self._resource.group!r}" if self._resource.group else ""
            return (
                f"may not list and watch {self._resource.plural}{group}; give the service account these verbs ({error})"
            )
        return str(error)

    def _list(self) -> str:
        version = ""
        items: list[Item] = []
        for page, version in self._access.pages(self._resource.path(self._namespace), self._config.page_size):  # noqa: B007
            items.extend(item for each in page if (item := self._trim(each)) is not None)
        self._world.replace(self._resource.kind, self._namespace, items, self._now_ns())
        self._counters.add("listed", len(items), unit="objects")
        return version

    def _watch(self, version: str) -> Any:
        """Apply events; yields the version after each."""
        for kind, item in self._access.watch(self._resource.path(self._namespace), version):
            if self._stopping.is_set():
                return
            if kind == OPENED:
                # what is known is up to date again, though it may be long until something happens
                self.problem = ""
                continue
            self._counters.add("events", unit="events")
            metadata = item.get("metadata")
            found = str(metadata.get("resourceVersion") or "") if isinstance(metadata, dict) else ""
            if kind != "BOOKMARK":
                self._apply(kind, item)
            if found:
                yield found

    def _apply(self, kind: str, item: dict[str, Any]) -> None:
        made = self._trim(item)
        metadata = item.get("metadata")
        uid = str(metadata.get("uid") or "") if isinstance(metadata, dict) else ""
        if kind == "DELETED" or made is None:
            # An object that has nothing to tell any more (a pod without an address) is as good as gone.
            self._world.remove(self._resource.kind, uid, self._now_ns())
        else:
            self._world.put(self._resource.kind, made, self._now_ns())

    def _trim(self, item: dict[str, Any]) -> Item | None:
        try:
            return trim(self._resource.kind, item, self._config, self._world.shared)
        except (ValueError, TypeError, KeyError, AttributeError):
            self._counters.add("dropped", reason="malformed_object", unit="objects")
            return None

"""ZooKeeper by ``kazoo``: every node that was read is watched; only what changed is read again.

Dubbo writes ``ROOT/INTERFACE/providers/URL``; Curator's service discovery, which Spring Cloud and Dubbo 3 use, ``ROOT/SERVICE/ID`` with
JSON (ServiceInstance of curator-x-discovery).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from metaflow_tagger_registry.config import Zookeeper
from metaflow_tagger_registry.http import Denied, Failed
from metaflow_tagger_registry.instances import Instance
from metaflow_tagger_registry.sources import Reading
from metaflow_tagger_registry.sources.dubbo import provider

__all__ = ["ZookeeperSource"]


class ZookeeperSource:
    """See :class:`metaflow_tagger_registry.sources.Source`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._options = reading.config.zookeeper or Zookeeper()
        self._client: Any = None
        self._children: dict[str, list[str]] = {}
        self._data: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._changed = threading.Event()

    def look(self, first: bool) -> Iterable[Instance]:
        """All instances, at once or after a change."""
        # kazoo has no annotations
        exceptions: Any = importlib.import_module("kazoo.exceptions")
        late: Any = importlib.import_module("kazoo.handlers.threading").KazooTimeoutError

        try:
            client = self._connected()
            if not first:
                self._changed.wait(self._reading.config.interval_s)
            self._changed.clear()
            if not client.connected:
                raise Failed(f"the connection to ZooKeeper at {','.join(self._options.hosts)} is broken")
            return [*self._dubbo(client), *self._curator(client)]
        except exceptions.NoAuthError as error:
            raise Denied(
                "ZooKeeper's ACL forbids to read a node; give the options username and password of one who may read"
            ) from error
        except (exceptions.KazooException, late, OSError) as error:
            self._forget()
            raise Failed(
                f"ZooKeeper at {','.join(self._options.hosts)}: {type(error).__name__} {error}".strip()
            ) from error

    def _connected(self) -> Any:
        if self._client is None:
            make: Any = importlib.import_module("kazoo.client").KazooClient
            options = self._options
            word = options.password.get_secret_value() if options.password else ""
            client = make(
                hosts=",".join(options.hosts),
                timeout=self._reading.config.timeout_s,
                read_only=True,
                auth_data=[("digest", f"{options.username}:{word}")] if options.username else None,
                use_ssl=options.tls,
                verify_certs=options.verify,
                ca=str(options.ca_file) if options.ca_file else None,
                certfile=str(options.cert_file) if options.cert_file else None,
                keyfile=str(options.key_file) if options.key_file else None,
            )
            client.add_listener(self._state)
            try:
                client.start(timeout=self._reading.config.timeout_s)
            except Exception:
                self._end(client)
                raise
            self._client = client
        return self._client

    def _state(self, state: str) -> None:
        # what happened while it was away was not told: read everything again
        if state != "CONNECTED":
            self._forget()
        self._changed.set()

    def _forget(self) -> None:
        with self._lock:
            self._children.clear()
            self._data.clear()

    def _event(self, event: Any) -> None:
        with self._lock:
            self._children.pop(event.path, None)
            self._data.pop(event.path, None)
        self._changed.set()

    def _list(self, client: Any, path: str) -> list[str]:
        missing: Any = importlib.import_module("kazoo.exceptions").NoNodeError
        held = self._children.get(path)
        if held is None:
            try:
                held = sorted(client.get_children(path, watch=self._event))
            except missing:
                # told when it is made
                client.exists(path, watch=self._event)
                held = []
            with self._lock:
                self._children[path] = held
        return held

    def _read(self, client: Any, path: str) -> bytes | None:
        missing: Any = importlib.import_module("kazoo.exceptions").NoNodeError
        held = self._data.get(path)
        if held is None:
            try:
                held = client.get(path, watch=self._event)[0]
            except missing:
                return None
            with self._lock:
                self._data[path] = held
        return held

    def _dubbo(self, client: Any) -> Iterator[Instance]:
        for root in self._options.dubbo:
            for interface in self._list(client, root):
                # Dubbo keeps what is no interface beside the interfaces
                if interface in ("config", "metadata", "mapping"):
                    continue
                for url in self._list(client, f"{root}/{interface}/providers"):
                    try:
                        yield from self._reading.instance(namespace=root.strip("/"), **provider(url))
                    except (ValueError, TypeError):
                        self._reading.drop("malformed_instance")

    def _curator(self, client: Any) -> Iterator[Instance]:
        for root in self._options.curator:
            for service in self._list(client, root):
                for identity in self._list(client, f"{root}/{service}"):
                    data = self._read(client, f"{root}/{service}/{identity}")
                    if data is None:
                        continue
                    try:
                        yield from self._of_curator(root, json.loads(data))
                    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                        self._reading.drop("malformed_instance")

    def _of_curator(self, root: str, item: Mapping[str, Any]) -> list[Instance]:
        payload = item.get("payload") or {}
        metadata = payload.get("metadata") if isinstance(payload, Mapping) else None
        ports = [port for port in (item.get("port"), item.get("sslPort")) if port] or [0]
        return [
            made
            for port in ports
            for made in self._reading.instance(
                service=item["name"],
                address=item["address"],
                port=port,
                namespace=root.strip("/"),
                id=item.get("id") or "",
                since_ns=int(item.get("registrationTimeUTC") or 0) * 1_000_000,
                healthy=item.get("enabled", True) is not False,
                metadata=metadata or {},
            )
        ]

    def close(self) -> None:
        """See :class:`metaflow_tagger_registry.sources.Source`."""
        self._changed.set()
        client, self._client = self._client, None
        if client is not None:
            self._end(client)

    def _end(self, client: Any) -> None:
        with contextlib.suppress(Exception):
            client.stop()
            client.close()

"""etcd 3 by its JSON gateway: all keys of the prefixes are read, then watched from the revision after; any event reads them anew,
so that compaction, disorder and lost events do no harm (etcd.io, "gRPC gateway").
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from metaflow_tagger_registry.config import Etcd, EtcdLayout
from metaflow_tagger_registry.http import Denied, Failed, Http
from metaflow_tagger_registry.instances import Instance
from metaflow_tagger_registry.sources import Reading

__all__ = ["EtcdSource"]

_PAGE = 1000


class EtcdSource:
    """See :class:`metaflow_tagger_registry.sources.Source`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._options = reading.config.etcd or Etcd()
        config = reading.config
        self._http = Http(self._options.urls, self._options, config.timeout_s, config.max_answer_bytes)
        self._revision = 0

    def look(self, first: bool) -> Iterable[Instance]:
        """All keys, at once or after the next event."""
        try:
            return self._look(first)
        except Denied:
            if not self._options.username:
                raise
            self._log_in()
            return self._look(first)

    def _look(self, first: bool) -> list[Instance]:
        if self._options.username and "Authorization" not in self._http.headers:
            self._log_in()
        if not first and self._revision:
            self._wait()
        out: list[Instance] = []
        revision = 0
        for layout in self._options.layouts:
            for key, value, revision in self._keys(layout.prefix):  # noqa: B007 - the last page's
                try:
                    for fields in _parse(layout, key, value):
                        out.extend(self._reading.instance(**fields))
                except (TypeError, KeyError, AttributeError, ValueError, RecursionError):
                    self._reading.drop("malformed_instance")
        self._revision = max(revision, self._revision)
        return out

    def _keys(self, prefix: str) -> Iterator[tuple[str, bytes, int]]:
        begin, end, count = prefix.encode(), _end(prefix.encode()), 0
        while True:
            answer = self._http.post(
                "/v3/kv/range", {"key": _b64(begin), "range_end": _b64(end), "limit": str(_PAGE)}
            ).document
            try:
                found = [(b64decode(each["key"]), b64decode(each.get("value", ""))) for each in answer.get("kvs", [])]
                revision = int(answer["header"]["revision"])
                more = bool(answer.get("more"))
            except (TypeError, KeyError, AttributeError, ValueError) as error:
                raise Failed(f"/v3/kv/range: expected keys and a revision, found {answer!r:.60}") from error
            self._revision = max(self._revision, revision)
            for key, value in found:
                yield key.decode("utf-8", "replace"), value, revision
            count += len(found)
            if not more or not found or count > self._reading.config.max_instances:
                return
            begin = found[-1][0] + b"\0"

    def _wait(self) -> None:
        """Until something of what is watched changes. The first line only says that the watch was made."""
        prefixes = [layout.prefix for layout in self._options.layouts]
        low, high = min(prefixes), max(_end(each.encode()) for each in prefixes)
        create = {"key": _b64(low.encode()), "range_end": _b64(high), "start_revision": str(self._revision + 1)}
        self._http.first_line("/v3/watch", {"create_request": create}, self._reading.config.interval_s)

    def _log_in(self) -> None:
        self._http.headers.pop("Authorization", None)
        word = self._options.password.get_secret_value() if self._options.password else ""
        answer = self._http.post("/v3/auth/authenticate", {"name": self._options.username, "password": word}).document
        token = answer.get("token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise Denied(f"etcd gives the user {self._options.username!r} no token; check username and password")
        self._http.headers["Authorization"] = token

    def close(self) -> None:
        """See :class:`metaflow_tagger_registry.sources.Source`."""
        self._http.close()


def _parse(layout: EtcdLayout, key: str, value: bytes) -> Iterator[dict[str, Any]]:
    """Fields of the instances of a key. :raises ValueError: it is not in the layout (KeyError, TypeError, AttributeError too)."""
    rest = key.removeprefix(layout.prefix).strip("/")
    service, _, identity = rest.partition("/")
    if layout.format == "plain" and not value.lstrip().startswith(b"{"):
        yield {"service": service, "id": identity, **_place(value.decode())}
        return
    found = json.loads(value)
    if layout.format == "go-micro":
        meta = {**(found.get("metadata") or {}), "version": found.get("version", "")}
        methods = tuple(str(each["name"]) for each in found.get("endpoints") or [])
        interfaces = tuple(sorted({each.partition(".")[0] for each in methods}))
        for node in found["nodes"]:
            yield {
                "service": found["name"],
                "id": node.get("id") or "",
                **_place(node["address"]),
                "metadata": {**meta, **(node.get("metadata") or {})},
                "interfaces": interfaces,
                "methods": methods,
            }
    elif layout.format == "kratos":
        for endpoint in found["endpoints"]:
            parts = urlsplit(endpoint)
            meta = {**(found.get("metadata") or {}), "version": found.get("version", "")}
            yield {"service": found["name"], "id": found["id"], **_place(parts.netloc), "metadata": meta}
    else:
        address = found.get("Addr") or found.get("addr") or found.get("address") or found.get("host") or identity
        meta = found.get("Metadata") or found.get("metadata")
        port = found.get("port") or found.get("Port")
        place = {"address": address, "port": port} if port else _place(str(address))
        yield {
            "service": found.get("name") or found.get("service") or service,
            "id": found.get("id") or identity,
            **place,
            "metadata": meta if isinstance(meta, Mapping) else {},
        }


def _place(text: str) -> dict[str, Any]:
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        raise ValueError(f"no ADDRESS:PORT: {text!r:.40}")
    return {"address": host, "port": port}


def _end(prefix: bytes) -> bytes:
    """The first key behind all that begin with a prefix."""
    cut = prefix.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1]) if cut else b"\0"


def _b64(key: bytes) -> str:
    return b64encode(key).decode()

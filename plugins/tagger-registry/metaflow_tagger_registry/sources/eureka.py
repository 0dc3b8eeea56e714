"""Eureka: all applications, read every ``interval_s`` (REST operations of Netflix' wiki, ``GET /apps``); it has no watch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import urllib3

from metaflow_tagger_registry.config import Eureka
from metaflow_tagger_registry.http import Failed, Http
from metaflow_tagger_registry.instances import Instance
from metaflow_tagger_registry.sources import Reading

__all__ = ["EurekaSource", "as_list"]

_PAGES = ("homePageUrl", "statusPageUrl", "healthCheckUrl", "vipAddress")


class EurekaSource:
    """See :class:`metaflow_tagger_registry.sources.Source`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        options = reading.config.eureka or Eureka()
        self._http = Http(options.urls, options, reading.config.timeout_s, reading.config.max_answer_bytes)
        if options.username:
            word = options.password.get_secret_value() if options.password else ""
            self._http.headers |= urllib3.make_headers(basic_auth=f"{quote(options.username, safe='')}:{word}")
        self._http.headers["Accept-Encoding"] = "gzip"

    def look(self, first: bool) -> Iterable[Instance]:
        """All instances of all applications."""
        if not first:
            self._reading.wait(self._reading.config.interval_s)
        document = self._http.get("/apps").document
        try:
            applications = as_list(document["applications"].get("application"))
        except (TypeError, KeyError, AttributeError) as error:
            raise Failed(f"/apps: expected an object with applications, found {document!r:.60}") from error
        out: list[Instance] = []
        for application in applications:
            for each in as_list(application.get("instance")) if isinstance(application, Mapping) else ():
                try:
                    out.extend(self._instance(each))
                except (TypeError, KeyError, AttributeError, ValueError):
                    self._reading.drop("malformed_instance")
        return out

    def _instance(self, item: Mapping[str, Any]) -> list[Instance]:
        """One for the plain and one for the secure port, each where it is enabled."""
        lease = item.get("leaseInfo") or {}
        address = str(item.get("ipAddr") or "")
        host = str(item.get("hostName") or "")
        metadata = {**(item.get("metadata") or {}), **{key: item[key] for key in _PAGES if item.get(key)}}
        metadata.pop("@class", None)
        out: list[Instance] = []
        for key in ("port", "securePort"):
            port = item.get(key) or {}
            if str(port.get("@enabled")).lower() != "true":
                continue
            out += self._reading.instance(
                service=item["app"],
                address=address,
                port=port["$"],
                id=f"{item.get('instanceId') or host}",
                # a name that is an address tells nothing
                host="" if host.replace(".", "").isdigit() or ":" in host else host,
                host_address=address,
                healthy=item.get("status") == "UP",
                since_ns=int(lease.get("registrationTimestamp") or 0) * 1_000_000,
                metadata=metadata,
            )
        if not out and address:
            self._reading.drop("no_port")
        return out

    def close(self) -> None:
        """See :class:`metaflow_tagger_registry.sources.Source`."""
        self._http.close()


def as_list(found: Any) -> list[Any]:
    """Servers that make JSON of XML leave the list out where there is one of something."""
    return found if isinstance(found, list) else [found] if found else []

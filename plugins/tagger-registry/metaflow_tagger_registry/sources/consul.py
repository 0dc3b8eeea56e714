"""Consul: the catalogue is watched by a blocking query, health is read with it (HTTP API v1, "Blocking Queries" and "Health")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from metaflow_tagger_registry.config import Consul
from metaflow_tagger_registry.http import Answer, Denied, Failed, Http
from metaflow_tagger_registry.instances import Instance
from metaflow_tagger_registry.sources import Reading

__all__ = ["ConsulSource"]


class ConsulSource:
    """See :class:`metaflow_tagger_registry.sources.Source`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._options = reading.config.consul or Consul()
        config = reading.config
        self._http = Http(self._options.urls, self._options, config.timeout_s, config.max_answer_bytes)
        if self._options.token is not None:
            self._http.headers["X-Consul-Token"] = self._options.token.get_secret_value()
        self._index = ""

    def look(self, first: bool) -> Iterable[Instance]:
        """Waits for a change in the first datacenter; all are read."""
        centers: list[str] = self._options.datacenters or [""]
        if centers == ["*"]:
            found = self._ask("/v1/catalog/datacenters", {}, list, 0).document
            centers = [str(each) for each in found]
        out: list[Instance] = []
        for place, center in enumerate(centers):
            out.extend(self._center(center, first or place > 0, remember=place == 0))
        return out

    def _center(self, center: str, at_once: bool, *, remember: bool) -> Iterator[Instance]:
        fields = {"dc": center} if center else {}
        wait_s = 0.0 if at_once or not self._index else self._reading.config.interval_s
        # The registry adds up to a sixteenth of the wait, so that not all come back at once.
        asked = {**fields, "index": self._index, "wait": f"{wait_s:.0f}s"} if wait_s else fields
        answer = self._ask("/v1/catalog/services", asked, dict, wait_s * 1.1)
        if remember:
            self._remember(answer.headers.get("X-Consul-Index", ""))
        for name in answer.document:
            found = self._ask(f"/v1/health/service/{quote(str(name), safe='')}", fields, list, 0).document
            for each in found:
                try:
                    yield from self._instance(each)
                except (TypeError, KeyError, AttributeError, ValueError):
                    self._reading.drop("malformed_instance")

    def _remember(self, index: str) -> None:
        """An index that goes back means that the server's state was restored: begin anew."""
        fresh = index if index.isdigit() and int(index) > 0 else ""
        back = fresh and self._index and int(fresh) < int(self._index)
        self._index = "" if back else fresh

    def _instance(self, item: Mapping[str, Any]) -> list[Instance]:
        node, service, checks = item["Node"], item["Service"], item.get("Checks") or []
        meta = dict(service.get("Meta") or {})
        if service.get("Tags"):
            meta["tags"] = ",".join(sorted(str(each) for each in service["Tags"]))
        if service.get("Kind"):
            meta["kind"] = str(service["Kind"])
        return self._reading.instance(
            service=service["Service"],
            address=service.get("Address") or node.get("Address"),
            port=service.get("Port") or 0,
            namespace=node.get("Datacenter") or "",
            id=service.get("ID") or "",
            host=node.get("Node") or "",
            host_address=node.get("Address") or "",
            healthy=all(check.get("Status") in ("passing", "warning") for check in checks),
            metadata=meta,
        )

    def _ask(self, path: str, fields: Mapping[str, str], kind: type, wait_s: float) -> Answer:
        try:
            answer = self._http.get(path, fields, wait_s=wait_s)
        except Denied as denied:
            raise Denied(
                f'the ACL token may not read {path}; give its policy service_prefix "" {{policy = "read"}} and '
                f'node_prefix "" {{policy = "read"}} ({denied})'
            ) from denied
        if answer.headers.get("X-Consul-Results-Filtered-By-ACLs", "") == "true":
            self._reading.warn(
                'the ACL token sees only a part of Consul; give its policy service_prefix "" and node_prefix "" read'
            )
        if not isinstance(answer.document, kind):
            raise Failed(
                f"{path}: expected a JSON {'object' if kind is dict else 'list'}, found {answer.document!r:.40}"
            )
        return answer

    def close(self) -> None:
        """See :class:`metaflow_tagger_registry.sources.Source`."""
        self._http.close()

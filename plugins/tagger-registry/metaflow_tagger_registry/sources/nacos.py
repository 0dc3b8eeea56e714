"""Nacos: services by page, then their instances, every ``interval_s`` (Open API v1 and v2); pushes go to Nacos' own clients only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from metaflow_tagger_registry.config import Nacos
from metaflow_tagger_registry.http import Denied, Failed, Http
from metaflow_tagger_registry.instances import Instance
from metaflow_tagger_registry.sources import Reading
from metaflow_tagger_registry.sources.dubbo import of_parameters

__all__ = ["NacosSource"]

_PAGE = 500
_DUBBO = "providers:"


class NacosSource:
    """See :class:`metaflow_tagger_registry.sources.Source`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._options = reading.config.nacos or Nacos()
        config = reading.config
        self._http = Http(self._options.urls, self._options, config.timeout_s, config.max_answer_bytes)
        self._token = ""

    def look(self, first: bool) -> Iterable[Instance]:
        """All services of all namespaces and groups that are named."""
        if not first:
            self._reading.wait(self._reading.config.interval_s)
        out: list[Instance] = []
        for namespace in self._options.namespaces:
            for group in self._options.groups:
                for name in self._services(namespace, group):
                    out.extend(self._instances(namespace, group, name))
        return out

    def _services(self, namespace: str, group: str) -> list[str]:
        names: list[str] = []
        while len(names) <= self._reading.config.max_instances:
            page = str(len(names) // _PAGE + 1)
            fields = {"pageNo": page, "pageSize": str(_PAGE), "namespaceId": namespace, "groupName": group}
            data = self._ask("service/list", fields)
            found = data.get("doms" if self._options.api == "v1" else "services")
            if not isinstance(found, list):
                raise Failed(f"the list of services of Nacos has no names, found {data!r:.60}")
            names += [str(each) for each in found]
            if len(found) < _PAGE:
                break
        return list(dict.fromkeys(names))

    def _instances(self, namespace: str, group: str, name: str) -> Iterator[Instance]:
        data = self._ask("instance/list", {"serviceName": name, "groupName": group, "namespaceId": namespace})
        hosts = data.get("hosts")
        if not isinstance(hosts, list):
            self._reading.drop("malformed_service")
            return
        for each in hosts:
            try:
                yield from self._instance(namespace, group, name, each)
            except (TypeError, KeyError, AttributeError, ValueError):
                self._reading.drop("malformed_instance")

    def _instance(self, namespace: str, group: str, name: str, item: Mapping[str, Any]) -> list[Instance]:
        metadata = dict(item.get("metadata") or {})
        # the group stands before the name where the server puts both into one
        fields: dict[str, Any] = {"service": name.rpartition("@@")[2], "metadata": metadata}
        if name.startswith(_DUBBO):
            fields = of_parameters({"interface": name.split(":")[1], **metadata})
        if item.get("clusterName"):
            fields["metadata"] = {**fields["metadata"], "cluster": item["clusterName"]}
        return self._reading.instance(
            address=item["ip"],
            port=item["port"],
            namespace="/".join(part for part in (namespace, group) if part),
            id=item.get("instanceId") or "",
            healthy=bool(item.get("healthy", True)) and bool(item.get("enabled", True)),
            **fields,
        )

    def _ask(self, path: str, fields: Mapping[str, str]) -> dict[str, Any]:
        full = f"/{self._options.api}/ns/{path}"
        if self._options.username and not self._token:
            self._log_in()
        try:
            document = self._http.get(full, self._with_token(fields)).document
        except Denied as denied:
            if not self._options.username:
                raise Denied(f"Nacos asks for a user; give the options username and password ({denied})") from denied
            # the token's time was over, or the right is missing
            self._log_in()
            document = self._http.get(full, self._with_token(fields)).document
        if isinstance(document, dict) and self._options.api == "v2":
            if document.get("code") not in (0, 200):
                raise Failed(f"{full}: Nacos says {document.get('code')}: {document.get('message')!r:.80}")
            document = document.get("data")
        if not isinstance(document, dict):
            raise Failed(f"{full}: expected an object, found {document!r:.60}")
        return document

    def _with_token(self, fields: Mapping[str, str]) -> dict[str, str]:
        return {**fields, "accessToken": self._token} if self._token else dict(fields)

    def _log_in(self) -> None:
        word = self._options.password.get_secret_value() if self._options.password else ""
        fields = {"username": self._options.username, "password": word}
        document = self._http.form("/v1/auth/login", fields).document
        token = document.get("accessToken") if isinstance(document, dict) else None
        if not isinstance(token, str):
            raise Denied(f"Nacos gives the user {self._options.username!r} no token; check username and password")
        self._token = token

    def close(self) -> None:
        """See :class:`metaflow_tagger_registry.sources.Source`."""
        self._http.close()

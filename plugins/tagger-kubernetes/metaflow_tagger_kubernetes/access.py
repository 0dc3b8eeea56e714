"""Lists and watches through the ``kubernetes`` package, which knows every way to log in; objects stay plain JSON, which is a tenth of its
model objects in time and memory.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metaflow_core.errors import StartError

__all__ = ["OPENED", "Absent", "Access", "Conflict", "Failed", "Forbidden", "Gone", "connect"]

OPENED = "OPENED"
"""What a watch begins with."""

_CONNECT_S = 10.0
_WATCH_S = 300
_MAX_LINE = 32 << 20
_CONNECTIONS = 64


class Failed(Exception):
    """The API server could not be asked; ask again later."""


class Gone(Failed):
    """The version asked for is too old (410): list again."""


class Forbidden(Failed):
    """The rights do not allow it (401, 403)."""


class Absent(Failed):
    """There is no such object (404)."""


class Conflict(Failed):
    """Somebody else was faster (409)."""


def connect(kubeconfig: Path | None, context: str) -> tuple[Access, str]:
    """Access by the service account of a pod, or by a kubeconfig.

    :returns: the access, and the context's name (empty inside a cluster). :raises StartError: there is neither, or it cannot be read.
    """
    import importlib

    from kubernetes import client
    from kubernetes.config.config_exception import ConfigException

    # annotated in part only, which a strict check refuses to call
    config: Any = importlib.import_module("kubernetes.config")

    configuration = client.Configuration()
    # every watch holds a connection
    configuration.connection_pool_maxsize = _CONNECTIONS
    if kubeconfig is None and not context:
        try:
            config.load_incluster_config(client_configuration=configuration)
            return Access(client.ApiClient(configuration)), ""
        except ConfigException:
            pass
    file = str(kubeconfig.expanduser()) if kubeconfig is not None else None
    try:
        _, current = config.list_kube_config_contexts(file)
        config.load_kube_config(file, context or None, client_configuration=configuration)
    except (ConfigException, OSError, TypeError, ValueError) as error:
        where = f"the kubeconfig {file}" if file else "a service account of a pod or ~/.kube/config"
        raise StartError(
            f"no access to a Kubernetes cluster by {where}: {error}; give the options kubeconfig and context, or run in the cluster "
            "with a service account"
        ) from error
    if not configuration.verify_ssl:
        import urllib3

        # whoever wrote insecure-skip-tls-verify is told once, not with every request
        warnings.filterwarnings("once", category=urllib3.exceptions.InsecureRequestWarning)
    return Access(client.ApiClient(configuration)), context or str(current.get("name", ""))


class Access:
    """One API server."""

    def __init__(self, api: Any) -> None:
        self._api = api

    @property
    def host(self) -> str:
        """Its address."""
        return str(self._api.configuration.host)

    def close(self) -> None:
        """Close the connections, so that watches that wait end."""
        self._api.rest_client.pool_manager.clear()

    def pages(self, path: str, page_size: int) -> Iterator[tuple[list[dict[str, Any]], str]]:
        """Pages of a list: the objects, and the version at which the list was true (of the last page).

        :raises Gone: the token of a later page expired; begin anew. :raises Failed: it cannot be asked.
        """
        token = ""
        while True:
            query = [("limit", page_size), *([("continue", token)] if token else [])]
            answer = self._get(path, query, _CONNECT_S + 60)
            try:
                document = json.loads(answer.read())
                metadata = document.get("metadata") or {}
                items = [each for each in document.get("items") or [] if isinstance(each, dict)]
            except (ValueError, AttributeError, RecursionError) as error:
                raise Failed(f"{path}: the answer is no list of objects: {error}") from error
            finally:
                answer.release_conn()
            token = str(metadata.get("continue") or "")
            yield items, str(metadata.get("resourceVersion") or "")
            if not token:
                return

    def watch(self, path: str, version: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Events after a version: their type and object, until the server ends the watch. The first is of type :data:`OPENED`, without
        an object: the server takes the watch, and nothing may happen for long.

        :raises Gone: the version is too old. :raises Failed: the connection broke or the server said no.
        """
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", _WATCH_S),
        ]
        answer = self._get(path, query, _WATCH_S + 30)
        try:
            yield OPENED, {}
            for line in _lines(answer):
                event = json.loads(line)
                if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
                    raise Failed(f"{path}: an event without an object")
                kind, item = str(event.get("type")), event["object"]
                if kind == "ERROR":
                    code = item.get("code")
                    raise (Gone if code == 410 else Failed)(f"{path}: {item.get('message') or code}")
                yield kind, item
        except Failed:
            raise
        except Exception as error:  # what urllib3 raises for broken connections has many names
            raise Failed(f"{path}: the watch broke: {error}") from error
        finally:
            answer.close()

    def read(self, path: str) -> dict[str, Any]:
        """One object.

        :raises Absent: there is none. :raises Failed: it cannot be asked.
        """
        return self._document(path, self._call("GET", path, [], _CONNECT_S))

    def write(self, method: str, path: str, item: dict[str, Any]) -> dict[str, Any]:
        """Create (POST) or replace (PUT) an object; it comes back as it is then.

        :raises Conflict: somebody else did so before. :raises Failed: it was not written, as far as is known.
        """
        return self._document(path, self._call(method, path, [], _CONNECT_S, item))

    def _document(self, path: str, answer: Any) -> dict[str, Any]:
        try:
            document = json.loads(answer.read())
        except (ValueError, RecursionError) as error:
            raise Failed(f"{path}: the answer is no object: {error}") from error
        finally:
            answer.release_conn()
        if not isinstance(document, dict):
            raise Failed(f"{path}: the answer is no object")
        return document

    def _get(self, path: str, query: list[tuple[str, Any]], timeout_s: float) -> Any:
        return self._call("GET", path, query, timeout_s)

    def _call(
        self, method: str, path: str, query: list[tuple[str, Any]], timeout_s: float, item: dict[str, Any] | None = None
    ) -> Any:
        from kubernetes.client.exceptions import ApiException

        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if item is not None else {})
        try:
            request = self._api.param_serialize(
                method, path, query_params=query, header_params=headers, body=item, auth_settings=["BearerToken"]
            )
            answer = self._api.call_api(*request, _request_timeout=(_CONNECT_S, timeout_s)).response
        except ApiException as error:
            raise _failure(path, int(error.status or 0), str(error.reason)) from error
        except Exception as error:
            raise Failed(f"{self.host}{path}: {error}") from error
        if not 200 <= answer.status < 300:
            answer.close()
            raise _failure(path, answer.status, str(answer.reason))
        return answer


def _failure(path: str, status: int, reason: str) -> Failed:
    kind = {401: Forbidden, 403: Forbidden, 404: Absent, 409: Conflict, 410: Gone}.get(status, Failed)
    return kind(f"{path}: {status} {reason}")


def _lines(answer: Any) -> Iterator[bytes]:
    held = b""
    for part in answer.stream(1 << 16):
        held += part
        *lines, held = held.split(b"\n")
        yield from (line for line in lines if line.strip())
        if len(held) > _MAX_LINE:
            raise Failed(f"an event of more than {_MAX_LINE >> 20} MiB")
    if held.strip():
        yield held

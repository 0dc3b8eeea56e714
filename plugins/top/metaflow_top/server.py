"""Asking a running instance over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from metaflow_core.errors import InputError, QueryError, UnavailableError

__all__ = ["Answer", "Server", "base_url"]

_TIMEOUT_S = 20.0
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of a question, by the names of its columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def base_url(text: str) -> str:
    """``http://host:port`` of what a person typed.

    :raises InputError: it is no such address.
    """
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{text!r} is no address such as http://127.0.0.1:8088")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


class Server:
    """An instance with a querier.

    :param url: where it is. :param token: sent as a bearer token; empty for none.
    """

    def __init__(self, url: str, token: str = "") -> None:
        self.url = base_url(url)
        self._token = token

    def ask(self, db: str, sql: str) -> Answer:
        """Answer a question.

        :raises UnavailableError: it cannot be asked. :raises QueryError: it refuses.
        """
        document = self._fetch("/v1/query", json.dumps({"db": db, "sql": sql}).encode())
        try:
            result = document["result"]
            return Answer(result["columns"], result["values"])
        except (KeyError, TypeError):
            raise UnavailableError(f"{self.url} answers, but not as MetaFlow does") from None

    def status(self) -> dict[str, Any]:
        """Components and counters.

        :raises UnavailableError: it cannot be asked.
        """
        document = self._fetch("/v1/status")
        if not isinstance(document, dict):
            raise UnavailableError(f"{self.url} answers, but not as MetaFlow does")
        return document

    def _fetch(self, path: str, body: bytes | None = None) -> Any:
        headers = {"accept": "application/json"}
        if body is not None:
            headers["content-type"] = "application/json"
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        request = Request(f"{self.url}{path}", body, headers)  # noqa: S310 - http and https only, see base_url
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
                return json.loads(response.read(_MOST_BYTES))
        except HTTPError as error:
            raise _refusal(error, self.url) from None
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise UnavailableError(f"{self.url} cannot be asked ({reason}); is mflow up running there?") from None
        except ValueError:
            raise UnavailableError(f"{self.url} answers, but not as MetaFlow does") from None


def _refusal(error: HTTPError, url: str) -> Exception:
    if error.code == 401:
        return UnavailableError(f"{url} needs a token; give it with --token or METAFLOW_TOKEN")
    try:
        said = str(json.loads(error.read(1 << 20))["DESCRIPTION"])
    except (ValueError, KeyError, TypeError, OSError):
        return UnavailableError(f"{url} answers with status {error.code}, and not as MetaFlow does")
    return QueryError(said) if error.code in (400, 422, 504) else UnavailableError(f"{url}: {said}")

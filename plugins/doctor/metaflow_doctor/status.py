"""Asking a running instance for its state."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from metaflow_core.errors import InputError, UnavailableError

__all__ = ["answers", "base_url", "fetch"]

_TIMEOUT_S = 3.0
_MOST_BYTES = 64 << 20


def base_url(text: str) -> str:
    """``http://host:port`` of what a person typed.

    :raises InputError: it is no such address.
    """
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{text!r} is no address such as http://127.0.0.1:8088")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def fetch(base: str, path: str, token: str = "") -> Any:
    """The JSON at a path.

    :raises UnavailableError: it cannot be had; the sentence says why.
    """
    headers = {"accept": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    request = Request(f"{base}{path}", headers=headers)  # noqa: S310 - http and https only, see base_url
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
            return json.loads(response.read(_MOST_BYTES))
    except HTTPError as error:
        hint = "; give its token with --token or METAFLOW_TOKEN" if error.code == 401 else ""
        raise UnavailableError(f"{base}{path} answers with status {error.code}{hint}") from None
    except (URLError, OSError) as error:
        raise UnavailableError(f"{base} cannot be asked: {getattr(error, 'reason', error)}") from None
    except ValueError:
        raise UnavailableError(f"{base}{path} answers, but not as MetaFlow does") from None


def answers(base: str, token: str = "") -> bool:
    """Whether MetaFlow answers there."""
    try:
        document = fetch(base, "/v1/health/", token)
    except UnavailableError:
        return False
    return isinstance(document, dict) and "status" in document

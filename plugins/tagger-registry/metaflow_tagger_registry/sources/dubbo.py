"""What Dubbo writes of a provider: a URL ``dubbo://HOST:PORT/INTERFACE?application=...&methods=a,b`` (dubbo.apache.org, "URL")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["of_parameters", "provider"]

_KEPT = ("version", "group", "dubbo", "release", "protocol", "side", "revision")


def provider(text: str) -> dict[str, Any]:
    """Fields of an instance. :raises ValueError: it is no URL of a provider."""
    parts = urlsplit(unquote(text))
    if not parts.scheme or not parts.hostname or parts.port is None:
        raise ValueError("no URL with an address and a port")
    parameters = dict(parse_qsl(parts.query, max_num_fields=200))
    parameters.setdefault("interface", parts.path.strip("/"))
    parameters["protocol"] = parts.scheme
    return {
        "address": parts.hostname,
        "port": parts.port,
        "id": parts.netloc,
        **of_parameters(parameters),
    }


def of_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The service is the application, whose port serves many interfaces; without one, the interface."""
    interface = str(parameters.get("interface") or parameters.get("path") or "")
    methods = [each for each in str(parameters.get("methods") or "").split(",") if each and each != "*"]
    stamp = str(parameters.get("timestamp") or "")
    return {
        "service": str(parameters.get("application") or interface),
        "interfaces": (interface,) if interface else (),
        "methods": tuple(f"{interface.rpartition('.')[2]}.{each}" for each in methods),
        "since_ns": int(stamp) * 1_000_000 if stamp.isascii() and stamp.isdigit() and len(stamp) == 13 else 0,
        "metadata": {key: parameters[key] for key in _KEPT if parameters.get(key)},
    }

"""URLs of servers."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from metaflow_core.errors import ConfigError, Problem

__all__ = ["Endpoint", "Server", "parse_url"]

_PORTS = {("http", False): 8123, ("http", True): 8443, ("native", False): 9000, ("native", True): 9440}
_OPTIONS = ("secure", "verify", "ca")
_COMPRESSIONS = ("", "lz4", "lz4hc", "zstd")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One host and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Server:
    """What a URL says.

    :ivar endpoints: tried in turn. :ivar database: that names without one are of; ours all have one.
    :ivar secure: over TLS. :ivar verify: the server's certificate is checked. :ivar ca: file with the authority that signed it; empty for
        those that the system trusts.
    :ivar native: the native protocol instead of HTTP. :ivar compression: of blocks in that; empty for none.
    """

    endpoints: tuple[Endpoint, ...]
    user: str = "default"
    password: str = ""
    secure: bool = False
    verify: bool = True
    ca: str = ""
    database: str = ""
    native: bool = False
    compression: str = ""

    def __repr__(self) -> str:
        return f"Server({self.user}@{','.join(map(str, self.endpoints))})"


def parse_url(url: str) -> Server:
    """``clickhouse://user:password@host:8123,[::1]:8124/database?secure=true&verify=false``, and ``clickhouse+native://``.

    :raises ConfigError: it is no such URL; the password is not repeated.
    """
    parts = urlsplit(url)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    native = parts.scheme.endswith("+native")
    known = (*_OPTIONS, "compression") if native else _OPTIONS
    unknown = sorted(options.keys() - set(known))
    if unknown:
        raise _problem(f"the option {unknown[0]!r} is not known; there are {', '.join(known[:-1])} and {known[-1]}")
    secure = parts.scheme.startswith(("https", "clickhouse+https", "clickhouses")) or _flag(
        options, "secure", default=False
    )
    compression = options.get("compression", "")
    if compression not in _COMPRESSIONS:
        raise _problem(f"compression is lz4, lz4hc or zstd, found {compression!r}")
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    found = [
        _endpoint(each.strip(), _PORTS["native" if native else "http", secure])
        for each in hosts.split(",")
        if each.strip()
    ]
    if not found:
        raise _problem("it names no host; write clickhouse://host:8123")
    return Server(
        tuple(found),
        unquote(user) or "default",
        unquote(password),
        secure,
        _flag(options, "verify", default=True),
        options.get("ca", ""),
        unquote(parts.path).strip("/"),
        native,
        compression,
    )


def _endpoint(text: str, default: int) -> Endpoint:
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not host or (port and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536)):
        raise _problem(f"{text!r} is no host and port such as db.example:8123 or [2001:db8::1]:8123")
    return Endpoint(host, int(port) if port else default)


def _flag(options: dict[str, str], name: str, *, default: bool) -> bool:
    value = options.get(name)
    if value is None:
        return default
    if value.lower() not in ("true", "false", "1", "0"):
        raise _problem(f"{name} is true or false, found {value!r}")
    return value.lower() in ("true", "1")


def _problem(sentence: str) -> ConfigError:
    return ConfigError([Problem("url", sentence)])

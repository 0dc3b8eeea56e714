"""OpenTelemetry's semantic conventions as columns of ``flow_log.l7_flow_log``: the stable names first, then the old ones.

Source: opentelemetry semantic conventions 1.2x (http, db, rpc, messaging, network), and the names they had before 1.20.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from metaflow_receiver_otlp.attributes import Value, text

__all__ = [
    "DOMAIN",
    "LOCAL",
    "PEER",
    "PEER_PORT",
    "RESOURCE",
    "SERVER_PORT",
    "TYPE",
    "code",
    "first",
    "number",
    "protocol",
    "resource",
]

TYPE = (
    "http.request.method",
    "http.method",
    "db.operation.name",
    "db.operation",
    "rpc.method",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.operation",
    "faas.trigger",
)
DOMAIN = (
    "http.host",
    "server.address",
    "net.peer.name",
    "net.host.name",
    "messaging.destination.name",
    "messaging.destination",
    "db.namespace",
    "db.name",
    "db.connection_string",
)
RESOURCE = (
    "url.path",
    "http.target",
    "db.query.text",
    "db.statement",
    "messaging.destination.name",
    "messaging.destination",
    "messaging.url",
    "rpc.service",
    "http.route",
)
LOCAL = ("network.local.address", "net.sock.host.addr", "net.host.ip", "app.host.ip", "host.ip")
PEER = ("network.peer.address", "net.sock.peer.addr", "net.peer.ip", "client.address", "server.address")
PEER_PORT = ("network.peer.port", "net.sock.peer.port", "net.peer.port", "client.port")
SERVER_PORT = ("server.port", "net.host.port", "network.local.port")

_SYSTEMS = {
    "mysql": "MySQL",
    "mariadb": "MySQL",
    "postgresql": "PostgreSQL",
    "redis": "Redis",
    "mongodb": "MongoDB",
    "memcached": "Memcached",
    "oracle": "Oracle",
    "oracle.db": "Oracle",
    "kafka": "Kafka",
    "mqtt": "MQTT",
    "rabbitmq": "AMQP",
    "amqp": "AMQP",
    "rocketmq": "RocketMQ",
    "pulsar": "Pulsar",
    "nats": "NATS",
    "activemq": "OpenWire",
    "grpc": "gRPC",
    "dubbo": "Dubbo",
    "apache_dubbo": "Dubbo",
}
_SYSTEM_KEYS = (
    "db.system.name",
    "db.system",
    "rpc.system.name",
    "rpc.system",
    "messaging.system",
    "messaging.protocol",
)


def first(attributes: Mapping[str, Value], names: tuple[str, ...]) -> str:
    """The text of the first attribute that is there; empty for none."""
    for name in names:
        value = attributes.get(name)
        if value not in (None, ""):
            return text(value)
    return ""


def number(attributes: Mapping[str, Value], *names: str) -> int | None:
    """The first attribute that is a whole number, or reads as one."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, bool):
            continue
        if isinstance(value, int):
            return value
        if isinstance(value, str):
            digits = value.strip()
            if digits.removeprefix("-").isascii() and digits.removeprefix("-").isdigit() and len(digits) < 20:
                return int(digits)
    return None


def protocol(attributes: Mapping[str, Value]) -> str:
    """Name of the application protocol; empty where the span tells of no call."""
    system = first(attributes, _SYSTEM_KEYS).lower()
    if system:
        return _SYSTEMS.get(system, system)
    if any(name.startswith(("http.", "url.")) for name in attributes):
        version = first(attributes, ("network.protocol.version", "http.flavor"))
        return "HTTP2" if version in ("2", "2.0") else "HTTP"
    return ""


def resource(attributes: Mapping[str, Value]) -> str:
    """What is asked about: path with query, statement, destination."""
    found = first(attributes, RESOURCE)
    if found and "url.path" in attributes:
        query = first(attributes, ("url.query",))
        return f"{found}?{query}" if query else found
    if not found:
        whole = first(attributes, ("url.full", "http.url"))
        try:
            parts = urlsplit(whole)
        except ValueError:
            return whole
        found = parts.path + (f"?{parts.query}" if parts.query else "")
    return found


def code(attributes: Mapping[str, Value]) -> int | None:
    """The protocol's own code."""
    return number(
        attributes,
        "http.response.status_code",
        "http.status_code",
        "rpc.grpc.status_code",
        "rpc.response.status_code",
        "db.response.status_code",
    )

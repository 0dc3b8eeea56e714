"""Messages by protocol: how many requests and responses each found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import metaflow_core as mf

from .tshark import fields

__all__ = ["PROTOCOLS", "Protocol", "ours", "theirs"]

Count = Callable[[list[str]], int]


def _matching(*values: str) -> Count:
    return lambda cells: sum(value in values for value in cells)


def _but(*values: str) -> Count:
    return lambda cells: sum(value not in values for value in cells)


@dataclass(frozen=True)
class Protocol:
    """How tshark's fields count the messages of one of our protocols: fields, and which of their values."""

    dissector: str
    requests: Mapping[str, Count]
    #: Empty: tshark has no field that counts them.
    responses: Mapping[str, Count]


_INTERIM = ("100", *map(str, range(102, 200)))
PROTOCOLS: Mapping[str, Protocol] = {
    "HTTP": Protocol("http", {"http.request.method": len}, {"http.response.code": _but(*_INTERIM)}),
    "HTTP2": Protocol("http2", {"http2.headers.method": len}, {"http2.headers.status": _but(*_INTERIM)}),
    "DNS": Protocol("dns", {"dns.flags.response": _matching("0")}, {"dns.flags.response": _matching("1")}),
    "MySQL": Protocol("mysql", {"mysql.command": len, "mysql.login_request": len}, {}),
    "PostgreSQL": Protocol("pgsql", {"pgsql.type": _matching("Simple query", "Sync", "Startup message")}, {}),
    # Commands are flat arrays; of answers, arrays in arrays cannot be told from answers in a row.
    "Redis": Protocol("resp", {"resp.array": len}, {}),
    "Kafka": Protocol("kafka", {"kafka.request_key": len}, {"kafka.response_key": len}),
    "MQTT": Protocol(
        "mqtt",
        {"mqtt.msgtype": _matching("1", "3", "6", "8", "10", "12", "14", "15")},
        {"mqtt.msgtype": _matching("2", "4", "5", "7", "9", "11", "13")},
    ),
    "TLS": Protocol("tls", {"tls.handshake.type": _matching("1")}, {"tls.handshake.type": _matching("2")}),
}


def theirs(path: Path, decode_as: Sequence[str]) -> Counter[tuple[str, str]]:
    """``(protocol, request or response)`` to their number. :param decode_as: what :func:`ours` learned of the ports."""
    counts = [
        (name, kind, field, count)
        for name, protocol in PROTOCOLS.items()
        for kind, counted in (("request", protocol.requests), ("response", protocol.responses))
        for field, count in counted.items()
    ]
    wanted = [*dict.fromkeys(field for _, _, field, _ in counts), "tcp.dstport"]
    servers = {rule.split("==")[1].split(",")[0] for rule in decode_as if rule.endswith(",resp")}
    found: Counter[tuple[str, str]] = Counter()
    for cells in fields(path, wanted, decode_as=decode_as):
        values = dict(zip(wanted, cells, strict=True))
        for name, kind, field, count in counts:
            if name != "Redis" or servers.intersection(values["tcp.dstport"]):
                found[name, kind] += count(values[field])
    return found


def ours(path: Path) -> tuple[Counter[tuple[str, str]], list[str]]:
    """The same of ``l7_message``, and what tshark must be told of the ports."""
    found: Counter[tuple[str, str]] = Counter()
    rules: set[str] = set()
    names = {"gRPC": "HTTP2"}
    for row in mf.read_pcap(str(path)).table("l7_message").to_arrow().to_pylist():
        name = names.get(row["l7_protocol"], row["l7_protocol"])
        # A message without an answer is one that was sent.
        found[name, "response" if row["type"] == "response" else "request"] += 1
        if name in PROTOCOLS:
            transport = "udp" if row["protocol"] == "UDP" else "tcp"
            rules.add(f"{transport}.port=={row['server_port']},{PROTOCOLS[name].dissector}")
    return found, sorted(rules)

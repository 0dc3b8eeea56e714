"""The core's code names no protocol, database or kernel feature: those are plugins.

Only code counts (identifiers, imported modules, texts that are one word): prose may give examples. The catalogue's *data* names
products where the reference model has them, see ``docs/reference/records``.
"""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

import metaflow_core.errors

CORE = Path(metaflow_core.errors.__file__).parent
NAMES = [
    "mysql",
    "mariadb",
    "postgres",
    "postgresql",
    "oracle",
    "redis",
    "mongodb",
    "memcached",
    "kafka",
    "mqtt",
    "amqp",
    "nats",
    "pulsar",
    "rocketmq",
    "zmtp",
    "openwire",
    "dubbo",
    "sofarpc",
    "brpc",
    "tars",
    "grpc",
    "fastcgi",
    "dns",
    "http2",
    "sqlite",
    "duckdb",
    "clickhouse",
    "chdb",
    "ebpf",
    "bpf",
    "cbpf",
    "xdp",
    "kprobe",
    "uprobe",
    "tracepoint",
    "tpacket",
    "tpacket3",
    "af_packet",
]

# The formats of a block are a contract of the data plane between collectors and engines (docs/explanation/data-plane.md). "BPF" is the
# name of the language that people write capture filters in: the placeholder of --filter in the help.
ALLOWED = {("api/blocks.py", "tpacket3"), ("cli/read.py", "bpf"), ("cli/explain.py", "bpf")}


def words(path: Path) -> set[str]:
    found: set[str] = set()
    for token in tokenize.tokenize(io.BytesIO(path.read_bytes()).readline):
        if token.type == tokenize.NAME:
            found.update((token.string.lower(), *token.string.lower().split("_")))
        elif token.type == tokenize.STRING:
            found.add(token.string.strip("rbfRBF").strip("'\"").lower())
    return found


def test_no_name_of_a_capability_is_in_the_core() -> None:
    found = {
        (path.relative_to(CORE).as_posix(), name)
        for path in sorted(CORE.rglob("*.py"))
        for name in words(path) & set(NAMES)
    }
    assert found - ALLOWED == set()

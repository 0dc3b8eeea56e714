"""The parser on every runtime that is here: the contract of parsers, and golden records of whole dialogues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from metaflow_parser_redis.plugin import metaflow_parsers

from metaflow_core import ParserRuntime
from metaflow_core.testing import Golden, ParserContract
from metaflow_core.testing.contracts.parser import Dialogue


def _command(*words: str) -> bytes:
    """A command as clients send it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)


DIALOGUES: dict[str, Dialogue] = {
    "simple": [
        ("c", _command("SET", "user:1", "alice")),
        ("s", b"+OK\r\n"),
        ("c", _command("GET", "user:1")),
        ("s", b"$5\r\nalice\r\n"),
        ("c", _command("INCR", "user:1")),
        ("s", b"-ERR value is not an integer or out of range\r\n"),
    ],
    "pipelined": [
        ("c", _command("MULTI") + _command("INCR", "n") + _command("LRANGE", "l", "0", "-1") + _command("EXEC")),
        ("s", b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:7\r\n*2\r\n$1\r\na\r\n$-1\r\n"),
    ],
    "resp3": [
        ("c", _command("HELLO", "3", "AUTH", "bob", "s3cret")),
        ("s", b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n"),
        ("c", _command("SMEMBERS", "s") + _command("ZSCORE", "z", "m")),
        ("s", b"~2\r\n+a\r\n#t\r\n|1\r\n+ttl\r\n:60\r\n,1.5\r\n"),
        ("s", b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\ns\r\n"),
    ],
    "pubsub": [
        ("c", _command("SUBSCRIBE", "a", "b")),
        ("s", b"*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"),
        ("s", b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\nhello\r\n"),
        ("c", _command("UNSUBSCRIBE", "a", "b")),
        ("s", b"*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n"),
    ],
    "inline": [("c", b'PING\r\nSET k "two words"\r\n'), ("s", b"+PONG\r\n+OK\r\n")],
    "cluster": [("c", _command("GET", "k")), ("s", b"-MOVED 3999 127.0.0.1:6381\r\n")],
}


class TestRedisParser(ParserContract):
    """The contract, with the protocol's own dialogues."""

    factory = next(iter(metaflow_parsers()))
    dialogues = DIALOGUES
    look_alikes = {
        "almost_redis": b"*2\n$3\nGET\n$1\nk\n",
        "unknown_command": b"*2\r\n$3\r\nFOO\r\n$1\r\nk\r\n",
        "http": b"GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n",
        "memcached": b"gets key\r\n",
        "smtp": b"EHLO mail.example\r\n",
        "tls": b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4",
        "mysql": b"\x09\x00\x00\x00\x03SELECT 1",
    }

    @pytest.mark.parametrize("name", list(DIALOGUES))
    def test_golden(self, runtime: Callable[[], ParserRuntime], name: str, golden: Golden) -> None:
        """The records of a dialogue are those that a person approved."""
        golden.check(self.parse(runtime(), DIALOGUES[name]), Path(__file__).parent / "testcases" / f"{name}.jsonl")

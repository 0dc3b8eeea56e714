"""What a protocol parser is to the rest: a description, and a runtime that sees batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

__all__ = [
    "NativeParserRuntime",
    "Pairing",
    "ParserBinding",
    "ParserDescription",
    "ParserFault",
    "ParserLimits",
    "ParserRuntime",
    "RuntimeKind",
]


class Pairing(StrEnum):
    """How answers find their questions: in order, by the record's ``stream_id``, or not at all."""

    FIFO = "fifo"
    KEYED = "keyed"
    NONE = "none"


class RuntimeKind(StrEnum):
    """What runs a parser."""

    AUTO = "auto"
    NATIVE = "native"
    WASM = "wasm"
    PYTHON = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserDescription:
    """What an engine must know of a parser before any of its code runs.

    :ivar name: the parser's type.
    :ivar protocols: ``(number, name)`` of every protocol it emits; the first is the default. Numbers below 128 are
        those of the parity table (deepflow-model 2.1); third parties use 127 or 128..255.
    :ivar transports: ``tcp``, ``udp``, ``icmp``.
    :ivar ports: server ports at which it is asked first.
    :ivar magics: first bytes at which it is asked before the rest.
    :ivar pairing: how answers find their questions.
    :ivar session_timeout_ms: how long a question waits for its answer, in milliseconds of packet time.
    :ivar max_check_segments: how many segments it may ask for before it must decide.
    :ivar ciphertext: it reads the encrypted bytes of TLS connections that kernel collectors see in calls (the handshake);
        to the others they are not shown.
    """

    name: str
    protocols: tuple[tuple[int, str], ...]
    transports: tuple[str, ...] = ("tcp",)
    ports: tuple[int, ...] = ()
    magics: tuple[bytes, ...] = ()
    pairing: Pairing = Pairing.FIFO
    session_timeout_ms: int = 120_000
    max_check_segments: int = 8
    ciphertext: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserLimits:
    """What an untrusted parser may use.

    :ivar memory_mib: linear memory, in MiB.
    :ivar deadline_ms: time for one batch, in milliseconds.
    :ivar batch_bytes: largest batch, in bytes.
    """

    memory_mib: int = 64
    deadline_ms: int = 50
    batch_bytes: int = 1 << 20


class ParserFault(Exception):
    """A runtime lost a batch: a trap, a deadline, a malformed result. The engine counts it and goes on."""


@runtime_checkable
class ParserRuntime(Protocol):
    """One instance of a parser with its sessions. Called from one thread at a time, whole batches only."""

    def check(self, batch: memoryview) -> bytes | memoryview:
        """Say for each segment of an ``MFB1`` batch whether it is ours; returns ``MFC1`` bytes, valid until the next call.

        :raises ParserFault: the batch is lost.
        """
        ...

    def parse(self, batch: memoryview) -> bytes | memoryview:
        """Parse an ``MFB1`` batch; returns ``MFR1`` bytes, valid until the next call.

        :raises ParserFault: the batch is lost.
        """
        ...

    def restart(self) -> None:
        """Forget every session and begin anew, after a fault."""
        ...

    def close(self) -> None:
        """Free everything. Idempotent."""
        ...


@runtime_checkable
class NativeParserRuntime(ParserRuntime, Protocol):
    """A runtime that a native engine may call without Python.

    :ivar vtable: address of the ``mf_parser_vtable`` of docs/explanation/data-plane.md; it lives as long as the runtime.
    """

    @property
    def vtable(self) -> int:
        """Address of the function table."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserBinding:
    """A parser as a pipeline wires it into an engine.

    :ivar id: the component's id in the configuration, e.g. ``mysql/orders``.
    :ivar description: what the engine must know.
    :ivar runtime: which runtime was chosen.
    :ivar create: makes an instance; an engine calls it once per shard.
    :ivar options: texts for the parser's ``mf_configure``; already applied by ``create`` for Python runtimes.
    :ivar artifact: the file that the runtime was loaded from, if any.
    """

    id: str
    description: ParserDescription
    runtime: RuntimeKind
    create: Callable[[], ParserRuntime]
    options: Mapping[str, str] = field(default_factory=dict)
    artifact: Path | None = None

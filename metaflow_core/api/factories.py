"""Factories: what a plugin's hooks return. Frozen descriptions; nothing is built until a pipeline names one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from metaflow_core.api.components import (
    Collector,
    Dialect,
    Engine,
    Exporter,
    Service,
    Storage,
    Tagger,
)
from metaflow_core.api.config import Config
from metaflow_core.api.context import BuildContext
from metaflow_core.api.identity import TYPE_PATTERN, Kind, Stability
from metaflow_core.api.links import LinkRule, Relation
from metaflow_core.api.parsing import (
    ParserBinding,
    ParserDescription,
    ParserLimits,
    ParserRuntime,
    RuntimeKind,
)
from metaflow_core.api.refining import Refiner

__all__ = [
    "ArtifactLoader",
    "CollectorFactory",
    "DialectFactory",
    "EngineFactory",
    "ExporterFactory",
    "Factory",
    "FileSupport",
    "LinkRuleFactory",
    "ParserFactory",
    "RefinerFactory",
    "ServiceFactory",
    "StorageFactory",
    "TaggerFactory",
]


ConfigType: TypeAlias = type[Config]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    """What every factory says of itself.

    :ivar type: ``^[a-z][a-z0-9_]{0,62}$``, unique among its kind.
    :ivar config: the model of its options.
    :ivar stability: how far it can be relied upon.
    :ivar summary: one line for ``mflow plugins list``.
    """

    kind: ClassVar[Kind]

    type: str
    config: ConfigType = Config
    stability: Stability = Stability.ALPHA
    summary: str = ""

    def __post_init__(self) -> None:
        # authors without a type checker get here too: look at what is there, not at what is annotated
        name: object = self.type
        config: object = self.config
        if not isinstance(name, str) or not TYPE_PATTERN.match(name):
            raise ValueError(
                f"{type(self).__name__}(type={self.type!r}): a type must be lower case letters, digits and underscores, "
                "beginning with a letter, at most 63 characters"
            )
        if not (isinstance(config, type) and issubclass(config, Config)):
            raise TypeError(
                f"{type(self).__name__}(type={self.type!r}): config must be a subclass of metaflow_core.Config, "
                f"found {self.config!r}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSupport:
    """How a collector reads files, for ``mflow read`` and ``read_pcap``.

    :ivar suffixes: file names it takes, ``(".pcap", ".pcap.gz")``.
    :ivar magics: first bytes it takes, whatever the name; an empty tuple when only the name counts.
    :ivar configure: options for reading these paths (``-`` is standard input) through this capture filter (or None).
    """

    suffixes: tuple[str, ...]
    configure: Callable[[Sequence[str], str | None], Mapping[str, Any]]
    magics: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorFactory(_Described):
    """Describes a collector (packets or kernel segments) or a receiver (ready records).

    :ivar create: builds one; it may not touch the machine (``start`` does).
    :ivar emits: ``packets``, ``segments`` or ``records``.
    :ivar files: set when it reads files given on the command line.
    """

    kind: ClassVar[Kind] = Kind.COLLECTOR
    create: Callable[[BuildContext, Any], Collector]
    emits: frozenset[str] = frozenset({"packets"})
    files: FileSupport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFactory(_Described):
    """Describes a flow engine.

    :ivar create: builds one for these parsers, in their order of priority.
    :ivar tables: tables of the catalogue it can emit; an engine with none is used only where a pipeline names it.
    """

    kind: ClassVar[Kind] = Kind.ENGINE
    create: Callable[[BuildContext, Any, Sequence[ParserBinding]], Engine]
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParserFactory(_Described):
    """Describes a protocol parser, with one or more runtimes.

    :ivar description: what it matches and emits.
    :ivar native: path of the shared object, or None.
    :ivar wasm: path of the WebAssembly module, or None.
    :ivar python: makes a runtime from options when the parser is a Python class, or None.
    :ivar options: turns a configuration into texts for the artifact's ``mf_configure``.
    :ivar limits: for untrusted runtimes.
    """

    kind: ClassVar[Kind] = Kind.PARSER
    description: ParserDescription
    native: Path | None = None
    wasm: Path | None = None
    python: Callable[[Any], ParserRuntime] | None = None
    options: Callable[[Any], Mapping[str, str]] = lambda config: {}
    limits: ParserLimits = field(default_factory=ParserLimits)

    def runtimes(self) -> tuple[RuntimeKind, ...]:
        """The runtimes that are really there, best first."""
        found: list[RuntimeKind] = []
        if self.native is not None and self.native.exists():
            found.append(RuntimeKind.NATIVE)
        if self.wasm is not None and self.wasm.exists():
            found.append(RuntimeKind.WASM)
        if self.python is not None:
            found.append(RuntimeKind.PYTHON)
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggerFactory(_Described):
    """Describes a tagger.

    :ivar create: builds one. :ivar tags: columns of the catalogue that it can fill.
    """

    kind: ClassVar[Kind] = Kind.TAGGER
    create: Callable[[BuildContext, Any], Tagger]
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFactory(_Described):
    """Describes a storage.

    :ivar create: builds one. :ivar roles: ``write``, ``read``.
    :ivar writes_at_once: calls of ``write`` that may be under way together; a storage that puts the batches of several into one
        insert is the faster for it.
    """

    kind: ClassVar[Kind] = Kind.STORAGE
    create: Callable[[BuildContext, Any], Storage]
    roles: frozenset[str] = frozenset({"write", "read"})
    writes_at_once: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DialectFactory(_Described):
    """Describes a query dialect. :ivar create: builds one."""

    kind: ClassVar[Kind] = Kind.DIALECT
    create: Callable[[BuildContext, Any], Dialect]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExporterFactory(_Described):
    """Describes an exporter. :ivar create: builds one."""

    kind: ClassVar[Kind] = Kind.EXPORTER
    create: Callable[[BuildContext, Any], Exporter]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFactory(_Described):
    """Describes a long-running server module. :ivar create: builds one."""

    kind: ClassVar[Kind] = Kind.SERVICE
    create: Callable[[BuildContext, Any], Service]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactLoader(_Described):
    """Loads parser artifacts by their suffix, so that each runtime is itself a plugin.

    :ivar suffixes: ``(".wasm",)``.
    :ivar runtime: which runtime it provides.
    :ivar load: from a file, options for ``mf_configure`` and limits, a function that makes instances.
        Reading and checking the file happens here, once; it raises :class:`PluginLoadError` with a sentence.
    """

    kind: ClassVar[Kind] = Kind.LOADER
    suffixes: tuple[str, ...]
    runtime: RuntimeKind
    load: Callable[[Path, Mapping[str, str], ParserLimits], Callable[[], ParserRuntime]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRuleFactory(_Described):
    """Describes a rule by which traces are put together.

    :ivar relation: what a match means. :ivar create: builds one from its options; it has no state and acquires nothing.
    """

    kind: ClassVar[Kind] = Kind.LINK_RULE
    relation: Relation
    create: Callable[[Any], LinkRule]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefinerFactory(_Described):
    """Describes what refines the messages of parsers.

    :ivar refines: types of the parsers whose messages it sees.
    :ivar body_bytes: how many bytes of a body it needs. :ivar bodiless: it also sees messages of which no body is there (it
        reads addresses as well).
    :ivar create: makes one from options when it is a Python class, or None.
    :ivar native: path of a shared object of the parser ABI, or None. :ivar wasm: path of a WebAssembly module, or None.
    :ivar options: turns a configuration into texts for the artifact's ``mf_configure``. :ivar limits: for untrusted runtimes.
    """

    kind: ClassVar[Kind] = Kind.REFINER
    refines: tuple[str, ...]
    body_bytes: int = 4096
    bodiless: bool = False
    create: Callable[[Any], Refiner] | None = None
    native: Path | None = None
    wasm: Path | None = None
    options: Callable[[Any], Mapping[str, str]] = lambda config: {}
    limits: ParserLimits = field(default_factory=ParserLimits)

    def runtimes(self) -> tuple[RuntimeKind, ...]:
        """The runtimes that are really there, best first."""
        found: list[RuntimeKind] = []
        if self.native is not None and self.native.exists():
            found.append(RuntimeKind.NATIVE)
        if self.wasm is not None and self.wasm.exists():
            found.append(RuntimeKind.WASM)
        if self.create is not None:
            found.append(RuntimeKind.PYTHON)
        return tuple(found)


Factory: TypeAlias = (
    CollectorFactory
    | EngineFactory
    | ParserFactory
    | TaggerFactory
    | StorageFactory
    | DialectFactory
    | ExporterFactory
    | ServiceFactory
    | ArtifactLoader
    | LinkRuleFactory
    | RefinerFactory
)
"""Any factory."""

Factories: TypeAlias = Iterable[Factory]

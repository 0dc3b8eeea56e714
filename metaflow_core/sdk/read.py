"""``read_pcap``: captures to tables, with no configuration, no server and no event loop."""

from __future__ import annotations

import stat
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from metaflow_core.api.factories import CollectorFactory, EngineFactory, FileSupport
from metaflow_core.api.identity import Kind, Stability
from metaflow_core.config import LoadedConfig, load_config, read_document
from metaflow_core.config.merge import merge
from metaflow_core.config.node import from_plain
from metaflow_core.errors import ConfigError, InputError, PluginError
from metaflow_core.hooks.host import PluginHost
from metaflow_core.sdk.capture import Capture
from metaflow_core.sdk.loading import open_host
from metaflow_core.sdk.replay import Progress
from metaflow_core.sdk.vocabulary import catalog_of

__all__ = ["read_pcap"]

_HEAD_BYTES = 16
_BEST_FIRST = (
    Stability.STABLE,
    Stability.BETA,
    Stability.ALPHA,
    Stability.DEVELOPMENT,
    Stability.DEPRECATED,
    Stability.UNMAINTAINED,
)


def read_pcap(
    paths: str | Path | Sequence[str | Path],
    *,
    filter: str | None = None,
    parsers: Sequence[str] | None = None,
    refiners: Sequence[str] = (),
    engine: str | None = None,
    collector: str | None = None,
    options: Mapping[str, Any] | None = None,
    plugins: Sequence[object] = (),
    autoload: bool = True,
    strict: bool = False,
    progress: Progress | None = None,
) -> Capture:
    """Open capture files. They are read when something is asked of the result.

    ::

        capture = read_pcap("x.pcap")
        for row in capture.requests().where("response_status = 'server_error'"):
            print(row["endpoint"], row["response_duration"])

    :param paths: files; several are merged by time. ``-`` is standard input, which can be read once.
    :param filter: a capture filter, e.g. ``tcp port 3306``.
    :param parsers: parser types in their order of priority; default all that are installed.
    :param refiners: refiners' types, in their order; none by default, for they cost time.
    :param engine: the flow engine's type; default the only one there is.
    :param collector: the type of the collector that reads them; default the one that takes such files.
    :param options: sections of a configuration for single components, ``{"parsers": {"http": {...}}}``.
    :param plugins: modules or objects that implement hooks. :param autoload: load the installed plugins too.
    :param strict: a plugin that cannot be used is an error.
    :param progress: told how far reading has come; see :data:`Progress`.
    :raises InputError: a file is missing, unreadable, or nothing that an installed collector reads.
    :raises PluginError: no installed plugin reads files. :raises ConfigError: an option is wrong.
    """
    names = tuple(str(path) for path in ([paths] if isinstance(paths, (str, Path)) else paths))
    if not names:
        raise InputError("no file was given; name at least one capture, or '-' for standard input")
    total = _total_bytes(names)
    extra = dict(options or {})
    document = read_document(extra)
    host = open_host(document, plugins=plugins, autoload=autoload, strict=strict)
    catalog = catalog_of(host)
    chosen, support = _collector(host, names, collector)
    pipeline: dict[str, Any] = {"collectors": [chosen], "parsers": list(parsers) if parsers is not None else ["*"]}
    if refiners:
        pipeline["refiners"] = list(refiners)
    if engine is not None:
        pipeline["engine"] = engine

    def load(explain: bool, tables: Collection[str] | None) -> LoadedConfig:
        base: dict[str, Any] = {
            "collectors": {chosen: dict(support.configure(list(names), filter))},
            "pipelines": {"read": pipeline},
        }
        asked = {**({"explain": True} if explain else {}), **({"tables": sorted(tables)} if tables else {})}
        if asked:
            base["engines"] = _asked(host, engine, asked)
        tree = merge(from_plain(base), document.tree)
        try:
            return load_config(read_document(_plain(tree.plain())), host)
        except ConfigError as error:
            # these options were arguments, not a file: say so without the word 'configuration'
            raise ConfigError(error.problems) from None

    load(False, None)
    return Capture(names, catalog, host, load, progress, total, engine)


def _plain(tree: object) -> dict[str, object]:
    assert isinstance(tree, dict)
    return tree


def _asked(host: PluginHost, engine: str | None, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of engines, for those that have such an option: ``explain`` (keep the history of inference), ``tables``
    (full names of the tables to make, the others are not looked at)."""
    wanted: dict[str, Any] = {}
    for name, factory in host.registry.factories(Kind.ENGINE).items():
        named = engine is None or engine.partition("/")[0] == name
        if named and isinstance(factory, EngineFactory):
            options = {key: value for key, value in asked.items() if key in factory.config.model_fields}
            if options:
                wanted[engine or name] = options
    return wanted


def _total_bytes(names: Sequence[str]) -> int | None:
    """The size of all files; sentences for those that are not there.

    :raises InputError: a file is missing, a folder, or may not be read.
    """
    total = 0
    is_known = True
    for name in names:
        if name == "-":
            is_known = False
            continue
        try:
            found = Path(name).stat()
        except FileNotFoundError:
            raise InputError(f"{name}: there is no such file") from None
        except OSError as error:
            raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
        if stat.S_ISDIR(found.st_mode):
            raise InputError(f"{name}: is a folder; give the capture files in it, e.g. {name.rstrip('/')}/*.pcap")
        is_known = is_known and stat.S_ISREG(found.st_mode)
        total += found.st_size
    return total if is_known else None


def _head(name: str) -> bytes | None:
    """The first bytes of a regular file; None where looking would take them away (standard input, a pipe)."""
    path = Path(name)
    if name == "-" or not stat.S_ISREG(path.stat().st_mode):
        return None
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except PermissionError:
        raise InputError(f"{name}: permission denied; you may not read this file") from None
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error


def _collector(host: PluginHost, names: Sequence[str], wanted: str | None) -> tuple[str, FileSupport]:
    """The collector that takes all of the files: by their first bytes, then by their names."""
    candidates = [
        (factory, factory.files)
        for factory in host.registry.factories(Kind.COLLECTOR).values()
        if isinstance(factory, CollectorFactory) and factory.files is not None
    ]
    candidates.sort(key=lambda each: (_BEST_FIRST.index(each[0].stability), each[0].type))
    if wanted is not None:
        for factory, support in candidates:
            if factory.type == wanted:
                return wanted, support
        known = ", ".join(factory.type for factory, _ in candidates) or "none"
        raise PluginError(f"no plugin offers a collector {wanted!r} that reads files; there are: {known}")
    if not candidates:
        raise PluginError(
            "no installed plugin reads capture files; install a collector that does ('mflow plugins list' shows what is there)"
        )
    heads = {name: _head(name) for name in names}
    for by in (_by_magic, _by_suffix):
        for factory, support in candidates:
            if all(by(support, name, heads[name]) for name in names):
                return factory.type, support
    strange = next(
        (n for n in names if not any(_by_magic(s, n, heads[n]) or _by_suffix(s, n, heads[n]) for _, s in candidates)),
        "",
    )
    read_by = "; ".join(f"{factory.type} reads {', '.join(support.suffixes)}" for factory, support in candidates)
    if not strange:
        raise InputError(
            f"the files are of several kinds that no one collector reads together; read them apart ({read_by})"
        )
    head = heads[strange] or b""
    begins = f"begins with {head[:4].hex(' ')}" if head else "is empty"
    raise InputError(f"{strange}: {begins}, which no installed collector reads; {read_by}")


def _by_magic(support: FileSupport, name: str, head: bytes | None) -> bool:
    return bool(support.magics) if head is None else head.startswith(support.magics)


def _by_suffix(support: FileSupport, name: str, head: bytes | None) -> bool:
    return head is None or name.lower().endswith(support.suffixes)

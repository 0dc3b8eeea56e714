"""Every error that MetaFlow raises on purpose, in one tree.

::

    MetaFlowError
    ├── ConfigError            the configuration is wrong; carries every located problem at once
    ├── PluginError            a plugin cannot be used
    │   ├── PluginLoadError        it fails to import or to register
    │   ├── IncompatiblePlugin     it was made for another version of the plugin interface
    │   └── DuplicateComponent     two plugins offer the same component
    ├── ComponentError         a component cannot be built, started or kept running
    │   ├── StartError             it could not start
    │   ├── UnavailableError       this machine lacks what it needs (a privilege, a kernel feature, a library)
    │   └── ResourceConflict       it wants a port or file that another one has
    ├── ParseError             bytes are not what they claim to be
    ├── QueryError             a question cannot be answered
    │   ├── QuerySyntaxError       it is not well-formed; carries the column
    │   └── UnsupportedQuery       it is well-formed but nothing here can answer it
    ├── StorageError           a store cannot be read or written
    │   └── UnwritableStore        its disk is full or read-only; nothing in it is damaged
    └── InputError             a file or stream given by the user cannot be read

Messages are sentences for the person who must act: where, what was found, what was expected, what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "ComponentError",
    "ConfigError",
    "DuplicateComponent",
    "IncompatiblePlugin",
    "InputError",
    "MetaFlowError",
    "ParseError",
    "PluginError",
    "PluginLoadError",
    "Problem",
    "QueryError",
    "QuerySyntaxError",
    "ResourceConflict",
    "StartError",
    "StorageError",
    "UnavailableError",
    "UnsupportedQuery",
    "UnwritableStore",
]


class MetaFlowError(Exception):
    """The root: catching it catches everything that MetaFlow raises on purpose.

    :cvar code: a short stable name for machines (``--json``) and for the page of error codes in the reference.
    """

    code = "error"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration, with the place it stands at.

    :ivar path: dotted path of the option, e.g. ``parsers.mysql.max_statement_bytes``; empty for the whole file.
    :ivar message: a sentence: what was found, what is allowed, the nearest right name.
    :ivar file: name of the file, or None where the configuration did not come from a file.
    :ivar line: line in that file, counted from 1.
    """

    path: str
    message: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = self.file or ""
        if self.line is not None:
            place = f"{place}:{self.line}"
        return ": ".join(part for part in (place, self.path, self.message) if part)


class ConfigError(MetaFlowError):
    """The configuration is wrong. :attr:`problems` holds every mistake, not only the first."""

    code = "config"

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class PluginError(MetaFlowError):
    """A plugin cannot be used."""

    code = "plugin"


class PluginLoadError(PluginError):
    """A plugin fails to import, misspells a hook or returns what the hook does not allow."""

    code = "plugin-load"


class IncompatiblePlugin(PluginError):
    """A plugin was made for another version of the plugin interface."""

    code = "plugin-incompatible"


class DuplicateComponent(PluginError):
    """Two plugins offer a component of the same kind and type."""

    code = "plugin-duplicate"


class ComponentError(MetaFlowError):
    """A component cannot be built, started or kept running."""

    code = "component"


class StartError(ComponentError):
    """A component could not start."""

    code = "start"


class UnavailableError(ComponentError):
    """This machine lacks what a component needs: a privilege, a kernel feature, a library, a program."""

    code = "unavailable"


class ResourceConflict(ComponentError):
    """Two components want the same port, file or device."""

    code = "resource-conflict"


class ParseError(MetaFlowError):
    """Bytes are not what they claim to be."""

    code = "parse"


class QueryError(MetaFlowError):
    """A question cannot be answered."""

    code = "query"


class QuerySyntaxError(QueryError):
    """A question is not well-formed.

    :ivar column: where the mistake is, counted from 1 in the text of the question; None when unknown.
    """

    code = "query-syntax"

    def __init__(self, message: str, column: int | None = None) -> None:
        self.column = column
        super().__init__(message if column is None else f"column {column}: {message}")


class UnsupportedQuery(QueryError):
    """A question is well-formed, but nothing here can answer it."""

    code = "query-unsupported"


class StorageError(MetaFlowError):
    """A store cannot be read or written."""

    code = "storage"


class UnwritableStore(StorageError):
    """A store takes nothing more because its disk is full or read-only; nothing in it is damaged.

    What stands in its way at the start is raised from one: look for it among the causes of a :class:`StartError`.
    """

    code = "storage-unwritable"


class InputError(MetaFlowError):
    """A file or stream given by the user cannot be read."""

    code = "input"

"""The file of known edges: written once, looked at in every run, read by people in reviews."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from metaflow_check.measure.edges import Edge
from metaflow_core.errors import ConfigError, InputError, Problem

__all__ = ["read_baseline", "write_baseline"]

_VERSION = 1


def write_baseline(path: Path, edges: Mapping[Edge, int]) -> None:
    """Write edges, sorted, one a line, so that a difference between two files shows what is new.

    :raises InputError: it cannot be written.
    """
    lines = [
        json.dumps({"client": client, "server": server, "protocol": protocol}, ensure_ascii=False)
        for client, server, protocol in sorted(edges)
    ]
    body = ",\n  ".join(lines)
    text = (
        f'{{"version": {_VERSION}, "edges": [\n  {body}\n]}}\n'
        if lines
        else f'{{"version": {_VERSION}, "edges": []}}\n'
    )
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error


def read_baseline(path: Path, where: Problem) -> dict[Edge, int]:
    """The edges of a file.

    :param where: the check that names it, for mistakes.
    :raises ConfigError: it cannot be read, or is no baseline.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != _VERSION:
            raise ValueError(f"its version is {document['version']!r}, this MetaFlow knows {_VERSION}")
        return {(str(e["client"]), str(e["server"]), str(e["protocol"])): 0 for e in document["edges"]}
    except FileNotFoundError:
        said = f"{path}: there is no such file; make it with: mflow check FILE --write-baseline {path}"
    except OSError as error:
        said = f"{path}: cannot be read: {error.strerror or error}"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        said = f"{path} is no baseline as --write-baseline makes it: {error}"
    raise ConfigError([Problem(where.path, said, where.file, where.line)])

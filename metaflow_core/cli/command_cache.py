"""Which commands the installed plugins add, remembered so that ``mflow --help`` need not import every plugin.

The key is the list of installed plugins with their versions; any change of it makes a new entry. The file holds names
and one-line texts, nothing that is executed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import sys
from pathlib import Path

__all__ = ["CommandCache"]

_GROUP = "metaflow.plugins.v1"


class CommandCache:
    """Names and summaries of plugins' commands."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "metaflow"

    def names(self) -> list[str]:
        """Names of the commands that plugins add."""
        return list(self.summaries())

    def summaries(self) -> dict[str, str]:
        """Name -> one line. Loads the plugins once after each change of what is installed."""
        path = self._folder / f"commands-{self._key()}.json"
        try:
            cached = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            cached = None
        if isinstance(cached, dict) and all(isinstance(value, str) for value in cached.values()):
            return cached
        found = self._load()
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_text(json.dumps(found), encoding="utf-8")
            temporary.replace(path)
        return found

    @staticmethod
    def _load() -> dict[str, str]:
        from metaflow_core.cli.root import plugin_commands

        commands = plugin_commands(warn=False)
        return {name: command.get_short_help_str(limit=80) for name, command in sorted(commands.items())}

    @staticmethod
    def _key() -> str:
        parts = [sys.executable, os.environ.get("METAFLOW_DISABLE_PLUGINS", "")]
        for point in importlib.metadata.entry_points(group=_GROUP):
            version = point.dist.version if point.dist is not None else ""
            parts.append(f"{point.name}={point.value}@{version}")
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]

"""What the configuration says of processes: other names, and tags of the user's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from metaflow_tagger_process.config import ProcessRule
from metaflow_tagger_process.processes import Process

__all__ = ["Ruling"]


class Ruling:
    """Rules, applied in their order to a process that was read.

    The first that matches and has a name gives the name; tags of all that match are put together, those of earlier rules first.
    """

    def __init__(self, rules: Sequence[ProcessRule]) -> None:
        self._rules = [(re.compile(rule.match), rule) for rule in rules]

    def apply(self, process: Process, parent: Process | None) -> Process:
        """The process as it is to be called and tagged. :param parent: None when it is not known."""
        if process.helper and parent is not None:
            process = replace(process, name=parent.name)
        name, tags = process.name, dict(process.tags)
        for pattern, rule in self._rules:
            found = pattern.search(_text(process, parent, rule.of))
            if not found:
                continue
            if rule.name and name == process.name:
                name = found.expand(rule.name) or name
            for key, value in rule.tags.items():
                tags.setdefault(key, found.expand(value))
        return replace(process, name=name, tags=tuple(tags.items())) if (name, tags) != (process.name, {}) else process


def _text(process: Process, parent: Process | None, of: str) -> str:
    if of == "parent":
        return parent.name if parent else ""
    return {"name": process.name, "command_line": process.command_line, "unit": process.owner.unit}[of]

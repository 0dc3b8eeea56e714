"""What things are called: kinds of components, their types and ids, and how finished they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["TYPE_PATTERN", "ComponentId", "Kind", "Stability"]

TYPE_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}\Z")


class Kind(StrEnum):
    """What a component does; the value is the singular noun, :attr:`section` the name of its part of the configuration."""

    COLLECTOR = "collector"
    ENGINE = "engine"
    PARSER = "parser"
    TAGGER = "tagger"
    STORAGE = "storage"
    DIALECT = "dialect"
    EXPORTER = "exporter"
    SERVICE = "service"
    LOADER = "loader"
    LINK_RULE = "link_rule"
    REFINER = "refiner"

    @property
    def section(self) -> str:
        """The configuration section of this kind, e.g. ``storages``."""
        return f"{self.value}s"


class Stability(StrEnum):
    """How far a component's options and output can be relied upon (the OpenTelemetry Collector's levels)."""

    DEVELOPMENT = "development"
    ALPHA = "alpha"
    BETA = "beta"
    STABLE = "stable"
    DEPRECATED = "deprecated"
    UNMAINTAINED = "unmaintained"


@dataclass(frozen=True, slots=True, order=True)
class ComponentId:
    """``type`` or ``type/name``: the identity of a component inside its section of the configuration.

    :ivar type: the factory it is built from, ``^[a-z][a-z0-9_]{0,62}$``.
    :ivar name: tells apart several components of one type; empty for the only one.
    """

    type: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> ComponentId:
        """Read ``type[/name]``.

        :raises ValueError: with a sentence, when the text is not of that form.
        """
        kind, slash, name = text.partition("/")
        if not TYPE_PATTERN.match(kind):
            raise ValueError(
                f"{text!r} is not a component id: the type must be lower case letters, digits and underscores, "
                "beginning with a letter (as in 'http' or 'clickhouse/main')"
            )
        if slash and not _NAME_PATTERN.match(name):
            raise ValueError(
                f"{text!r} is not a component id: the name after '/' must be letters, digits, '_', '.' or '-' "
                "(as in 'clickhouse/main')"
            )
        return cls(kind, name)

    def __str__(self) -> str:
        return f"{self.type}/{self.name}" if self.name else self.type

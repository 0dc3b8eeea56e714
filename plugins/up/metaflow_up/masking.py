"""What of live traffic is not kept: parsers that can leave out what statements and stored values hold are told to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from metaflow_core.api import Kind
from metaflow_core.hooks.host import PluginHost

if TYPE_CHECKING:
    from metaflow_core import App

__all__ = ["mask_values", "masked"]

_OPTION = "obfuscate"
_WORD = "values"
"""Of options that have words: these leave out values too."""


def mask_values(host: PluginHost, config: dict[str, Any]) -> None:
    """Turn on ``parsers.NAME.obfuscate`` of every installed parser that has it."""
    for name, factory in host.factories(Kind.PARSER).items():
        field = factory.config.model_fields.get(_OPTION)
        if field is not None:
            config.setdefault("parsers", {})[name] = {_OPTION: True if field.annotation is bool else _WORD}


def masked(app: App) -> Iterator[tuple[str, str]]:
    """A line of the block at the start, where anything is masked."""
    names = [
        str(each.id) for each in app.config.of_kind(Kind.PARSER) if _is_masked(getattr(each.config, _OPTION, None))
    ]
    if names:
        yield "privacy", f"literals and stored values become ? ({', '.join(sorted(names))}); --keep-values keeps them"


def _is_masked(option: object) -> bool:
    return option is True or option == _WORD

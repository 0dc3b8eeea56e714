"""Options and parser descriptions in the engine's own words: ``key=value`` lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from metaflow_engine_flow.interface import EngineError

if TYPE_CHECKING:
    from metaflow_core.api import ParserDescription

Option = str | int | bool


def option_lines(options: Mapping[str, Option]) -> bytes:
    """Engine options as the text that ``mfe_new`` takes; true and false become 1 and 0."""
    return _lines({key: int(value) if isinstance(value, bool) else value for key, value in options.items()})


def description_lines(description: ParserDescription, options: Mapping[str, str]) -> bytes:
    """A parser description as the text that ``mfe_add_parser`` takes.

    :param options: for the parser's own ``mf_configure``.
    """
    values: dict[str, Option] = {
        "name": description.name,
        "protocols": ",".join(f"{number}:{name}" for number, name in description.protocols),
        "transports": ",".join(description.transports),
        "ports": ",".join(_ranges(description.ports)),
        "magics": ",".join(magic.hex() for magic in description.magics),
        "session_timeout_ms": description.session_timeout_ms,
        "pairing": str(description.pairing),
        "max_check_segments": description.max_check_segments,
        "ciphertext": int(description.ciphertext),
    }
    values.update((f"option.{key}", value) for key, value in options.items())
    return _lines(values)


def _lines(values: Mapping[str, Option]) -> bytes:
    for key, value in values.items():
        if "\n" in f"{key}{value}":
            raise EngineError(
                f"the option {key!r} has a line break in it, which the engine's options cannot hold: {value!r}"
            )
    return "".join(f"{key}={value}\n" for key, value in values.items()).encode()


def _ranges(ports: tuple[int, ...]) -> list[str]:
    """Ports as ranges, so that 1..65535 is short."""
    ranges: list[list[int]] = []
    for port in sorted(set(ports)):
        if ranges and ranges[-1][1] == port - 1:
            ranges[-1][1] = port
        else:
            ranges.append([port, port])
    return [str(low) if low == high else f"{low}-{high}" for low, high in ranges]

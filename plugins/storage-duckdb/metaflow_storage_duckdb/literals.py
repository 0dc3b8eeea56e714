"""The only place where a value or a name becomes SQL text."""

from __future__ import annotations

import math

from metaflow_core.errors import QueryError

__all__ = ["blob", "boolean", "identifier", "integer", "real", "text"]


def identifier(name: str) -> str:
    """A quoted name. Only names of the catalogue come here; names that a person chose never enter SQL.

    :raises QueryError: it holds a character that no name can hold.
    """
    if "\0" in name or not name:
        raise QueryError(f"{name!r} cannot be the name of a table or column")
    return '"' + _encodable(name).replace('"', '""') + '"'


def text(value: str) -> str:
    """A text. DuckDB's plain literals know one special character, the quote; NUL ends a statement, so it is spelt as a call."""
    parts = ["'" + part.replace("'", "''") + "'" for part in _encodable(value).split("\0")]
    return f"({' || chr(0) || '.join(parts)})" if len(parts) > 1 else parts[0]


def _encodable(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"{value!r} holds half a character and cannot be looked for") from error
    return value


def blob(value: bytes) -> str:
    """Bytes, by their hexadecimal digits."""
    return f"unhex('{value.hex()}')"


def integer(value: int, type_: str = "BIGINT") -> str:
    """A whole number of a type whose bounds the caller knows."""
    return f"CAST({int(value)} AS {type_})"


def real(value: float) -> str:
    """A real of 64 bits, exactly."""
    shown = repr(float(value)) if math.isfinite(value) else str(float(value))
    return f"CAST('{shown}' AS DOUBLE)"


def boolean(value: bool) -> str:
    """True or false."""
    return "true" if value else "false"

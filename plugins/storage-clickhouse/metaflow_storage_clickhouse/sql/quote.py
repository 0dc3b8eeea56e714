"""Names and constants as SQL text that nothing can break out of. No other module writes a quote."""

from __future__ import annotations

import math

from metaflow_core.errors import QueryError

__all__ = ["identifier", "literal", "table_name", "text"]

_SPECIAL = {
    "\\": "\\\\",
    "'": "\\'",
    "`": "\\`",
    "\0": "\\0",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\f": "\\f",
}
_ESCAPES = str.maketrans(_SPECIAL)


def text(value: str) -> str:
    """A text in single quotes. Every character that ClickHouse's lexer or a C string could take for an end is escaped.

    :raises QueryError: the text holds half a surrogate pair, which UTF-8 cannot express.
    """
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"{value!r} is no valid Unicode text; remove the lone surrogate") from error
    return f"'{value.translate(_ESCAPES)}'"


def identifier(name: str) -> str:
    """A name in backquotes."""
    return f"`{text(name)[1:-1]}`"


def table_name(full: str) -> str:
    """``database.table.precision`` as two quoted names: the database ends at the first dot."""
    database, _, table = full.partition(".")
    return f"{identifier(database)}.{identifier(table)}"


def literal(value: bool | int | float | str | bytes | None) -> str:  # noqa: PYI041 - int and float are told apart here
    """A constant as an expression of a type that does not depend on its size.

    :raises QueryError: a whole number does not fit 64 bits.
    """
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() if -(1 << 63) <= value < 1 << 63:
            return f"toInt64({value})" if value > -(1 << 63) else "toInt64('-9223372036854775808')"
        case int() if 0 <= value < 1 << 64:
            return f"toUInt64({value})"
        case int():
            raise QueryError(f"{value} is beyond whole numbers of 64 bits")
        case float():
            return f"toFloat64('{value}')" if not math.isfinite(value) else f"toFloat64({value!r})"
        case bytes():
            return f"unhex('{value.hex()}')"
        case str():
            return text(value)

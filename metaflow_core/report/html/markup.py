"""Writing markup. Every text goes through :func:`text`; there is no other way into the page."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["Markup", "cut", "element", "join", "table", "text"]


class Markup(str):
    """Text that is markup already. Made by this module only."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Any text as it is read: escaped, without control characters and without marks that turn the direction of reading."""
    raw = str(value)
    clean = raw if raw.isprintable() else "".join(char if char.isprintable() else "·" for char in raw)
    return Markup(html.escape(clean, quote=True))


def cut(value: object, most: int = 120) -> str:
    """Text of bounded length."""
    raw = str(value)
    return raw if len(raw) <= most else f"{raw[: most - 1]}…"


def element(name: str, *children: str | Markup, **attributes: object) -> Markup:
    """An element; children that are no markup are escaped, ``class_`` is ``class``, ``stroke_width`` is ``stroke-width``."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def join(parts: Iterable[str | Markup]) -> Markup:
    """Parts one after another."""
    return Markup("".join(part if isinstance(part, Markup) else text(part) for part in parts))


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Markup]], *, right: Sequence[str] = ()) -> Markup:
    """A table; the columns named in ``right`` hold numbers."""
    sides = ["right" if name in right else None for name in columns]
    head = join(element("th", name, class_=side, scope="col") for name, side in zip(columns, sides, strict=True))
    body = join(
        element("tr", join(element("td", cell, class_=side) for cell, side in zip(row, sides, strict=True)))
        for row in rows
    )
    inner = element("table", element("thead", element("tr", head)), element("tbody", body))
    return element("div", inner, class_="scroll")

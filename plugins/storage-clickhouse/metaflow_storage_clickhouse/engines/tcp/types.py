"""Names of ClickHouse's types, taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

__all__ = ["Spec", "parse_type"]

_ALIASES = MappingProxyType(
    {
        "Point": "Tuple(Float64, Float64)",
        "Ring": "Array(Point)",
        "LineString": "Array(Point)",
        "Polygon": "Array(Ring)",
        "MultiLineString": "Array(LineString)",
        "MultiPolygon": "Array(Polygon)",
    }
)
_PRECISIONS = MappingProxyType({"Decimal32": 9, "Decimal64": 18, "Decimal128": 38, "Decimal256": 76})


@dataclass(frozen=True, slots=True)
class Spec:
    """A type.

    :ivar name: without what is in brackets. :ivar inner: the types in brackets. :ivar names: of a tuple's elements, where it has some.
    :ivar words: what is in brackets and no type: lengths, precisions, zones.
    """

    name: str
    inner: tuple[Spec, ...] = ()
    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def nullable(self) -> bool:
        """Whether a value may be missing."""
        return self.name in ("Nullable", "Nothing") or (self.name == "LowCardinality" and self.inner[0].nullable)


@lru_cache(maxsize=4096)
def parse_type(text: str, zone: str) -> Spec:
    """``Map(String, Array(Nullable(UInt8)))`` as a tree.

    Aliases of geometry and names that are only shown (``SimpleAggregateFunction``, ``Nested``) stand as what is sent for them.

    :param zone: of a ``DateTime64`` that names none.
    :raises ValueError: its brackets do not close.
    """
    text = _ALIASES.get(text.strip(), text.strip())
    name, opened, rest = text.partition("(")
    if not opened:
        return Spec(name)
    if not rest.endswith(")"):
        raise ValueError(f"the type {text[:200]!r} does not end with its bracket")
    words = _split(rest[:-1])
    match name:
        case "Nullable" | "LowCardinality" | "Array":
            return Spec(name, (parse_type(rest[:-1], zone),))
        case "SimpleAggregateFunction":
            return parse_type(words[-1], zone)
        case "Map":
            return Spec(
                "Array", (Spec("Tuple", tuple(parse_type(each, zone) for each in words), ("key", "value")),), ("map",)
            )
        case "Tuple":
            return _tuple(words, zone)
        case "Nested":
            return Spec("Array", (_tuple(words, zone),))
        case "Decimal32" | "Decimal64" | "Decimal128" | "Decimal256":
            return Spec("Decimal", words=(str(_PRECISIONS[name]), words[-1]))
        case "DateTime64" if len(words) == 1:
            return Spec(name, words=(words[0].strip(), zone))
        case _:
            return Spec(name, words=tuple(word.strip().strip("'") for word in words))


def _tuple(words: list[str], zone: str) -> Spec:
    parts = [_named(word) for word in words]
    shown = tuple(name or str(at + 1) for at, (name, _) in enumerate(parts))
    return Spec("Tuple", tuple(parse_type(type_, zone) for _, type_ in parts), shown)


def _named(word: str) -> tuple[str, str]:
    """The name of an element, or nothing, and its type."""
    word = word.strip()
    if word.startswith("`"):
        end = word.index("`", 1)
        return word[1:end], word[end + 1 :]
    head, blank, rest = word.partition(" ")
    return (head, rest) if blank and "(" not in head and "'" not in head else ("", word)


def _split(text: str) -> list[str]:
    """Parts between commas that are in no bracket and no quotes."""
    parts, depth, quoted, start, at = [], 0, "", 0, 0
    while at < len(text):
        character = text[at]
        if quoted:
            if character == "\\":
                at += 1
            elif character == quoted:
                quoted = ""
        elif character in "'`":
            quoted = character
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "," and not depth:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]]

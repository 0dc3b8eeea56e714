"""Names for ids: what :class:`~metaflow_core.query.plan.Resolve` shows."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.model.catalog.decode import address_text
from metaflow_core.model.expression import parse_expression
from metaflow_core.query import Resolution, Resolve
from metaflow_core.query.columns import Frame, mask, plain

__all__ = ["Names"]


class Names:
    """Dictionaries by name, each from id to name."""

    def __init__(self) -> None:
        self._names: dict[str, dict[int, str]] = {}

    def learn(self, dictionary: str, names: Mapping[int, str]) -> None:
        """Adds names to a dictionary; a name of an id that has one replaces it."""
        self._names.setdefault(dictionary, {}).update(names)

    def resolve(self, node: Resolve, frame: Frame) -> Frame:
        """The frame with a column of texts for every tag."""
        added = {each.name: self._one(each, frame) for each in node.outputs}
        return Frame(frame.rows, {**frame.arrays, **added}, frame.columns)

    def _one(self, wanted: Resolution, frame: Frame) -> pa.Array:
        tag = wanted.tag
        ids = [name for name in tag.key if name.removesuffix(f"_{tag.end}").endswith("_id")]
        if tag.kind == "ip":
            return _address(tag.key, frame)
        known = self._names.get(tag.dictionary, {})
        if tag.kind == "map":
            texts = [_map_text(known.get(value, ""), wanted.key) for value in frame.arrays[ids[0]].to_pylist()]
            return pa.array(texts, pa.utf8())
        # An id that nobody named is shown as a number; 0 stands for no resource.
        encoded = plain(frame.arrays[ids[-1]]).dictionary_encode()
        names = [known.get(value, str(value) if value else "") for value in encoded.dictionary.to_pylist()]
        text = pa.array(names, pa.utf8()).take(encoded.indices)
        if tag.when:
            text = pc.if_else(mask(parse_expression(tag.when), frame).fill_null(False), text, "")
        if len(tag.key) > 2:
            # The owner of an address that belongs to nothing known is the address itself.
            unknown = pc.and_(pc.equal(text, ""), pc.equal(plain(frame.arrays[ids[-1]]), 0))
            text = pc.if_else(unknown, _address(tag.key[-3:], frame), text)
        return text


def _address(key: tuple[str, ...], frame: Frame) -> pa.Array:
    four, six, family = key
    return pc.if_else(
        frame.arrays[family], address_text(frame.arrays[four], "ip4"), address_text(frame.arrays[six], "ip6")
    )


def _map_text(text: str, key: str) -> str:
    """A map is learnt as a JSON object; one key of it, or all."""
    if not key or not text:
        return text
    value = json.loads(text).get(key, "")
    return value if isinstance(value, str) else json.dumps(value)

"""Names for ids, as they were at the row's time: what :class:`~metaflow_core.query.plan.Resolve` shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metaflow_core.model.catalog.decode import address_text
from metaflow_core.model.expression import parse_expression
from metaflow_core.query import Histories, Resolution, Resolve
from metaflow_core.query.columns import Frame, mask, plain
from metaflow_storage_memory.series import Series

__all__ = ["Names"]


class Names:
    """Dictionaries by name, each from id and time to name; labels of series are in theirs.

    :param series: the labels of series.
    """

    def __init__(self, series: Series) -> None:
        self._series = series
        self._histories = Histories()
        self.changed = self._histories.changed

    def learn(self, dictionary: str, names: Mapping[int, str], valid_from_s: int | None = None) -> None:
        """Adds names to a dictionary; see :meth:`metaflow_core.query.Histories.learn`."""
        self._histories.learn(dictionary, names, valid_from_s)

    def resolve(self, node: Resolve, frame: Frame, seconds: pa.Array | None, second: int) -> Frame:
        """The frame with a column of texts for every tag.

        :param seconds: the time of each row; None where rows have none. :param second: the time of all of them then.
        """
        added = {each.name: self._one(each, frame, seconds, second) for each in node.outputs}
        return Frame(frame.rows, {**frame.arrays, **added}, frame.columns)

    def _one(self, wanted: Resolution, frame: Frame, seconds: pa.Array | None, second: int) -> pa.Array:
        tag = wanted.tag
        ids = [name for name in tag.key if name.removesuffix(f"_{tag.end}").endswith("_id")]
        if tag.kind == "ip":
            return _address(tag.key, frame)

        def texts(column: str, shown: Callable[[int, str | None], str]) -> pa.Array:
            encoded = plain(frame.arrays[column]).dictionary_encode()
            numbers = encoded.dictionary.to_pylist()
            if self._series.holds(tag.dictionary):
                held = [((0, each),) if (each := self._series.text(number)) else () for number in numbers]
                return _texts(encoded, numbers, held, shown, None, second)
            histories = [self._histories.of(tag.dictionary, number) for number in numbers]
            return _texts(encoded, numbers, histories, shown, seconds, second)

        if tag.kind == "map":
            return texts(ids[0], lambda _, name: _map_text(name or "", wanted.key))
        # An id that nobody named is shown as a number; 0 stands for no resource.
        text = texts(ids[-1], lambda number, name: (str(number) if number else "") if name is None else name)
        if tag.when:
            text = pc.if_else(mask(parse_expression(tag.when), frame).fill_null(False), text, "")
        if len(tag.key) > 2:
            # The owner of an address that belongs to nothing known is the address itself.
            unknown = pc.and_(pc.equal(text, ""), pc.equal(plain(frame.arrays[ids[-1]]), 0))
            text = pc.if_else(unknown, _address(tag.key[-3:], frame), text)
        return text


def _texts(
    encoded: pa.DictionaryArray,
    numbers: Sequence[int],
    histories: Sequence[Sequence[tuple[int, str]]],
    shown: Callable[[int, str | None], str],
    seconds: pa.Array | None,
    second: int,
) -> pa.Array:
    """The text of each row: all texts of all numbers behind one another, and the place of each row's own."""
    if seconds is None or all(len(each) < 2 for each in histories):
        at = [max((place for place, (start, _) in enumerate(each) if start <= second), default=0) for each in histories]
        names = [
            shown(number, each[place][1] if each else None)
            for number, each, place in zip(numbers, histories, at, strict=True)
        ]
        return pa.array(names, pa.utf8()).take(encoded.indices)
    flat: list[str] = []
    bases: list[int] = []
    for number, each in zip(numbers, histories, strict=True):
        bases.append(len(flat))
        flat += [shown(number, name) for _, name in each] or [shown(number, None)]
    codes = np.asarray(encoded.indices)
    places, moments = np.array(bases)[codes], np.asarray(seconds.cast(pa.int64()))
    for code, each in enumerate(histories):
        if len(each) > 1:
            rows = np.flatnonzero(codes == code)
            starts = np.array([start for start, _ in each])
            places[rows] += np.maximum(np.searchsorted(starts, moments[rows], "right") - 1, 0)
    return pa.array(flat, pa.utf8()).take(pa.array(places))


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

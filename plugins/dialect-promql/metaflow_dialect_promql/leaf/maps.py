"""Labels from map tags: ``k8s_label_app_0`` is the key ``app`` of the labels of the client's pod, ``k8s.label.app_0`` in SQL.

Characters of a key that a label's name cannot have are ``_``, as Prometheus writes labels of targets: the key
``app.kubernetes.io/name`` is meant by ``k8s_label_app_kubernetes_io_name_0``. Series have such labels only where the question
names them: a pod has dozens, and nobody wants all of them on every series.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metaflow_core.model.catalog.values import Table
from metaflow_dialect_promql.labels import Labels
from metaflow_dialect_promql.values import Floats, Ints

__all__ = ["MapLabel", "as_map", "map_labels", "merged", "words"]

_WORD = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OTHER = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True)
class MapLabel:
    """One key of a map tag as a label.

    :ivar name: the tag, which reads as all its keys. :ivar key: the key as the label's name has it.
    """

    name: str
    key: str

    def of(self, pairs: Mapping[str, Any]) -> str:
        """The key's value, ``""`` without it. Of several keys that read alike the exact one counts, else the first by name."""
        if self.key in pairs:
            return str(pairs[self.key])
        alike = [key for key in pairs if _OTHER.sub("_", key) == self.key]
        return str(pairs[min(alike)]) if alike else ""


def words(text: str) -> frozenset[str]:
    """All that may be the name of a label in a question's text."""
    return frozenset(_WORD.findall(text))


def map_labels(mentioned: Iterable[str], table: Table) -> dict[str, MapLabel]:
    """Those of the names that mean a key of one of the table's map tags."""
    maps = [(tag, f"{tag.base or tag.name}_".replace(".", "_")) for tag in table.tags if tag.kind == "map"]
    found: dict[str, MapLabel] = {}
    for name in mentioned:
        for tag, prefix in maps:
            suffix = "" if tag.end is None else f"_{tag.end}"
            key = name[len(prefix) : len(name) - len(suffix)]
            if key and name == f"{prefix}{key}{suffix}":
                found[name] = MapLabel(tag.name, key)
    return found


def as_map(value: object) -> Mapping[str, Any]:
    """What a storage says of all keys of a map tag: an object of JSON, or nothing."""
    if isinstance(value, str) and value:
        try:
            pairs = json.loads(value)
        except ValueError:
            return {}
        return pairs if isinstance(pairs, dict) else {}
    return {}


def merged(
    labels: Sequence[Labels], series: Ints, moments: Ints, values: Floats, function: str
) -> tuple[list[Labels], Ints, Ints, Floats]:
    """Rows of series that differ in nothing but keys that were not asked for, as one series.

    :param function: ``Sum``, ``Max`` or ``Avg``: how values at one moment become one.
    """
    places: dict[Labels, int] = {}
    place = np.array([places.setdefault(each, len(places)) for each in labels], np.int64)
    if len(places) == len(labels):
        return list(labels), series, moments, values
    pairs, rows = np.unique(np.stack((place[series], moments)), axis=1, return_inverse=True)
    rows = rows.reshape(-1)
    out: Floats
    if function == "Max":
        out = np.full(pairs.shape[1], -np.inf)
        np.maximum.at(out, rows, values)
    else:
        out = np.bincount(rows, values, pairs.shape[1]).astype(np.float64)
        if function == "Avg":
            out = out / np.bincount(rows, minlength=pairs.shape[1])
    return list(places), pairs[0], pairs[1], out

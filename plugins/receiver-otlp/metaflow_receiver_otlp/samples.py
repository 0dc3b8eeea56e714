"""Samples while they are gathered, as rows of ``prometheus.samples``."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
import pyarrow as pa

__all__ = ["EXEMPLAR", "METADATA", "STALE", "TABLE", "Samples"]

TABLE = "prometheus.samples"
METADATA = "__metadata__"
EXEMPLAR = "__exemplar__"
STALE: float = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
"""The NaN that says: this series ends here."""


def _series_id(name: str, labels: tuple[tuple[str, str], ...]) -> int:
    """BLAKE2b with 64 bits over names and values, each with a zero byte behind, sorted by name."""
    pairs = sorted((("__name__", name), *labels))
    told = "".join(f"{key}\0{value}\0" for key, value in pairs)
    return int.from_bytes(blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


class Samples:
    """Rows of samples; labels are kept once a series."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
        self._index: list[int] = []
        self._times_us: list[int] = []
        self._values: list[float] = []

    def __len__(self) -> int:
        return len(self._index)

    def add(self, name: str, labels: Mapping[str, str], time_ns: int, value: float) -> None:
        """One sample. An empty label is the same as none."""
        kept = tuple(sorted((key, told) for key, told in labels.items() if told and key != "__name__"))
        self._index.append(self._series.setdefault((name, kept), len(self._series)))
        self._times_us.append(time_ns // 1000)
        self._values.append(value)

    def batch(self) -> pa.RecordBatch:
        """The rows, exactly as they were added."""
        index = pa.array(self._index, pa.int32())
        lists = pa.list_(pa.utf8())
        names = pa.array([name for name, _ in self._series], pa.utf8()).dictionary_encode()
        label_names = pa.array([[key for key, _ in labels] for _, labels in self._series], lists)
        label_values = pa.array([[told for _, told in labels] for _, labels in self._series], lists)
        ids = pa.array(np.array([_series_id(*each) for each in self._series], np.uint64))
        return pa.RecordBatch.from_pydict(
            {
                "timestamp": pa.array(self._times_us, pa.int64()).cast(pa.timestamp("us", "UTC")),
                "metric_name": pa.DictionaryArray.from_arrays(names.indices.take(index), names.dictionary),
                "label_names": label_names.take(index),
                "label_values": label_values.take(index),
                "series_id": ids.take(index),
                "value": pa.array(self._values, pa.float64()),
            }
        )

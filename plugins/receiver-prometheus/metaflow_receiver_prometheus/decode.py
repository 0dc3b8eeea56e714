"""Messages of either version as rows of ``prometheus.samples``."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa

from metaflow_core.errors import ParseError
from metaflow_receiver_prometheus.wire import messages

__all__ = ["EXEMPLAR", "METADATA", "Decoder", "Received", "series_id"]

EXEMPLAR = "__exemplar__"
METADATA = "__metadata__"
_METRIC_TYPES = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")
# Microseconds have to fit 64 bits; a moment beyond (year 294,000) is a mistake of the sender.
_MAX_MS = (1 << 63) // 1000 - 1

Labels = tuple[tuple[str, str], ...]


def series_id(labels: Labels) -> int:
    """The hash that a series is known by: BLAKE2b with 64 bits over names and values, each with a zero byte behind."""
    text = "".join(f"{name}\0{value}\0" for name, value in labels)
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


@dataclass(slots=True)
class Received:
    """What one request holds.

    :ivar refused: why series were not taken: reason -> how many samples, exemplars and histograms.
    """

    ids: array[int] = field(default_factory=lambda: array("Q"))
    names: list[str] = field(default_factory=list)
    label_names: list[list[str]] = field(default_factory=list)
    label_values: list[list[str]] = field(default_factory=list)
    lengths: array[int] = field(default_factory=lambda: array("q"))
    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    samples: int = 0
    exemplars: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def add(self, labels: Labels, points: Sequence[tuple[int, float]]) -> None:
        """Rows of one series."""
        plain = [(name, value) for name, value in labels if name != "__name__"]
        self.ids.append(series_id(labels))
        self.names.append(dict(labels)["__name__"])
        self.label_names.append([name for name, _ in plain])
        self.label_values.append([value for _, value in plain])
        self.lengths.append(len(points))
        for at, value in points:
            self.times.append(at)
            self.values.append(value)

    def refuse(self, reason: str, count: int) -> None:
        """Count what is not taken."""
        self.refused[reason] = self.refused.get(reason, 0) + count

    def batch(self) -> pa.RecordBatch | None:
        """The rows; None when there are none."""
        if not self.times:
            return None
        index = pa.array(np.repeat(np.arange(len(self.ids), dtype=np.int32), np.frombuffer(self.lengths, np.int64)))
        lists = pa.list_(pa.utf8())
        names = pa.array(self.names, pa.utf8()).dictionary_encode()
        return pa.RecordBatch.from_pydict(
            {
                "timestamp": pa.array(np.frombuffer(self.times, np.int64) * 1000).cast(pa.timestamp("us", "UTC")),
                "metric_name": pa.DictionaryArray.from_arrays(names.indices.take(index), names.dictionary),
                "label_names": pa.array(self.label_names, lists).take(index),
                "label_values": pa.array(self.label_values, lists).take(index),
                "series_id": pa.array(np.frombuffer(self.ids, np.uint64)).take(index),
                "value": pa.array(np.frombuffer(self.values, np.float64)),
            }
        )


class Decoder:
    """Reads requests. Remembers the metadata it has seen, so that each text becomes a row once.

    :param max_labels: a series with more labels is refused.
    """

    def __init__(self, max_labels: int) -> None:
        self._max_labels = max_labels
        self._seen: dict[Labels, None] = {}

    def decode(self, body: bytes, version: int, now_ms: int) -> Received:
        """The rows of a message.

        :param version: of remote write, 1 or 2. :param now_ms: the moment that metadata is kept under.
        :raises ParseError: the bytes are no such message.
        """
        from google.protobuf.message import DecodeError

        name = "WriteRequest" if version == 1 else "Request"
        try:
            request = messages(version)[name].FromString(body)
        except DecodeError as error:
            raise ParseError(f"the body is no {name} of remote write {version}.0: {error}") from None
        received = Received()
        if version == 1:
            self._first(request, received, now_ms)
        else:
            self._second(request, received, now_ms)
        return received

    def _first(self, request: Any, received: Received, now_ms: int) -> None:
        for series in request.timeseries:
            exemplars = (
                ([(each.name, each.value) for each in row.labels], row.timestamp, row.value) for row in series.exemplars
            )
            self._series([(each.name, each.value) for each in series.labels], series, exemplars, received)
        for each in request.metadata:
            self._metadata(each.metric_family_name, each.type, each.help, each.unit, received, now_ms)

    def _second(self, request: Any, received: Received, now_ms: int) -> None:
        symbols = list(request.symbols)
        if symbols and symbols[0]:
            raise ParseError("the first symbol of a request of remote write 2.0 must be the empty text")
        for series in request.timeseries:
            count = len(series.samples) + len(series.exemplars) + len(series.histograms)
            pairs = _pairs(series.labels_refs, symbols)
            if pairs is None:
                received.refuse("a label refers to a symbol that is not there", count)
                continue
            exemplars = ((_pairs(row.labels_refs, symbols) or [], row.timestamp, row.value) for row in series.exemplars)
            if self._series(pairs, series, exemplars, received) and series.HasField("metadata"):
                refs = (series.metadata.help_ref, series.metadata.unit_ref)
                described, unit = (symbols[ref] if ref < len(symbols) else "" for ref in refs)
                self._metadata(dict(pairs)["__name__"], series.metadata.type, described, unit, received, now_ms)

    def _series(
        self,
        pairs: list[tuple[str, str]],
        series: Any,
        exemplars: Iterator[tuple[list[tuple[str, str]], int, float]],
        received: Received,
    ) -> bool:
        """Takes one series, or says why not."""
        labels = tuple(sorted((name, value) for name, value in pairs if value))
        wrong = self._wrong(labels, pairs)
        if wrong:
            received.refuse(wrong, len(series.samples) + len(series.exemplars) + len(series.histograms))
            return False
        points = [(sample.timestamp, sample.value) for sample in series.samples]
        kept = [point for point in points if -_MAX_MS < point[0] < _MAX_MS]
        if len(kept) < len(points):
            received.refuse("a timestamp is out of range", len(points) - len(kept))
        if kept:
            received.add(labels, kept)
            received.samples += len(kept)
        for own, at, value in exemplars:
            if not -_MAX_MS < at < _MAX_MS:
                received.refuse("a timestamp is out of range", 1)
                continue
            received.add(_exemplar(labels, own), [(at, value)])
            received.exemplars += 1
        if len(series.histograms):
            received.refuse("native histograms are not supported", len(series.histograms))
        return True

    def _wrong(self, labels: Labels, pairs: Sequence[tuple[str, str]]) -> str:
        names = [name for name, _ in pairs]
        metric = dict(labels).get("__name__", "")
        if not metric:
            return "a series without a metric name"
        if metric in (EXEMPLAR, METADATA):
            return f"the metric names {EXEMPLAR} and {METADATA} are reserved"
        if "" in names:
            return "a label without a name"
        if len(set(names)) < len(names):
            return "a label name twice in one series"
        if len(names) > self._max_labels:
            return f"a series with more than {self._max_labels} labels (option max_labels)"
        return ""

    def _metadata(self, metric: str, kind: int, help: str, unit: str, received: Received, now_ms: int) -> None:
        type_ = _METRIC_TYPES[kind] if 0 <= kind < len(_METRIC_TYPES) else "unknown"
        texts = {"__name__": METADATA, "metric": metric, "type": type_, "help": help, "unit": unit}
        labels = tuple(sorted((name, value) for name, value in texts.items() if value))
        if not metric or labels in self._seen:
            return
        if len(self._seen) >= 100_000:
            self._seen.clear()
        self._seen[labels] = None
        received.add(labels, [(now_ms, 1.0)])

    def forget(self) -> None:
        """Keep metadata again when it comes again: a request with some was not taken."""
        self._seen.clear()


def _pairs(refs: Sequence[int], symbols: Sequence[str]) -> list[tuple[str, str]] | None:
    if len(refs) % 2 or any(ref >= len(symbols) for ref in refs):
        return None
    return [(symbols[refs[i]], symbols[refs[i + 1]]) for i in range(0, len(refs), 2)]


def _exemplar(series: Labels, own: Sequence[tuple[str, str]]) -> Labels:
    """The row's labels: the series' (its name under ``__series__``) and the exemplar's with ``exemplar.`` before."""
    theirs = {("__series__" if name == "__name__" else name): value for name, value in series}
    mine = {f"exemplar.{name}": value for name, value in own if value}
    return tuple(sorted({**theirs, **mine, "__name__": EXEMPLAR}.items()))

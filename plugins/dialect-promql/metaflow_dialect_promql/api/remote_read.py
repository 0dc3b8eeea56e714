"""Remote read: samples by the raw, in the response type ``SAMPLES``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pyarrow as pa

from metaflow_core.api import QueryResult
from metaflow_dialect_promql.api.wire import messages
from metaflow_dialect_promql.errors import BadParameter
from metaflow_dialect_promql.syntax.nodes import Matcher, Selector
from metaflow_dialect_promql.syntax.text import format_query

__all__ = ["remote_read"]

Ask = Callable[..., Awaitable[QueryResult]]
_OPS = ("=", "!=", "=~", "!~")


def _unpacked(body: bytes, limit: int) -> bytes:
    import cramjam

    try:
        if cramjam.snappy.decompress_raw_len(body) > limit:
            raise BadParameter(
                f"the body unpacks to more than {limit} bytes, which is the limit (option max_body_bytes)"
            )
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise BadParameter(f"the body is not packed with snappy: {error}") from None


async def remote_read(body: bytes, limit: int, ask: Ask) -> bytes:
    """The answer to a packed ``ReadRequest``, packed.

    :param ask: asks the dialect. :raises BadParameter: the body is no such request.
    """
    import cramjam
    from google.protobuf.message import DecodeError

    types = messages()
    try:
        request = types["ReadRequest"].FromString(_unpacked(body, limit))
    except DecodeError as error:
        raise BadParameter(f"the body is no ReadRequest: {error}") from None
    response = types["ReadResponse"]()
    for query in request.queries:
        matchers = tuple(_matcher(each) for each in query.matchers)
        result = response.results.add()
        if not matchers:
            continue
        text = format_query(Selector("", (matchers,)))
        found = await ask(
            text,
            operation="samples",
            start=query.start_timestamp_ms / 1000,
            end=query.end_timestamp_ms / 1000,
        )
        _fill(result, found.table)
    return bytes(cramjam.snappy.compress_raw(response.SerializeToString()))


def _matcher(each: Any) -> Matcher:
    if not 0 <= each.type < len(_OPS):
        raise BadParameter(f"a matcher of the unknown type {each.type}")
    return Matcher(each.name, _OPS[each.type], each.value)


def _fill(result: Any, table: pa.Table) -> None:
    for labels, times, values in zip(table["labels"].to_pylist(), table["times"], table["values"], strict=True):
        series = result.timeseries.add()
        for name, value in labels:
            series.labels.add(name=name, value=value)
        moments = times.values.cast(pa.int64()).to_pylist()
        # Numbers go through numpy: Python's floats keep the bits of a stale marker, but say so nowhere.
        for at, number in zip(moments, values.values.to_numpy().tolist(), strict=True):
            series.samples.add(value=number, timestamp=at)

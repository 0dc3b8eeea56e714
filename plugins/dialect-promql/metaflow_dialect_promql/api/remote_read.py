"""Remote read: samples as they are stored, in the response types ``SAMPLES`` and ``STREAMED_XOR_CHUNKS``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from metaflow_core.api import QueryResult
from metaflow_dialect_promql.api.chunks import CONTENT_TYPE, frames
from metaflow_dialect_promql.api.wire import messages
from metaflow_dialect_promql.errors import BadParameter
from metaflow_dialect_promql.syntax.nodes import Matcher, Selector
from metaflow_dialect_promql.syntax.text import format_query

__all__ = ["Answer", "remote_read"]

Ask = Callable[..., Awaitable[QueryResult]]
_OPS = ("=", "!=", "=~", "!~")
_SAMPLES, _STREAMED = 0, 1
_NONE = pa.table({"labels": pa.array([], pa.list_(pa.utf8())), "times": [], "values": []})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: a body packed with snappy, or frames to be sent as they come."""

    content_type: str
    body: bytes = b""
    frames: Iterator[bytes] | None = None


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


async def remote_read(body: bytes, limit: int, ask: Ask) -> Answer:
    """The answer to a packed ``ReadRequest``, in the first response type that the client lists and that is known.

    :param ask: asks the dialect. :raises BadParameter: the body is no such request.
    """
    from google.protobuf.message import DecodeError

    types = messages()
    try:
        request = types["ReadRequest"].FromString(_unpacked(body, limit))
    except DecodeError as error:
        raise BadParameter(f"the body is no ReadRequest: {error}") from None
    wanted = list(request.accepted_response_types) or [_SAMPLES]
    chosen = next((each for each in wanted if each in (_SAMPLES, _STREAMED)), None)
    if chosen is None:
        raise BadParameter(f"none of the response types {wanted} is known; there are SAMPLES and STREAMED_XOR_CHUNKS")
    tables: list[pa.Table] = []
    for query in request.queries:
        matchers = tuple(_matcher(each) for each in query.matchers)
        if not matchers:
            tables.append(_NONE)
            continue
        text = format_query(Selector("", (matchers,)))
        found = await ask(
            text,
            operation="samples",
            start=query.start_timestamp_ms / 1000,
            end=query.end_timestamp_ms / 1000,
        )
        tables.append(found.table)
    if chosen == _STREAMED:
        return Answer(CONTENT_TYPE, frames=frames(types, tables))
    return Answer("application/x-protobuf", body=await asyncio.to_thread(_packed, types, tables))


def _packed(types: dict[str, Any], tables: list[pa.Table]) -> bytes:
    import cramjam

    response = types["ReadResponse"]()
    for table in tables:
        _fill(response.results.add(), table)
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

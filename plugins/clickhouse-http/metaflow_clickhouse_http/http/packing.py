"""Compression as HTTP and ClickHouse's clients use it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

from metaflow_clickhouse_http.http.errors import Refusal

__all__ = ["PACKERS", "choose", "unpack"]


def _gzip(data: bytes) -> bytes:
    return zlib.compress(data, 1, 31)


def _cramjam(name: str, level: int | None = None) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        import cramjam

        compress = getattr(cramjam, name).compress
        return bytes(compress(data) if level is None else compress(data, level))

    return pack


PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "zstd": _cramjam("zstd", 1),
    "lz4": _cramjam("lz4"),
    "br": _cramjam("brotli", 1),
    "gzip": _gzip,
    "deflate": lambda data: zlib.compress(data, 1),
}
"""By the name in ``Content-Encoding``; the first that a client takes is used."""


def choose(accept: str) -> str:
    """The encoding that a client takes; empty for none."""
    offered: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, _, settings = part.strip().partition(";")
        try:
            offered[name.strip()] = (
                float(settings.strip().removeprefix("q=")) if settings.strip().startswith("q=") else 1.0
            )
        except ValueError:
            offered[name.strip()] = 0.0
    able = [name for name in PACKERS if offered.get(name, 0.0) > 0]
    return max(able, key=lambda name: offered[name], default="")


def unpack(data: bytes, encoding: str, limit: int) -> bytes:
    """A request's body as it was before it was packed.

    :raises Refusal: the encoding is unknown, the bytes are not of it, or there are more than ``limit``.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not data:
        return data
    if encoding in ("gzip", "deflate"):
        return _inflated(data, 31 if encoding == "gzip" else 15, limit)
    if encoding not in ("zstd", "lz4", "br"):
        raise Refusal(48, f"the body's encoding {encoding!r} is not taken; there are {', '.join(PACKERS)}", 415)
    import cramjam

    room = bytearray(limit + 1)
    try:
        size = getattr(cramjam, "brotli" if encoding == "br" else encoding).decompress_into(data, room)
    except Exception as error:  # noqa: BLE001 - see below
        # cramjam tells a buffer that is too small and bytes that are wrong in the same way
        raise Refusal(27, f"the body cannot be unpacked as {encoding} into {limit} bytes: {error}", 400) from None
    if size > limit:
        raise Refusal(27, f"the body unpacks to more than {limit} bytes", 413)
    return bytes(room[:size])


def _inflated(data: bytes, bits: int, limit: int) -> bytes:
    machine = zlib.decompressobj(bits)
    try:
        out = machine.decompress(data, limit + 1)
    except zlib.error as error:
        raise Refusal(27, f"the body cannot be unpacked: {error}", 400) from None
    if len(out) > limit:
        raise Refusal(27, f"the body unpacks to more than {limit} bytes", 413)
    return out

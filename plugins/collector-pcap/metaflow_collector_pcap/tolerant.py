"""Compressed streams that end where the damage begins, instead of taking the good part along."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import BinaryIO, Protocol

__all__ = ["Tolerant", "gunzip", "unzstd"]

_CHUNK = 1 << 16


class _Source(Protocol):
    def read1(self, size: int = -1, /) -> bytes: ...


class Tolerant(io.RawIOBase):
    """Reads from a decompressor; the first error ends the stream and is kept in :attr:`damage`."""

    def __init__(self, source: _Source, errors: tuple[type[Exception], ...]) -> None:
        super().__init__()
        self._source = source
        self._errors = errors
        self.damage = ""

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # narrower than Buffer
        """Up to the buffer's length; 0 at the end or at the damage."""
        if self.damage:
            return 0
        try:
            # small reads: what was decompressed before an error in the same call would be lost with it
            data = self._source.read1(min(len(buffer), _CHUNK))
        except self._errors as error:
            self.damage = str(error) or type(error).__name__
            return 0
        buffer[: len(data)] = data
        return len(data)


def gunzip(stream: BinaryIO) -> Tolerant:
    """A gzip stream (RFC 1952), several members too."""
    return Tolerant(gzip.GzipFile(fileobj=stream), (EOFError, OSError, zlib.error))


def unzstd(stream: BinaryIO) -> Tolerant:
    """A zstd stream (RFC 8878), several frames too; windows above 128 MiB are refused."""
    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(stream, read_across_frames=True)
    return Tolerant(reader, (zstandard.ZstdError, EOFError, OSError))

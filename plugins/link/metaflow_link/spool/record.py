"""The bytes of a segment file: a head, then records, each with sums over its head and its content.

::

    file   = "MFSPOOL1" · u64 number · record*
    record = "MFR1" · u32 length · u32 rows · u32 crc32(content) · u32 crc32(the 16 bytes before) · content

Little-endian. The head's own sum lets a reader walk over a record whose content is damaged, and find the next one behind a head that is.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from dataclasses import dataclass, field

__all__ = ["FILE_HEAD", "HEAD", "Index", "content_at", "file_head", "head", "index_of"]

_FILE_MAGIC, _MAGIC = b"MFSPOOL1", b"MFR1"
_FILE = struct.Struct("<8sQ")
_FIELDS = struct.Struct("<4sIII")
_SUM = struct.Struct("<I")
FILE_HEAD = _FILE.size
HEAD = _FIELDS.size + _SUM.size


def file_head(number: int) -> bytes:
    """The first bytes of a segment file."""
    return _FILE.pack(_FILE_MAGIC, number)


def head(content: bytes, rows: int) -> bytes:
    """What stands before a record's content."""
    fields = _FIELDS.pack(_MAGIC, len(content), rows, zlib.crc32(content))
    return fields + _SUM.pack(zlib.crc32(fields))


@dataclass(slots=True)
class Index:
    """Where the records of a segment are.

    :ivar offsets: of the heads. :ivar rows: in each. :ivar damaged: bytes between records that are none.
    :ivar torn: bytes of a record at the end that was not written whole. :ivar size: of the file.
    """

    offsets: array[int] = field(default_factory=lambda: array("Q"))
    rows: array[int] = field(default_factory=lambda: array("I"))
    damaged: int = 0
    torn: int = 0
    size: int = 0


def index_of(data: bytes | memoryview) -> Index:
    """Walk over a segment's bytes. Heads are checked, contents only when they are read."""
    found = Index(size=len(data))
    at = FILE_HEAD
    if bytes(data[:8]) != _FILE_MAGIC:
        found.damaged += min(FILE_HEAD, len(data))
    while at < len(data):
        fields = _head_at(data, at)
        if fields is None:
            behind = _next_head(data, at + 1)
            if behind < 0 and len(data) - at < HEAD:
                found.torn += len(data) - at
            elif behind < 0:
                found.damaged += len(data) - at
            else:
                found.damaged += behind - at
            at = behind if behind >= 0 else len(data)
            continue
        length, rows = fields
        if at + HEAD + length > len(data):
            found.torn += len(data) - at
            break
        found.offsets.append(at)
        found.rows.append(rows)
        at += HEAD + length
    return found


def _head_at(data: bytes | memoryview, at: int) -> tuple[int, int] | None:
    if at + HEAD > len(data) or bytes(data[at : at + 4]) != _MAGIC:
        return None
    fields = bytes(data[at : at + _FIELDS.size])
    if _SUM.unpack_from(data, at + _FIELDS.size)[0] != zlib.crc32(fields):
        return None
    _, length, rows, _ = _FIELDS.unpack(fields)
    return length, rows


def _next_head(data: bytes | memoryview, start: int) -> int:
    plain = bytes(data[start:])
    at = plain.find(_MAGIC)
    while at >= 0:
        if _head_at(data, start + at) is not None:
            return start + at
        at = plain.find(_MAGIC, at + 1)
    return -1


def content_at(data: bytes) -> bytes | None:
    """The content of a record, given the record's bytes; None when it is damaged."""
    if len(data) < HEAD or _head_at(data, 0) is None:
        return None
    content = data[HEAD:]
    _, length, _, checksum = _FIELDS.unpack_from(data, 0)
    return content if len(content) == length and zlib.crc32(content) == checksum else None

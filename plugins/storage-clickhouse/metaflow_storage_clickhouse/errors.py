"""What ClickHouse says, for people who do not know its error codes."""

from __future__ import annotations

import re

from metaflow_core.errors import MetaFlowError, QueryError, StorageError, UnsupportedQuery, UnwritableStore

__all__ = ["ClickHouseError", "RefusedQuery", "as_query_error", "as_storage_error", "too_long"]

_CODE = re.compile(r"Code: (\d+)\.? ?(?:DB::)?(?:Exception: )?")
_NOISE = re.compile(
    r"\s*(\(version [^)]*\)|\([A-Z0-9_]+\)|[.:] In scope .*|: while executing .*|Stack trace:.*)\s*", re.DOTALL
)

_FULL = {243, 74, 75}
_READ_ONLY = {76, 481, 164, 242}
_GONE = {209, 210, 279, 999, 0}
_LIMITS = {
    159: "the query took longer than it may; narrow the range of time or raise max_execution_s",
    160: "the query would take longer than it may; narrow the range of time or raise max_execution_s",
    241: "the query needs more memory than it may; narrow the range of time, group by less, or raise max_query_memory",
    158: "the query would read more rows than it may; narrow the range of time",
    307: "the query would read more bytes than it may; narrow the range of time",
    396: "the result has more rows than it may; add a limit or raise max_result_rows",
    394: "the query was cancelled",
    735: "the query was cancelled",
}


class ClickHouseError(MetaFlowError):
    """An error of the engine.

    :ivar number: ClickHouse's code; 0 when the engine could not be reached at all.
    :ivar definite: the statement certainly had no effect (it was refused, or never arrived).
    """

    code = "clickhouse"

    def __init__(self, message: str, number: int | None = None, *, definite: bool = False) -> None:
        codes = _CODE.findall(message)
        self.number = number if number is not None else (int(codes[-1]) if codes else -1)
        self.definite = definite
        text = _CODE.split(message)[-1] if codes else message
        super().__init__(_NOISE.sub(" ", text).strip()[:2000] or message[:2000])


class RefusedQuery(QueryError):
    """A query that the engine refused.

    :ivar number: ClickHouse's code, for clients that know it.
    """

    def __init__(self, message: str, number: int) -> None:
        self.number = number
        super().__init__(message)


def too_long(max_bytes: int) -> ClickHouseError:
    """The answer has more bytes than it may."""
    return ClickHouseError(f"the answer has more than {max_bytes} bytes", 396)


def as_query_error(error: ClickHouseError, place: str) -> QueryError:
    """For the caller of a query."""
    if error.number in _LIMITS:
        return RefusedQuery(_LIMITS[error.number], error.number)
    if error.number in (427, 36) and "regular" in str(error).lower():
        return RefusedQuery(f"a pattern is no regular expression of RE2: {error}", error.number)
    if error.number in _GONE:
        return RefusedQuery(f"ClickHouse at {place} cannot be reached: {error}; try again when it is back", 210)
    if error.number == 46:
        return UnsupportedQuery(f"the ClickHouse at {place} lacks a function: {error}")
    return RefusedQuery(f"ClickHouse refused the query (code {error.number}): {error}", error.number)


def as_storage_error(error: ClickHouseError, place: str) -> StorageError:
    """For the caller of a write."""
    kept = "the batch was not stored, keep it and send it again"
    if error.number in _FULL or "No space left" in str(error):
        return UnwritableStore(f"the disk of {place} is full; free some space or shorten the retention ({kept})")
    if error.number in _READ_ONLY or "Read-only file system" in str(error):
        return UnwritableStore(f"{place} cannot be written (read-only): {error}; {kept}")
    if error.number in _GONE:
        return StorageError(f"ClickHouse at {place} cannot be reached: {error}; {kept}")
    if error.number == 241:
        return StorageError(f"ClickHouse at {place} has no memory left for an insert; raise max_memory ({kept})")
    return StorageError(f"ClickHouse at {place} refused a batch (code {error.number}): {error}; {kept}")

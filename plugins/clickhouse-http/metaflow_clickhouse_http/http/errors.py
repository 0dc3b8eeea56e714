"""Errors in ClickHouse's shape: a code that its clients know, a text that begins with it, a status that goes with it."""

from __future__ import annotations

from metaflow_core.errors import MetaFlowError, QueryError, QuerySyntaxError, StorageError, UnsupportedQuery

__all__ = ["Refusal", "of_error"]

_NAMES = {
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED", 36: "BAD_ARGUMENTS", 43: "ILLEGAL_TYPE_OF_ARGUMENT", 46: "UNKNOWN_FUNCTION",
    47: "UNKNOWN_IDENTIFIER", 48: "NOT_IMPLEMENTED", 53: "TYPE_MISMATCH", 60: "UNKNOWN_TABLE", 62: "SYNTAX_ERROR", 73: "UNKNOWN_FORMAT",
    81: "UNKNOWN_DATABASE", 115: "UNKNOWN_SETTING", 158: "TOO_MANY_ROWS", 159: "TIMEOUT_EXCEEDED", 160: "TOO_SLOW", 164: "READONLY",
    194: "REQUIRED_PASSWORD", 202: "TOO_MANY_SIMULTANEOUS_QUERIES", 210: "NETWORK_ERROR", 215: "NOT_AN_AGGREGATE",
    241: "MEMORY_LIMIT_EXCEEDED", 307: "TOO_MANY_BYTES", 380: "BAD_QUERY_PARAMETER", 394: "QUERY_WAS_CANCELLED",
    396: "TOO_MANY_ROWS_OR_BYTES", 457: "BAD_QUERY_PARAMETER", 497: "ACCESS_DENIED", 516: "AUTHENTICATION_FAILED", 1000: "POCO_EXCEPTION",
    1001: "STD_EXCEPTION",
}  # fmt: skip
_STATUS = {
    27: 400, 36: 400, 43: 400, 46: 404, 47: 404, 48: 501, 53: 400, 60: 404, 62: 400, 73: 404, 81: 404, 115: 404, 159: 408, 194: 401,
    202: 503, 210: 503, 215: 400, 380: 400, 457: 400, 497: 403, 516: 403, 164: 403,
}  # fmt: skip


class Refusal(Exception):
    """A request is not answered.

    :ivar number: ClickHouse's code. :ivar status: of the HTTP answer.
    """

    def __init__(self, number: int, sentence: str, status: int | None = None) -> None:
        self.number = number
        self.status = status if status is not None else _STATUS.get(number, 500)
        super().__init__(sentence)

    def text(self, version: str) -> str:
        """As ClickHouse writes it, so that clients find the code."""
        name = _NAMES.get(self.number, "ERROR")
        return f"Code: {self.number}. DB::Exception: {self}. ({name}) (version {version} (MetaFlow))\n"


def of_error(error: MetaFlowError) -> Refusal:
    """The refusal for an error of ours."""
    said = str(error).rstrip(".")
    number = getattr(error, "number", None)
    if isinstance(number, int) and number > 0:
        return Refusal(number, said)
    if isinstance(error, QuerySyntaxError):
        return Refusal(_meant(said), said)
    if isinstance(error, UnsupportedQuery):
        return Refusal(48, said)
    if isinstance(error, QueryError):
        return Refusal(159 if "was not answered within" in said else 1001, said)
    return Refusal(210 if isinstance(error, StorageError) else 1001, said)


def _meant(said: str) -> int:
    """The code that is nearest to what the check found."""
    for part, number in (
        ("this reads only", 164),
        ("writes nothing", 164),
        ("cannot be changed", 164),
        ("is not among those", 497),
        ("table functions", 497),
        ("there is no", 60),
        ("the form", 73),
        ("has no value", 457),
    ):
        if part in said:
            return number
    return 62

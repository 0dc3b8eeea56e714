"""TraceQL, as far as one set of spans goes: ``{ resource.service.name = "shop" && duration > 100ms }``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from metaflow_core.errors import QuerySyntaxError, UnsupportedQuery
from metaflow_core.model.catalog import Catalog
from metaflow_core.model.expression import And, Compare, Expr, Literal, Not, Or, Ref
from metaflow_tracing.search.attributes import condition, kind_condition, named, service_condition, status_condition

__all__ = ["duration_us", "parse_logfmt", "parse_traceql"]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)
    |(?P<duration>\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h)(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))*)
    |(?P<number>-?\d+(?:\.\d+)?)
    |(?P<op>&&|\|\||!=|=~|!~|>=|<=|[=<>{}()|!])
    |(?P<name>[.A-Za-z_][\w.:/-]*(?:"[^"]*")?))""",
    re.VERBOSE,
)
_UNITS = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_LONGEST, _DEEPEST = 10_000, 100
_ALL = Compare("=", Literal(1), Literal(1))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def duration_us(text: str) -> int:
    """Microseconds of ``100ms``, ``1.5s``, ``1m30s``.

    :raises UnsupportedQuery: it is none.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UnsupportedQuery(f"{text!r} is no duration; write e.g. 100ms, 1.5s, 1m30s")
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts))


def parse_traceql(text: str, catalog: Catalog) -> Expr:
    """The condition on rows. An empty text and ``{}`` are true for all.

    :raises QuerySyntaxError: it is not well-formed, with the place. :raises UnsupportedQuery: TraceQL has it, this has not.
    """
    if len(text) > _LONGEST:
        raise UnsupportedQuery(f"the query has {len(text)} characters; at most {_LONGEST} are read")
    tokens = _tokens(text)
    return _Parser(tokens, catalog).query() if tokens else _ALL


def parse_logfmt(text: str, catalog: Catalog) -> Expr:
    """``key=value key="other value"``: the older form of search.

    :raises QuerySyntaxError: it is not well-formed.
    """
    parts: list[Expr] = []
    for found in re.finditer(r'([^\s=]+)=("(?:[^"\\]|\\.)*"|\S*)', text):
        name, value = found[1], found[2]
        value = _unquoted(value) if value.startswith('"') else value
        if name == "name":
            parts.append(named("=", value))
        elif name in ("status", "error"):
            parts.append(status_condition("=", "error" if value == "true" else value))
        else:
            parts.append(condition(catalog, _unscoped(name), "=", value))
    if text.strip() and not parts:
        raise QuerySyntaxError(f"{text!r} is no list of key=value", 1)
    return And(tuple(parts)) if len(parts) > 1 else parts[0] if parts else _ALL


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            place = at + len(text[at:]) - len(text[at:].lstrip())
            raise QuerySyntaxError(f"{text[place : place + 20]!r} is not understood", place + 1)
        found.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1))
        at = match.end()
    return found


def _unquoted(text: str) -> str:
    return text[1:-1] if text.startswith("`") else re.sub(r"\\(.)", r"\1", text[1:-1])


def _unscoped(name: str) -> str:
    for scope in ("resource.", "span.", "event.", "instrumentation.", "."):
        if name.startswith(scope):
            return name[len(scope) :].strip('"')
    return name


class _Parser:
    def __init__(self, tokens: list[_Token], catalog: Catalog) -> None:
        self._tokens = tokens
        self._catalog = catalog
        self._at = 0
        self._depth = 0

    def query(self) -> Expr:
        self._take("{")
        found = _ALL if self._is("}") else self._any()
        self._take("}")
        if self._at < len(self._tokens):
            rest = self._tokens[self._at]
            raise UnsupportedQuery(
                f"{rest.text!r} at {rest.at}: only one set of spans, {{ ... }}, can be searched for; pipelines and structural operators cannot"
            )
        return found

    def _any(self) -> Expr:
        parts = [self._all()]
        while self._is("||"):
            self._at += 1
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Expr:
        parts = [self._one()]
        while self._is("&&"):
            self._at += 1
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Expr:
        if self._is("!"):
            self._at += 1
            return Not(self._one())
        if self._is("("):
            self._depth += 1
            if self._depth > _DEEPEST:
                raise UnsupportedQuery(f"parentheses are nested deeper than {_DEEPEST}")
            self._at += 1
            found = self._any()
            self._take(")")
            self._depth -= 1
            return found
        name = self._next("name", "a field")
        if name.text in ("true", "false"):
            return _ALL if name.text == "true" else Not(_ALL)
        op = self._next("op", "a comparison")
        if op.text not in ("=", "!=", "<", "<=", ">", ">=", "=~", "!~"):
            raise QuerySyntaxError(f"{op.text!r} is no comparison", op.at)
        return self._compared(name, op.text, self._value())

    def _compared(self, name: _Token, op: str, value: _Token) -> Expr:
        field = name.text.removeprefix("span:")
        text = _unquoted(value.text) if value.kind == "string" else value.text
        if value.text == "nil":
            raise UnsupportedQuery(f"nil at {value.at}: whether an attribute is there cannot be asked")
        match field:
            case "status":
                return status_condition(op, text)
            case "kind":
                return kind_condition(op, text)
            case "name" | "rootName" | "trace:rootName":
                return named(op, text)
            case "rootServiceName" | "trace:rootService":
                return service_condition(op, text)
            case "duration" | "traceDuration" | "trace:duration":
                return Compare(op, Ref("response_duration"), Literal(duration_us(text)))
            case "trace:id":
                return Compare(op, Ref("trace_id"), Literal(text))
            case "id":
                return Compare(op, Ref("span_id"), Literal(text))
            case _ if ":" in field or field.startswith("parent."):
                raise UnsupportedQuery(f"{field} at {name.at} cannot be searched for")
        return condition(self._catalog, _unscoped(field), op, _literal(value, text))

    def _value(self) -> _Token:
        if self._at >= len(self._tokens):
            raise QuerySyntaxError("the query ends where a value should stand", self._end())
        found = self._tokens[self._at]
        if found.kind == "op":
            raise QuerySyntaxError(f"{found.text!r} stands where a value should stand", found.at)
        self._at += 1
        return found

    def _is(self, text: str) -> bool:
        return (
            self._at < len(self._tokens) and self._tokens[self._at].kind == "op" and self._tokens[self._at].text == text
        )

    def _take(self, text: str) -> None:
        if not self._is(text):
            at = self._tokens[self._at].at if self._at < len(self._tokens) else self._end()
            raise QuerySyntaxError(f"a {text!r} should stand here", at)
        self._at += 1

    def _next(self, kind: str, what: str) -> _Token:
        if self._at >= len(self._tokens) or self._tokens[self._at].kind != kind:
            at = self._tokens[self._at].at if self._at < len(self._tokens) else self._end()
            raise QuerySyntaxError(f"{what} should stand here", at)
        self._at += 1
        return self._tokens[self._at - 1]

    def _end(self) -> int:
        last = self._tokens[-1]
        return last.at + len(last.text)


def _literal(value: _Token, text: str) -> str | float | bool:
    if value.kind == "number":
        return float(text) if "." in text else int(text)
    if value.kind == "duration":
        return duration_us(text)
    if value.kind == "name" and text in ("true", "false"):
        return text == "true"
    return text

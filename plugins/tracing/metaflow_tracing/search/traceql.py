"""TraceQL, as far as one set of spans goes: ``{ resource.service.name = "shop" && duration > 100ms } | select(span.http.url)``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from metaflow_core.errors import QuerySyntaxError, UnsupportedQuery
from metaflow_core.model.catalog import Catalog
from metaflow_core.model.expression import And, Compare, Expr, Literal, Not, Or, Ref
from metaflow_tracing.search.attributes import (
    condition,
    kind_condition,
    named,
    presence,
    service_condition,
    status_condition,
)
from metaflow_tracing.search.question import ALL, Bounds, Question

__all__ = ["duration_us", "parse_logfmt", "parse_traceql", "unscoped"]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)
    |(?P<duration>\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h)(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))*)
    |(?P<number>-?\d+(?:\.\d+)?)
    |(?P<op>&&|\|\||!=|=~|!~|>=|<=|[=<>{}()|!,~&])
    |(?P<name>[.A-Za-z_][\w.:/-]*(?:"[^"]*")?))""",
    re.VERBOSE,
)
_UNITS = {"ns": 1e-3, "us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_LONGEST, _DEEPEST = 10_000, 100
_TRACE_DURATION = ("traceDuration", "trace:duration")
# of a tree, which is assembled when somebody looks at it, and not when it is searched for
_OF_THE_TREE = ("nestedSetLeft", "nestedSetRight", "nestedSetParent", "childCount")


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


def parse_traceql(text: str, catalog: Catalog) -> Question:
    """What is asked. An empty text and ``{}`` are true for all.

    :raises QuerySyntaxError: it is not well-formed, with the place. :raises UnsupportedQuery: TraceQL has it, this has not.
    """
    if len(text) > _LONGEST:
        raise UnsupportedQuery(f"the query has {len(text)} characters; at most {_LONGEST} are read")
    tokens = _tokens(text)
    return _Parser(tokens, catalog).query() if tokens else Question()


def parse_logfmt(text: str, catalog: Catalog) -> Question:
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
            parts.append(condition(catalog, unscoped(name), "=", value))
    if text.strip() and not parts:
        raise QuerySyntaxError(f"{text!r} is no list of key=value", 1)
    return Question.of(parts, Bounds())


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


def unscoped(name: str) -> str:
    """An attribute's name without ``resource.``, ``span.`` and the like."""
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
        # inside of || and !, where what holds of the trace cannot be taken out of the condition
        self._beside = 0
        self._bounds = Bounds()

    def query(self) -> Question:
        self._take("{")
        found = ALL if self._is("}") else self._any()
        self._take("}")
        shown: list[str] = []
        while self._at < len(self._tokens):
            rest, after = self._tokens[self._at], self._tokens[self._at + 1 : self._at + 3]
            opens = len(after) == 2 and after[1].text == "("
            if rest.text == "|" and opens and after[0].text == "select":
                self._at += 3
                shown += self._names()
            elif rest.text == "with" and after and after[0].text == "(":
                # hints of how to look, which change nothing of what is found
                while self._at < len(self._tokens) and not self._is(")"):
                    self._at += 1
                self._take(")")
            else:
                raise UnsupportedQuery(
                    f"{rest.text!r} at {rest.at}: one set of spans, {{ ... }}, can be searched for, with | select(...) behind it; "
                    "other pipelines, metrics and structural operators cannot"
                )
        return Question(found, self._bounds, tuple(shown))

    def _names(self) -> list[str]:
        names = [self._next("name", "a field").text]
        while self._is(","):
            self._at += 1
            names.append(self._next("name", "a field").text)
        self._take(")")
        return names

    def _any(self) -> Expr:
        before, had = self._at, Bounds(self._bounds.shortest, self._bounds.longest)
        parts = [self._all()]
        if self._is("||") and self._bounds != had:
            raise UnsupportedQuery(
                f"the duration of a trace at {self._tokens[before].at} stands beside ||; it can be asked for beside && only"
            )
        self._beside += 1
        while self._is("||"):
            self._at += 1
            parts.append(self._all())
        self._beside -= 1
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
            self._beside += 1
            negated = Not(self._one())
            self._beside -= 1
            return negated
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
            return ALL if name.text == "true" else Not(ALL)
        op = self._next("op", "a comparison")
        if op.text not in ("=", "!=", "<", "<=", ">", ">=", "=~", "!~"):
            raise QuerySyntaxError(f"{op.text!r} is no comparison", op.at)
        return self._compared(name, op.text, self._value())

    def _compared(self, name: _Token, op: str, value: _Token) -> Expr:
        field = name.text.removeprefix("span:")
        text = _unquoted(value.text) if value.kind == "string" else value.text
        if value.kind == "name" and text == "nil":
            return self._presence(field, name, op)
        if field in _OF_THE_TREE:
            raise UnsupportedQuery(
                f"{field} at {name.at} is known of an assembled trace only, and cannot be searched for"
            )
        if field in _TRACE_DURATION:
            if self._beside:
                raise UnsupportedQuery(
                    f"{field} at {name.at} stands beside || or !; it can be asked for beside && only"
                )
            self._bounds.narrow(op, duration_us(text))
            return ALL
        match field:
            case "status":
                return status_condition(op, text)
            case "kind":
                return kind_condition(op, text)
            case "name" | "rootName" | "trace:rootName":
                return named(op, text)
            case "rootServiceName" | "trace:rootService":
                return service_condition(op, text)
            case "duration":
                return Compare(op, Ref("response_duration"), Literal(duration_us(text)))
            case "trace:id":
                return Compare(op, Ref("trace_id"), Literal(text))
            case "id":
                return Compare(op, Ref("span_id"), Literal(text))
            case "statusMessage":
                return condition(self._catalog, "exception.message", op, text)
            case _ if ":" in field or field.startswith("parent."):
                raise UnsupportedQuery(f"{field} at {name.at} cannot be searched for")
        return condition(self._catalog, unscoped(field), op, _literal(value, text))

    def _presence(self, field: str, name: _Token, op: str) -> Expr:
        if op not in ("=", "!="):
            raise UnsupportedQuery(f"{field} at {name.at} can be there (!= nil) or not (= nil); {op} says neither")
        if field in ("status", "kind", "name", "duration") or ":" in field or "." not in field:
            return ALL if op == "!=" else Not(ALL)
        return presence(self._catalog, unscoped(field), op)

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

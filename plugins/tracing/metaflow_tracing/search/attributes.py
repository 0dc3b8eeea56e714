"""What the attributes of other tools are called in the request log."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.model.catalog import Catalog
from metaflow_core.model.expression import And, Compare, Expr, In, Literal, Not, Or, Ref, Regexp, Value
from metaflow_tracing.spans import PATH

__all__ = [
    "INTRINSICS",
    "KNOWN",
    "condition",
    "kind_condition",
    "named",
    "presence",
    "service_condition",
    "status_condition",
]

KNOWN = {
    "http.request.method": "request_type", "http.method": "request_type", "rpc.method": "request_type", "db.operation": "request_type",
    "http.response.status_code": "response_code", "http.status_code": "response_code", "rpc.grpc.status_code": "response_code",
    "url.path": "request_resource", "http.target": "request_resource", "http.url": "request_resource", "url.full": "request_resource",
    "db.statement": "request_resource", "db.query.text": "request_resource", "http.route": "endpoint", "server.address": "request_domain",
    "http.host": "request_domain", "net.peer.name": "request_domain", "server.port": "server_port", "net.peer.port": "server_port",
    "client.port": "client_port", "client.address": "ip_0", "net.peer.ip": "ip_1", "exception.message": "response_exception",
    "metaflow.observation_point": "observation_point", "metaflow.protocol": "l7_protocol", "metaflow.request_resource": "request_resource",
    "metaflow.response_code": "response_code", "metaflow.process": "process_kname_1", "process.executable.name": "process_kname_1",
    "service.instance.id": "app_instance",
}  # fmt: skip
"""Attribute -> column or tag of the request log."""

INTRINSICS = ("duration", "kind", "name", "status")
"""What every span has."""

_SERVICE = ("app_service", "process_kname_1", "process_kname_0")
_CLIENT = (*(point for point in PATH if point.startswith("c")), "c-app")
_KINDS: dict[str, tuple[str, ...]] = {
    "client": _CLIENT,
    "server": tuple(point for point in (*PATH, "s-app") if point not in _CLIENT),
    "internal": ("app",),
}
_FAILED, _FINE, _UNKNOWN = (2, 3, 4), (0,), (5, 6)


def _within(column: str, values: Sequence[Value]) -> Expr:
    return In(Ref(column), tuple(Literal(value) for value in values))


def status_condition(op: str, value: str) -> Expr:
    """``status = error``: by how it was answered.

    :raises UnsupportedQuery: there is no such status.
    """
    groups = {"error": _FAILED, "ok": _FINE, "unset": _UNKNOWN}
    if value not in groups or op not in ("=", "!="):
        raise UnsupportedQuery(f"status {op} {value} is not known here; write status = error, ok or unset (or !=)")
    found = _within("response_status", groups[value])
    return found if op == "=" else Not(found)


def kind_condition(op: str, value: str) -> Expr:
    """``kind = server``: by the side on which it was seen.

    :raises UnsupportedQuery: there is no such kind here.
    """
    if value not in _KINDS or op not in ("=", "!="):
        raise UnsupportedQuery(f"kind {op} {value} is not known here; write kind = client, server or internal (or !=)")
    found = _within("observation_point", _KINDS[value])
    return found if op == "=" else Not(found)


def service_condition(op: str, value: str) -> Expr:
    """A service by any name that it may be shown under: its tag, its process, what it calls itself, its address and port."""
    parts: list[Expr] = [
        _compared(op if op in ("=", "=~") else _positive(op), Ref(name), value)
        for name in ("auto_service_1", *_SERVICE)
    ]
    host, colon, port = value.rpartition(":")
    if colon and port.isdecimal() and int(port) < 65_536 and _is_address(host):
        parts.append(
            And((Compare("=", Ref("ip_1"), Literal(host)), Compare("=", Ref("server_port"), Literal(int(port)))))
        )
    found: Expr = Or(tuple(parts))
    return found if op in ("=", "=~") else Not(found)


def _positive(op: str) -> str:
    if op not in ("!=", "!~"):
        raise UnsupportedQuery(f"a service's name cannot be compared with {op}")
    return "=" if op == "!=" else "=~"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def condition(catalog: Catalog, name: str, op: str, value: str | float | bool) -> Expr:
    """A comparison of an attribute.

    :param name: without its scope. :param op: ``= != < <= > >= =~ !~``.
    :raises UnsupportedQuery: it cannot be compared so.
    """
    if name == "service.name":
        return service_condition(op, str(value))
    table = catalog.table("l7_flow_log")
    column = KNOWN.get(name, name)
    stored = next((each for each in table.columns if each.name == column), None)
    if stored is None and column not in KNOWN.values():
        return _compared(op, Ref(f"attribute.{name}"), str(value).lower() if isinstance(value, bool) else str(value))
    if column == "l7_protocol" and isinstance(value, str):
        members = catalog.enum("l7_protocol").members
        number = next((int(each.value) for each in members if each.name.lower() == value.lower()), None)
        return Compare("=", Literal(1), Literal(0)) if number is None else _compared(op, Ref(column), number)
    if stored is not None:
        is_text = stored.type in ("string", "lowcard", "json")
        if not is_text and isinstance(value, str):
            value = _number(name, value)
        elif is_text and not isinstance(value, str):
            value = str(value)
    return _compared(op, Ref(column), value)


def presence(catalog: Catalog, name: str, op: str) -> Expr:
    """Whether an attribute is there: ``!=`` yes, ``=`` no. A number of 0 and an empty text are not.

    :param name: without its scope.
    """
    column = KNOWN.get(name, name)
    stored = next((each for each in catalog.table("l7_flow_log").columns if each.name == column), None)
    if name == "service.name":
        there: Expr = Or(tuple(Compare("!=", Ref(each), Literal("")) for each in ("auto_service_1", *_SERVICE)))
    elif stored is None and column not in KNOWN.values():
        there = Compare("!=", Ref(f"attribute.{name}"), Literal(""))
    else:
        is_text = stored is None or stored.type in ("string", "lowcard", "json")
        there = Compare("!=", Ref(column), Literal("" if is_text else 0))
    return there if op == "!=" else Not(there)


def _number(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UnsupportedQuery(f"{name} is a number here; {value!r} is none") from None


def _compared(op: str, operand: Expr, value: str | float | bool) -> Expr:
    match op:
        case "=~":
            return Regexp(operand, f"^(?:{value})$")
        case "!~":
            return Not(Regexp(operand, f"^(?:{value})$"))
        case _:
            return Compare(op, operand, Literal(value))


def named(op: str, text: str) -> Expr:
    """An operation is shown as a verb and an endpoint; it is found by both, and by the endpoint or the verb alone.

    :raises UnsupportedQuery: names have no order.
    """
    if op not in ("=", "!=", "=~", "!~"):
        raise UnsupportedQuery(f"a name cannot be compared with {op}; write = != =~ or !~")
    positive = "=" if op in ("=", "!=") else "=~"
    verb, space, rest = text.partition(" ")
    parts: list[Expr] = [_compared(positive, Ref("endpoint"), text), _compared(positive, Ref("request_type"), text)]
    if space:
        pair = (_compared(positive, Ref("request_type"), verb), _compared(positive, Ref("endpoint"), rest))
        parts.append(And(pair))
    found: Expr = Or(tuple(parts))
    return found if op == positive else Not(found)

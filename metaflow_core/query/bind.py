"""Binds the names in one expression to stored columns: metrics, tags, enumerations, addresses, times."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog.names import suggestion
from metaflow_core.model.catalog.resolve import enum_values
from metaflow_core.model.catalog.types import TYPES
from metaflow_core.model.catalog.values import Column, Metric, Tag
from metaflow_core.model.expression import (
    And,
    Arithmetic,
    Call,
    Cidr,
    Compare,
    Expr,
    In,
    Like,
    Literal,
    Not,
    Or,
    Ref,
    Regexp,
    parse_expression,
    references,
    rewrite,
)
from metaflow_core.query.plan import Resolution
from metaflow_core.query.scope import Scope, family_of

__all__ = ["bind", "like_pattern"]

_PER_SECOND = {"time_s": 1, "time_us": 1_000_000, "time_ns": 1_000_000_000}


def bind(node: Expr, scope: Scope) -> Expr:
    """The expression over what the input really has.

    * a metric becomes its expression, a ratio a division that is missing where its denominator is 0;
    * a tag of addresses becomes conditions on the stored addresses, ``map.KEY`` a look-up, any other tag a name to be resolved;
    * names of enumeration members become numbers, also under ``like`` and ``regexp``;
    * texts compared with addresses and times become what is stored.

    :raises QuerySyntaxError: a name does not exist (the nearest is suggested), or an operand does not fit its operator.
    """
    if scope.table is not None:
        node = rewrite(node, lambda each: _address_test(each, scope))
    node = rewrite(node, lambda each: _name(each, scope) if isinstance(each, Ref) else each)
    node = enum_values(node, scope.columns, scope.catalog.enums)
    node = rewrite(node, lambda each: _constants(each, scope))
    family_of(node, scope.families)
    return node


def _name(ref: Ref, scope: Scope) -> Expr:
    if ref.name in scope.families:
        if scope.table is not None and ref.name not in scope.resolved:
            scope.used[ref.name] = None
        return ref
    if scope.table is None:
        raise QuerySyntaxError(f"there is no column {ref.name!r} here{suggestion(ref.name, scope.names())}", ref.at)
    field = scope.table.by_name.get(ref.name)
    if isinstance(field, Metric):
        for name in [each for each in references(field.expression) if each in scope.families]:
            scope.used[name] = None
        # A percentage is one everywhere, in a filter too.
        return Arithmetic("*", field.expression, Literal(100)) if field.kind == "percentage" else field.expression
    tag, key = (field, "") if isinstance(field, Tag) else _map_tag(ref.name, scope)
    if tag is None:
        raise QuerySyntaxError(
            f"there is no column {ref.name!r} in {scope.table.name}{suggestion(ref.name, scope.names())}", ref.at
        )
    return _tag(ref, tag, key, scope)


def _map_tag(name: str, scope: Scope) -> tuple[Tag | None, str]:
    """``k8s.label.app_0`` is the key ``app`` of the map tag ``k8s.label_0``; ``attribute.a.b`` the key ``a.b`` of ``attribute``."""
    assert scope.table is not None
    maps = [tag for tag in scope.table.tags if tag.kind == "map" and name.startswith(f"{tag.base}.")]
    for tag in maps:
        key = name[len(tag.base) + 1 :]
        if tag.end is None and key:
            return tag, key
        if tag.end is not None and key.endswith(f"_{tag.end}"):
            return tag, key[:-2]
    return None, ""


def _tag(ref: Ref, tag: Tag, key: str, scope: Scope) -> Expr:
    for name in tag.key:
        scope.used[name] = None
    if tag.kind == "bool" and tag.when:
        return parse_expression(tag.when)
    if tag.kind == "map" and not tag.dictionary:
        lists = tuple(Ref(name, ref.at) for name in tag.key)
        return Call("map_at", (*lists, Literal(key)), ref.at) if key else Call("map_text", lists, ref.at)
    if tag.when:
        for name in references(parse_expression(tag.when)):
            scope.used[name] = None
    scope.resolved[ref.name] = Resolution(ref.name, tag, key)
    scope.families[ref.name] = "text"
    return ref


def _address_test(node: Expr, scope: Scope) -> Expr:
    """A test of the tag ``ip`` on the columns that store it: no text is made of every row."""
    match node:
        case Compare("=", Ref(name, at), Literal(str() as text)) if _is_ip(name, scope):
            return _in_networks(name, (text,), at, scope)
        case Compare("!=", Ref(name, at), Literal(str() as text)) if _is_ip(name, scope):
            return Not(_in_networks(name, (text,), at, scope))
        case In(Ref(name, at), items) if _is_ip(name, scope):
            return _in_networks(name, tuple(str(item.value) for item in items), at, scope)
        case Cidr(Ref(name, at), networks) if _is_ip(name, scope):
            return _in_networks(name, networks, at, scope)
    return node


def _is_ip(name: str, scope: Scope) -> bool:
    field = scope.table.by_name.get(name) if scope.table else None
    return isinstance(field, Tag) and field.kind == "ip"


def _in_networks(name: str, texts: tuple[str, ...], at: int | None, scope: Scope) -> Expr:
    assert scope.table is not None
    tag = scope.table.by_name[name]
    assert isinstance(tag, Tag)
    four, six, family = (Ref(key) for key in tag.key)
    networks = [_network(text, at) for text in texts]
    of4 = tuple(str(network) for network in networks if network.version == 4)
    of6 = tuple(str(network) for network in networks if network.version == 6)
    tests: list[Expr] = []
    if of4:
        tests.append(And((family, Cidr(four, of4))))
    if of6:
        tests.append(And((Not(family), Cidr(six, of6))))
    return tests[0] if len(tests) == 1 else Or(tuple(tests))


def _network(text: str, at: int | None) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise QuerySyntaxError(f"{text!r} is no address and no network: {error}", at) from error


def _constants(node: Expr, scope: Scope) -> Expr:
    """Texts as what the column beside them stores."""
    match node:
        case Compare(op, Ref(name) as left, Literal() as right) if name in scope.columns:
            if scope.columns[name].type in ("ip4", "ip6") and isinstance(right.value, str) and op in ("=", "!="):
                test = _cidr(left, (right.value,), right.at, scope)
                return test if op == "=" else Not(test)
            return Compare(op, left, _stored(right, scope.columns[name]))
        case Compare(op, Literal() as left, Ref(name) as right) if name in scope.columns:
            return Compare(op, _stored(left, scope.columns[name]), right)
        case In(Ref(name) as operand, items) if name in scope.columns:
            if scope.columns[name].type in ("ip4", "ip6") and all(isinstance(item.value, str) for item in items):
                return _cidr(operand, tuple(str(item.value) for item in items), items[0].at, scope)
            return In(operand, tuple(_stored(item, scope.columns[name]) for item in items))
        case Cidr(Ref(name, at) as operand, networks) if name in scope.columns:
            return _cidr(operand, networks, at, scope)
        case Like(Ref(name) as operand, pattern) if _numbered(name, scope):
            return _members(operand, re.compile(like_pattern(pattern), re.IGNORECASE | re.DOTALL), scope)
        case Regexp(Ref(name, at) as operand, pattern):
            compiled = _compiled(pattern, at)
            return _members(operand, compiled, scope) if _numbered(name, scope) else node
        case Regexp(_, pattern):
            _compiled(pattern, None)
    return node


def _cidr(operand: Ref, texts: tuple[str, ...], at: int | None, scope: Scope) -> Expr:
    version = 4 if scope.columns[operand.name].type == "ip4" else 6
    networks = [_network(text, at) for text in texts]
    wrong = next((network for network in networks if network.version != version), None)
    if wrong is not None:
        raise QuerySyntaxError(f"{operand.name!r} holds IPv{version} addresses, {str(wrong)!r} is none", at)
    return Cidr(operand, tuple(str(network) for network in networks))


def _compiled(pattern: str, at: int | None) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise QuerySyntaxError(f"{pattern!r} is no regular expression: {error}", at) from error


def _numbered(name: str, scope: Scope) -> bool:
    column = scope.columns.get(name)
    return column is not None and bool(column.enum) and TYPES[column.type].family == "int"


def _members(operand: Ref, pattern: re.Pattern[str], scope: Scope) -> Expr:
    enum = scope.catalog.enum(scope.columns[operand.name].enum)
    return In(operand, tuple(Literal(member.value) for member in enum.members if pattern.search(member.name)))


def like_pattern(pattern: str) -> str:
    """A pattern of ``like`` as a regular expression; match it without regard to case, with ``.`` standing for line ends too."""
    return "^" + ".*".join(re.escape(part) for part in pattern.split("*")) + "$"


def _stored(literal: Literal, column: Column) -> Literal:
    value = literal.value
    if column.type in _PER_SECOND and isinstance(value, str):
        return Literal(_moment(value, column.type, literal.at), literal.at)
    if column.type == "bool" and isinstance(value, int) and not isinstance(value, bool) and value in (0, 1):
        return Literal(bool(value), literal.at)
    if column.type == "mac" and isinstance(value, str):
        digits = value.replace(":", "").replace("-", "")
        if not re.fullmatch("[0-9a-fA-F]{12}", digits):
            raise QuerySyntaxError(f"{value!r} is no MAC address such as '02:42:ac:11:00:02'", literal.at)
        return Literal(int(digits, 16), literal.at)
    return literal


def _moment(text: str, column_type: str, at: int | None) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise QuerySyntaxError(
            f"{text!r} is no time such as '2026-11-21 06:30:00' or '2026-11-21T06:30:00Z'", at
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime.fromtimestamp(0, UTC)
    micros = (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
    return micros * _PER_SECOND[column_type] // 1_000_000

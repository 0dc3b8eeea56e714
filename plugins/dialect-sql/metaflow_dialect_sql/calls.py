"""What a call means in one row: buckets of time, decoration of tags, and the row functions of plans."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlglot import exp

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import TYPES, Column, Tag
from metaflow_core.model.catalog.names import nearest
from metaflow_core.model.expression import And, Arithmetic, Call, Compare, Expr, IsNull, Literal, Not, Ref
from metaflow_core.query.functions import ROW_FUNCTIONS
from metaflow_dialect_sql.convert import Converter
from metaflow_dialect_sql.fields import Fields
from metaflow_dialect_sql.statements import at

__all__ = ["ROW_CALLS", "Bucket", "RowCalls"]

ROW_CALLS = {
    "time": "time(time, seconds[, windows, fill, offset])",
    "enum": "Enum(tag)",
    "exist": "exist(column)",
    "node_type": "node_type(tag)",
    "mask": "mask(address, bits[, bits of IPv6])",
    "tostring": "toString(x)",
    "tounixtimestamp": "toUnixTimestamp(time)",
    "tounixtimestamp64micro": "toUnixTimestamp64Micro(time)",
    "newtag": "newTag(x)",
    "fastfilter": "FastFilter(x)",
    "fasttrans": "FastTrans(x)",
}
"""Calls of this dialect beside the row functions of plans, by lower-case name, and how each is written."""

_INTERNAL = frozenset({"map_at", "map_text", "bucket"})
_ROW = {name.lower(): name for name in ROW_FUNCTIONS if name not in _INTERNAL}
_SAME = frozenset({"enum", "newtag", "fastfilter", "fasttrans"})


@dataclass(frozen=True, slots=True)
class Bucket:
    """Buckets of time: ``time(column, step_s)``. :ivar fill: ``none``, ``null`` or ``0``."""

    column: str
    step_s: int
    offset_s: int = 0
    fill: str = "none"

    @property
    def expression(self) -> Expr:
        """The start of the bucket a row falls into."""
        offset = (Literal(self.offset_s),) if self.offset_s else ()
        return Call("bucket", (Ref(self.column), Literal(self.step_s), *offset))


@dataclass
class RowCalls:
    """Calls of one row; whoever allows buckets or aggregates says what becomes of them.

    :ivar aggregates: lower-case names of aggregate functions. :ivar on_aggregate: takes one; None where none may stand.
    :ivar on_bucket: told of each bucket; None where none may stand. :ivar place_name: the clause, for sentences.
    """

    fields: Fields
    aggregates: Iterable[str]
    clause: str
    on_aggregate: Callable[[exp.Anonymous, Converter], Expr] | None = None
    on_bucket: Callable[[Bucket, int | None], Expr] | None = None

    def __call__(self, node: exp.Anonymous, converter: Converter) -> Expr:
        """The expression that a call stands for."""
        name, lower, place = str(node.this), str(node.this).lower(), at(node)
        if lower == "exists":
            lower = "exist"
        # Count, Max, ... are aggregates; least and greatest are for one row.
        if lower in self.aggregates:
            if self.on_aggregate is None:
                hint = "; write HAVING" if self.clause == "WHERE" else ""
                raise QuerySyntaxError(f"{name} is about many rows and cannot stand in {self.clause}{hint}", place)
            return self.on_aggregate(node, converter)
        if lower == "time":
            return self._time(node, place)
        if lower == "exist":
            return self._exist(self._one(node, converter), place)
        if lower in _SAME:
            return self._one(node, converter)
        if lower == "node_type":
            return self._node_type(self._one(node, converter), place)
        if lower == "mask":
            return self._mask(node, converter)
        if lower == "tostring":
            return Call("to_text", (self._one(node, converter),), place)
        if lower == "tounixtimestamp":
            return Call("unix", (self._one(node, converter),), place)
        if lower == "tounixtimestamp64micro":
            return Call(
                "floor", (Arithmetic("*", Call("unix", (self._one(node, converter),), place), Literal(1_000_000)),)
            )
        if lower in _ROW:
            return Call(_ROW[lower], tuple(converter.expr(each) for each in node.expressions), place)
        if lower == "icon_id":
            raise QuerySyntaxError("there are no icons here; node_type(tag) tells what a tag is", place)
        raise QuerySyntaxError(f"there is no function {name!r}{self._near(name)}", place)

    def _near(self, name: str) -> str:
        written = {each.partition("(")[0] for each in ROW_CALLS.values()} | set(_ROW.values())
        aggregates = {function.name for function in self.fields.catalog.functions.values()}
        near = nearest(name, written | aggregates | {"countDistinct"})
        return f"; did you mean {near!r}?" if near else "; 'SHOW METRICS FUNCTIONS' lists those over many rows"

    def _one(self, node: exp.Anonymous, converter: Converter) -> Expr:
        if len(node.expressions) != 1:
            written = ROW_CALLS.get(str(node.this).lower(), f"{node.this}(x)")
            raise QuerySyntaxError(
                f"{node.this} is written {written}, found {len(node.expressions)} arguments", at(node)
            )
        return converter.expr(node.expressions[0])

    def _time(self, node: exp.Anonymous, place: int | None) -> Expr:
        if self.on_bucket is None:
            raise QuerySyntaxError(
                f"time(...) makes groups and cannot stand in {self.clause}; compare the column, as in time >= '2026-11-21 06:30:00'",
                place,
            )
        return self.on_bucket(self._bucket(node, place), place)

    def _bucket(self, node: exp.Anonymous, place: int | None) -> Bucket:
        arguments = node.expressions
        if not 2 <= len(arguments) <= 5:
            raise QuerySyntaxError(f"time is written {ROW_CALLS['time']}, found {len(arguments)} arguments", place)
        name = self.fields.canonical(str(arguments[0].name))
        column = self.fields.need(name, at(arguments[0]) or place)
        if not isinstance(column, Column) or TYPES[column.type].family != "time":
            raise QuerySyntaxError(f"{name!r} is no time; write time({self.fields.table.time}, 60)", at(arguments[0]))
        step = _whole(arguments[1], "the interval", 1, place)
        windows = _whole(arguments[2], "the number of windows", 1, place) if len(arguments) > 2 else 1
        if windows != 1:
            raise QuerySyntaxError("windows that overlap are not taken; write 1 for windows", at(arguments[2]) or place)
        fill = _fill(arguments[3], place) if len(arguments) > 3 else "none"
        offset = _whole(arguments[4], "the offset", 0, place) if len(arguments) > 4 else 0
        interval = self.fields.table.interval_s
        if interval and name == self.fields.table.time and step % interval:
            raise QuerySyntaxError(
                f"buckets of {step} s cannot be made of rows of {interval} s ({self.fields.table.name}); "
                f"ask for a multiple, or a finer precision such as {self.fields.table.family}.1s",
                at(arguments[1]) or place,
            )
        return Bucket(name, step, offset, fill)

    def _exist(self, operand: Expr, place: int | None) -> Expr:
        """There is something: not missing, and no empty text, which is how tags of nothing are shown."""
        found = self.fields.find(operand.name) if isinstance(operand, Ref) else None
        if found is None and isinstance(operand, Ref):
            self.fields.need(operand.name, operand.at)
        is_text = (isinstance(found, Column) and TYPES[found.type].family == "text") or (
            isinstance(found, Tag) and (found.kind == "resource" or (found.kind == "map" and bool(found.dictionary)))
        )
        present: Expr = Not(IsNull(operand))
        return And((present, Compare("!=", operand, Literal("")))) if is_text else present

    def _node_type(self, operand: Expr, place: int | None) -> Expr:
        tag = self.fields.need(operand.name, operand.at) if isinstance(operand, Ref) else None
        if not isinstance(tag, Tag) or tag.kind != "resource":
            raise QuerySyntaxError("node_type is asked of a tag of resources, such as pod or auto_instance", place)
        typed = next((key for key in tag.key if key.removesuffix(f"_{tag.end}").endswith("_type")), None)
        return Ref(typed, place) if typed is not None else Literal(tag.base, place)

    def _mask(self, node: exp.Anonymous, converter: Converter) -> Expr:
        place = at(node)
        if not 2 <= len(node.expressions) <= 3:
            raise QuerySyntaxError(f"mask is written {ROW_CALLS['mask']}", place)
        address = converter.expr(node.expressions[0])
        bits = _whole(node.expressions[1], "the number of bits", 0, place)
        bits6 = (
            _whole(node.expressions[2], "the number of bits", 0, place) if len(node.expressions) > 2 else max(bits, 64)
        )
        found = self.fields.need(address.name, address.at) if isinstance(address, Ref) else None
        if isinstance(found, Tag) and found.kind == "ip":
            if bits > 32 or bits6 > 128:
                raise QuerySyntaxError("IPv4 has 32 bits, IPv6 128", place)
            four, six, family = (Ref(key) for key in found.key)
            return Call(
                "if",
                (family, Call("mask", (four, Literal(bits)), place), Call("mask", (six, Literal(bits6)), place)),
                place,
            )
        if isinstance(found, Column) and found.type in ("ip4", "ip6"):
            if bits > (32 if found.type == "ip4" else 128):
                raise QuerySyntaxError("IPv4 has 32 bits, IPv6 128", place)
            return Call("mask", (address, Literal(bits)), place)
        raise QuerySyntaxError("mask is asked of an address, such as ip_0", place)


def _whole(node: exp.Expr, what: str, low: int, place: int | None) -> int:
    text = str(node.this) if isinstance(node, exp.Literal) else ""
    if not text.isdecimal() or not low <= int(text[:19]) < 2**31:
        raise QuerySyntaxError(f"{what} is a whole number from {low} on", at(node) or place)
    return int(text)


def _fill(node: exp.Expr, place: int | None) -> str:
    if isinstance(node, exp.Null):
        return "null"
    text = (
        str(node.name if isinstance(node, exp.Column) else node.this).lower()
        if isinstance(node, exp.Column | exp.Literal)
        else ""
    )
    if text in ("none", "null", "0"):
        return text
    raise QuerySyntaxError("fill is none, null or 0", at(node) or place)

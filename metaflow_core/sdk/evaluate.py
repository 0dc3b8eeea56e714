"""A condition over the columns of one batch, for ``Rows.where``: whole columns at once, by pyarrow's functions."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

from metaflow_core.errors import UnsupportedQuery
from metaflow_core.model.expression import (
    And,
    Arithmetic,
    Call,
    Cidr,
    Compare,
    Expr,
    In,
    IsNull,
    Like,
    Literal,
    Negate,
    Not,
    Or,
    Ref,
    Regexp,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["mask"]

_COMPARE = {"=": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}
_TURNED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ARITHMETIC = {"+": "add", "-": "subtract", "*": "multiply"}


def mask(node: Expr, columns: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """Which rows a bound condition keeps; a row for which it is missing is not kept.

    :raises UnsupportedQuery: it needs what only a storage can do.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    result = _Evaluator(columns, rows).array(node)
    return pc.fill_null(result.cast(pa.bool_()), False)


class _Evaluator:
    def __init__(self, columns: Mapping[str, pa.Array], rows: int) -> None:
        self._columns = columns
        self._rows = rows

    def array(self, node: Expr) -> pa.Array:
        """The value of a node, one per row."""
        import pyarrow as pa
        import pyarrow.compute as pc

        match node:
            case Ref(name):
                return self._column(name)
            case Literal(value):
                return pa.repeat(pa.scalar(value), self._rows)
            case And(items):
                return reduce(pc.and_kleene, (self.array(item).cast(pa.bool_()) for item in items))
            case Or(items):
                return reduce(pc.or_kleene, (self.array(item).cast(pa.bool_()) for item in items))
            case Not(operand):
                return pc.invert(self.array(operand).cast(pa.bool_()))
            case IsNull(operand):
                return pc.is_null(self.array(operand))
            case Compare(op, Literal(value), right) if not isinstance(right, Literal):
                return _compare(_TURNED[op], self.array(right), value)
            case Compare(op, left, Literal(value)):
                return _compare(op, self.array(left), value)
            case Compare(op, left, right):
                return pc.call_function(_COMPARE[op], list(_alike(self.array(left), self.array(right))))
            case In(operand, items):
                array = self.array(operand)
                return reduce(pc.or_kleene, (_compare("=", array, item.value) for item in items))
            case Like(operand, pattern):
                escaped = "".join(".*" if part == "*" else _escape(part) for part in pattern)
                return pc.match_substring_regex(_text(self.array(operand)), f"(?is)^(?:{escaped})$")
            case Regexp(operand, pattern):
                try:
                    return pc.match_substring_regex(_text(self.array(operand)), pattern)
                except pa.ArrowInvalid as error:
                    raise UnsupportedQuery(f"{pattern!r} is not a regular expression: {error}") from None
            case Cidr(operand, networks):
                return _in_networks(self.array(operand), networks)
            case Negate(operand):
                return pc.negate(_real(self.array(operand)))
            case Arithmetic(op, left, right):
                return _arithmetic(op, _real(self.array(left)), _real(self.array(right)))
            case Call(name, arguments):
                return self._call(name, arguments)

    def _column(self, name: str) -> pa.Array:
        import pyarrow as pa

        found = self._columns.get(name)
        if found is None:
            raise UnsupportedQuery(
                f"{name!r} is not known without a server: only what stands in the capture can be asked for here; "
                f"columns are {', '.join(sorted(self._columns))}"
            )
        return found.dictionary_decode() if pa.types.is_dictionary(found.type) else found

    def _call(self, name: str, arguments: Sequence[Expr]) -> pa.Array:
        import pyarrow.compute as pc

        simple: Mapping[str, Callable[[Any], Any]] = {
            "abs": pc.abs,
            "floor": pc.floor,
            "ceil": pc.ceil,
            "lower": pc.utf8_lower,
            "upper": pc.utf8_upper,
            "length": pc.utf8_length,
        }
        if name == "map_at" and len(arguments) == 3 and isinstance(arguments[2], Literal):
            return _map_at(self.array(arguments[0]), self.array(arguments[1]), str(arguments[2].value))
        if name == "if":
            return pc.if_else(*(self.array(argument) for argument in arguments))
        if name == "coalesce":
            return pc.coalesce(*(self.array(argument) for argument in arguments))
        if name in simple and len(arguments) == 1:
            return simple[name](self.array(arguments[0]))
        raise UnsupportedQuery(
            f"the function {name!r} cannot be used here; load the rows into a storage and query that"
        )


def _compare(op: str, array: pa.Array, value: Any) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_boolean(array.type) and isinstance(value, int):
        value = bool(value)
    elif pa.types.is_timestamp(array.type) and isinstance(value, int):
        array = array.cast(pa.int64())
    elif pa.types.is_fixed_size_binary(array.type) and isinstance(value, bytes):
        array = array.cast(pa.binary())
    scalar = pa.scalar(value)
    try:
        scalar = scalar.cast(array.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError):
        # 4.5 against whole numbers, -1 against unsigned ones: compare as reals, as people mean it
        array = _real(array)
    return pc.call_function(_COMPARE[op], [array, scalar])


def _alike(left: pa.Array, right: pa.Array) -> tuple[pa.Array, pa.Array]:
    if left.type == right.type:
        return left, right
    return _real(left), _real(right)


def _real(array: pa.Array) -> pa.Array:
    import pyarrow as pa

    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.int64())
    try:
        return array.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UnsupportedQuery(f"{array.type} is no number and cannot be compared or reckoned with as one") from None


def _arithmetic(op: str, left: pa.Array, right: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if op in _ARITHMETIC:
        return pc.call_function(_ARITHMETIC[op], [left, right])
    divisor = pc.if_else(pc.equal(right, 0.0), pa.scalar(None, pa.float64()), right)
    quotient = pc.divide(left, divisor)
    if op == "/":
        return quotient
    return pc.subtract(left, pc.multiply(pc.trunc(quotient), divisor))


def _text(array: pa.Array) -> pa.Array:
    import pyarrow as pa

    return array if pa.types.is_string(array.type) or pa.types.is_large_string(array.type) else array.cast(pa.utf8())


def _escape(character: str) -> str:
    return character if character.isalnum() or character.isspace() else f"\\{character}"


def _in_networks(array: pa.Array, networks: tuple[str, ...]) -> pa.Array:
    """Membership by the different values: a capture has few addresses and many rows."""
    import pyarrow as pa

    wanted = [ipaddress.ip_network(text, strict=False) for text in networks]

    def inside(value: Any) -> bool | None:
        if value is None:
            return None
        address = ipaddress.IPv6Address(value) if isinstance(value, bytes) else ipaddress.ip_address(value)
        return any(address.version == network.version and address in network for network in wanted)

    encoded = array.dictionary_encode()
    answers = pa.array([inside(value) for value in encoded.dictionary.to_pylist()], pa.bool_())
    return answers.take(encoded.indices)


def _map_at(names: pa.Array, values: pa.Array, key: str) -> pa.Array:
    import pyarrow as pa

    found = [
        dict(zip(keys or (), held or (), strict=False)).get(key)
        for keys, held in zip(names.to_pylist(), values.to_pylist(), strict=True)
    ]
    return pa.array(found, values.type.value_type)

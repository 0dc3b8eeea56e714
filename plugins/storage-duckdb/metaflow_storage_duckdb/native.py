"""What DuckDB has no function for, as vectorised Python functions that every connection gets.

Each gets whole columns; each different value is translated once.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import FunctionNullHandling, PythonUDFType

from metaflow_core.model.catalog.decode import address_text

__all__ = ["function_for", "install"]


def function_for(kind: str) -> str:
    """The SQL name of one of the functions."""
    return f"metaflow_{kind}"


def _array(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _address(kind: str) -> Callable[[Any], pa.Array]:
    return lambda column: address_text(_array(column), kind)


def _time(unit: str) -> Callable[[Any], pa.Array]:
    def text(column: Any) -> pa.Array:
        return pc.strftime(_array(column).cast(pa.int64()).cast(pa.timestamp(unit)), format="%Y-%m-%d %H:%M:%S")

    return text


def _float(column: Any) -> pa.Array:
    return _array(column).cast(pa.utf8())


def _mask6(column: Any, bits: Any) -> pa.Array:
    encoded = _array(column).dictionary_encode()
    length = bits[0].as_py() if len(bits) else 128
    names = [
        None if value is None else str(ipaddress.IPv6Network((value, length), strict=False))
        for value in encoded.dictionary.to_pylist()
    ]
    return pa.array(names, pa.utf8()).take(encoded.indices)


def _map(names: Any, values: Any) -> pa.Array:
    pairs = zip(names.to_pylist(), values.to_pylist(), strict=True)
    return pa.array(
        [
            json.dumps(dict(zip(keys or (), held or (), strict=False)), ensure_ascii=False, sort_keys=True)
            for keys, held in pairs
        ],
        pa.utf8(),
    )


def _map_key(texts: Any, keys: Any) -> pa.Array:
    """A map is learnt as a JSON object; this is one key of it. What is no such object has no keys."""
    encoded = _array(texts).dictionary_encode()
    key = keys[0].as_py() if len(keys) else ""
    out = []
    for text in encoded.dictionary.to_pylist():
        try:
            known = json.loads(text) if text else {}
        except ValueError:
            known = {}
        value = known.get(key, "") if isinstance(known, dict) else ""
        out.append(value if isinstance(value, str) else json.dumps(value))
    return pa.array(out, pa.utf8()).take(encoded.indices)


_FUNCTIONS: tuple[tuple[str, Callable[..., Any], tuple[str, ...], bool], ...] = (
    ("ip6", _address("ip6"), ("BLOB",), False),
    ("mac", _address("mac"), ("UBIGINT",), False),
    ("time_s", _time("s"), ("BIGINT",), False),
    ("time_us", _time("us"), ("BIGINT",), False),
    ("time_ns", _time("ns"), ("BIGINT",), False),
    ("float", _float, ("DOUBLE",), False),
    ("mask6", _mask6, ("BLOB", "INTEGER"), False),
    ("map_text", _map, ("VARCHAR[]", "VARCHAR[]"), True),
    ("map_real", _map, ("VARCHAR[]", "DOUBLE[]"), True),
    ("map_key", _map_key, ("VARCHAR", "VARCHAR"), False),
)


def install(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the functions known to a database; its other connections see them too."""
    for kind, function, arguments, nulls in _FUNCTIONS:
        connection.create_function(
            function_for(kind),
            function,
            list(arguments),
            "VARCHAR",
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL if nulls else FunctionNullHandling.DEFAULT,
        )

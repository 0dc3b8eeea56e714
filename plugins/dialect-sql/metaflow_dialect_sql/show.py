"""``SHOW``: the catalogue as rows, which can be filtered and cut like any others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
from sqlglot import exp

from metaflow_core.api import QueryResult
from metaflow_core.errors import QueryError, QuerySyntaxError
from metaflow_core.model.catalog import Catalog, Column, Metric, Table, Tag
from metaflow_core.model.catalog.names import suggestion
from metaflow_core.query.bind import bind
from metaflow_core.query.columns import Frame, mask
from metaflow_core.query.scope import Scope
from metaflow_dialect_sql.calls import RowCalls
from metaflow_dialect_sql.convert import Converter
from metaflow_dialect_sql.fields import Fields, find_table, kind_of
from metaflow_dialect_sql.measures import aggregate_names
from metaflow_dialect_sql.source import table_name
from metaflow_dialect_sql.statements import Select, Show

__all__ = ["answer_show"]

Row = Mapping[str, Any]


def answer_show(show: Show, catalog: Catalog, max_rows: int, *, database: str = "") -> QueryResult:
    """Answers every SHOW that needs no rows of a storage.

    :raises QuerySyntaxError: what is asked of does not exist.
    """
    name, place = _from(show)
    match show.what:
        case "databases":
            rows: Iterable[Row] = _databases(catalog)
        case "tables":
            rows = _tables(catalog, name or database, place)
        case "tags":
            rows = [row for table in _asked(catalog, name, place, database) for row in _tags(table)]
        case "metrics":
            rows = [row for table in _asked(catalog, name, place, database) for row in _metrics(table, catalog)]
        case "functions":
            rows = _functions(catalog)
        case "enum":
            rows = _members(catalog, show.name, show.place)
        case "enums":
            rows = [
                {"name": each.name, "description": each.description, "members": len(each.members)}
                for each in catalog.enums.values()
            ]
        case _:
            rows = [{"language": "en"}]
    table = _table(list(rows))
    if show.select is not None:
        table = _chosen(table, show.select, catalog)
    warnings = (f"only the first {max_rows} rows are given",) if table.num_rows > max_rows else ()
    return QueryResult(table=table.slice(0, max_rows), warnings=warnings)


def _from(show: Show) -> tuple[str, int | None]:
    if show.select is None or show.select.tree.args.get("from_") is None:
        return "", None
    name, place, _ = table_name(show.select.tree)
    return name, place


def _asked(catalog: Catalog, name: str, place: int | None, database: str) -> list[Table]:
    """The table that was named, or all: of each family the one that is answered without a precision."""
    if name:
        if not any(table.name == name for table in catalog.tables.values()):
            in_database = [family for family in _families(catalog) if family.startswith(f"{name}.")]
            if in_database:
                return [catalog.table(family) for family in in_database]
        return [find_table(catalog, name, place, database=database)]
    return [catalog.table(family) for family in _families(catalog) if not database or family.startswith(f"{database}.")]


def _families(catalog: Catalog) -> list[str]:
    return list(dict.fromkeys(table.family for table in catalog.tables.values()))


def _databases(catalog: Catalog) -> list[Row]:
    return [{"name": name} for name in dict.fromkeys(table.database for table in catalog.tables.values())]


def _tables(catalog: Catalog, database: str, place: int | None) -> list[Row]:
    known = [str(row["name"]) for row in _databases(catalog)]
    if database and database not in known:
        raise QuerySyntaxError(f"there is no database {database!r}{suggestion(database, known)}", place)
    rows: list[Row] = []
    for family in _families(catalog):
        tables = catalog.family(family)
        if database and tables[0].database != database:
            continue
        rows.append(
            {
                "name": tables[0].family.partition(".")[2],
                "database": tables[0].database,
                "precisions": " ".join(table.precision for table in tables),
                "signal": tables[0].signal,
                "time": tables[0].time,
                "description": tables[0].description,
            }
        )
    return rows


def _tags(table: Table) -> list[Row]:
    rows: dict[str, dict[str, Any]] = {}
    fields: list[Column | Tag] = [
        *table.tags,
        *(c for c in table.columns if kind_of(c) == "tag" and c.kind != "attribute"),
    ]
    for field in fields:
        base = (field.base or field.name) if field.end is not None else field.name
        if base in rows:
            if field.end == 1:
                rows[base]["server_name"] = field.name
            continue
        enum = field.enum if isinstance(field, Column) else ""
        rows[base] = {
            "name": base,
            "client_name": field.name,
            "server_name": field.name,
            "display_name": base.replace("_", " "),
            "type": _type(field),
            "category": (
                field.group if isinstance(field, Column) else "resource" if field.kind == "resource" else field.kind
            )
            or "tag",
            "enum": enum,
            "operators": _operators(field),
            "description": field.description,
            "table": table.family,
        }
    return list(rows.values())


def _type(field: Column | Tag) -> str:
    if isinstance(field, Tag):
        return field.kind
    if field.enum:
        return "string_enum" if field.type in ("lowcard", "string") else "int_enum"
    return {"lowcard": "string", "ip4": "ip", "ip6": "ip", "time_s": "time", "time_us": "time", "time_ns": "time"}.get(
        field.type, field.type
    )


def _operators(field: Column | Tag) -> str:
    kind = _type(field)
    if kind in ("string", "json", "resource", "map", "string_enum", "int_enum"):
        return "= != in like regexp exist"
    return "= != in" if kind in ("ip", "bool") else "= != < <= > >= in exist"


def _metrics(table: Table, catalog: Catalog) -> list[Row]:
    fields: list[Column | Metric] = [*(c for c in table.columns if kind_of(c) != "tag"), *table.metrics]
    return [
        {
            "name": field.name,
            "is_agg": False,
            "display_name": field.name.replace("_", " "),
            "unit": field.unit,
            "type": field.kind,
            "category": field.group,
            "functions": " ".join(function.name for function in catalog.legal(field)),
            "expression": field.text if isinstance(field, Metric) else "",
            "description": field.description,
            "table": table.family,
        }
        for field in fields
    ]


def _functions(catalog: Catalog) -> list[Row]:
    return [
        {
            "name": function.name,
            "arguments": ", ".join(function.arguments),
            "result": function.result,
            "kinds": " ".join(function.kinds),
            "description": function.description,
        }
        for function in catalog.functions.values()
    ]


def _members(catalog: Catalog, name: str, place: int) -> list[Row]:
    wanted = name.strip("`")
    if wanted not in catalog.enums:
        of_column = [
            column.enum
            for table in catalog.tables.values()
            for column in table.columns
            if column.enum and wanted in (column.name, column.base)
        ]
        if not of_column:
            raise QuerySyntaxError(f"there is no enumeration {wanted!r}{suggestion(wanted, catalog.enums)}", place)
        wanted = of_column[0]
    return [
        {
            "value": str(each.value),
            "name": each.name,
            "display_name": each.display or each.name,
            "description": each.description,
        }
        for each in catalog.enum(wanted).members
    ]


def _table(rows: list[Row]) -> pa.Table:
    names = list(rows[0]) if rows else ["name"]
    return pa.table({name: pa.array([row[name] for row in rows]) for name in names})


def _chosen(table: pa.Table, select: Select, catalog: Catalog) -> pa.Table:
    """WHERE, ORDER BY, LIMIT and OFFSET on the rows of a SHOW."""
    columns = tuple(
        Column(name, "bool" if pa.types.is_boolean(table.schema.field(name).type) else "string")
        for name in table.column_names
    )
    shape = Table("show", "show", "", "", "", "", "none", columns[0].name, (), "", 0, columns)
    fields = Fields(shape, catalog)
    converter = Converter(fields, RowCalls(fields, aggregate_names(catalog), "WHERE"))
    where = select.tree.args.get("where")
    if where is not None:
        predicate = bind(converter.expr(where.this), Scope.of_table(shape, catalog))
        arrays = {name: pa.concat_arrays(table.column(name).chunks) for name in table.column_names}
        table = table.filter(mask(predicate, Frame(table.num_rows, arrays, {})))
    order = select.tree.args.get("order")
    if order is not None:
        keys = []
        for each in order.expressions:
            name = str(each.this.name)
            fields.need(name, None)
            keys.append((name, "descending" if each.args.get("desc") else "ascending"))
        table = table.sort_by(keys)
    for key in ("having", "group", "distinct"):
        if select.tree.args.get(key):
            raise QueryError(f"SHOW takes WHERE, ORDER BY, LIMIT and OFFSET, not {key.upper()}")
    return table.slice(_number(select.tree, "offset") or 0, _number(select.tree, "limit"))


def _number(tree: exp.Select, key: str) -> int | None:
    node = tree.args.get(key)
    text = "" if node is None else str(node.expression.this)
    if node is not None and (not text.isdecimal() or len(text) > 15):
        raise QueryError(f"{key.upper()} is a whole number")
    return int(text) if node is not None else None

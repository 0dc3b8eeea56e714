"""The catalogue as JSON, for pickers and for people who write clients."""

from __future__ import annotations

from typing import Any

from metaflow_core.model.catalog import Catalog, Table

__all__ = ["describe", "describe_table"]


def describe(catalog: Catalog) -> dict[str, Any]:
    """Every table in short, functions and enumerations."""
    families = dict.fromkeys(table.family for table in catalog.tables.values())
    return {
        "tables": [_short(catalog, family) for family in families],
        "functions": [
            {
                "name": function.name,
                "arguments": list(function.arguments),
                "kinds": list(function.kinds),
                "result": function.result,
                "description": function.description,
            }
            for function in catalog.functions.values()
        ],
        "enums": {
            enum.name: [
                {"value": m.value, "name": m.name, "display_name": m.display or m.name, "description": m.description}
                for m in enum.members
            ]
            for enum in catalog.enums.values()
        },
    }


def _short(catalog: Catalog, family: str) -> dict[str, Any]:
    tables = catalog.family(family)
    first = tables[0]
    return {
        "name": family,
        "database": first.database,
        "precisions": [table.precision for table in tables if table.precision],
        "signal": first.signal,
        "ends": first.ends,
        "time": first.time,
        "description": first.description,
    }


def describe_table(catalog: Catalog, name: str) -> dict[str, Any]:
    """One table with its columns, metrics and tags.

    :raises QueryError: there is no such table; the sentence suggests the nearest.
    """
    table = catalog.table(name)
    return {
        **_short(catalog, table.family),
        "columns": _columns(table, catalog),
        "metrics": _metrics(table, catalog),
        "tags": _tags(table),
    }


def _columns(table: Table, catalog: Catalog) -> list[dict[str, Any]]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "kind": column.kind,
            "unit": column.unit,
            "enum": column.enum,
            "group": column.group,
            "functions": [function.name for function in catalog.legal(column)],
            "description": column.description,
        }
        for column in table.columns
    ]


def _metrics(table: Table, catalog: Catalog) -> list[dict[str, Any]]:
    return [
        {
            "name": metric.name,
            "kind": metric.kind,
            "unit": metric.unit,
            "expression": metric.text,
            "group": metric.group,
            "functions": [function.name for function in catalog.legal(metric)],
            "description": metric.description,
        }
        for metric in table.metrics
    ]


def _tags(table: Table) -> list[dict[str, Any]]:
    return [{"name": tag.name, "kind": tag.kind, "end": tag.end, "description": tag.description} for tag in table.tags]

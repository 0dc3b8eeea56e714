"""Values: the record catalogue, its Arrow schemas, and expressions over its columns. Nothing here does I/O of its own.

``conform``, ``arrow_schema``, ``decode`` and ``render_rows`` stand in modules of :mod:`metaflow_core.model.catalog` that import
pyarrow; they are not imported here, so that reading the catalogue stays cheap.
"""

from __future__ import annotations

from metaflow_core.model.catalog import (
    Catalog,
    Column,
    Enum,
    Function,
    Member,
    Metric,
    Table,
    Tag,
    check_catalog,
    load_catalog,
)

__all__ = [
    "Catalog",
    "Column",
    "Enum",
    "Function",
    "Member",
    "Metric",
    "Table",
    "Tag",
    "check_catalog",
    "load_catalog",
]

"""The record catalogue: every table, column, metric, tag, enumeration and function that MetaFlow knows, declared once as data.

Arrow schemas, the tables of a store, ``show tables|tags|metrics``, PromQL names, the reference documentation and the pickers of
the user interface are all derived from it. The files stand in ``data/``; plugins add to it with :meth:`Catalog.extend`.

>>> catalog = load_catalog()
>>> catalog.table("network.1m").column("byte_tx").unit
'byte'
"""

from __future__ import annotations

from metaflow_core.model.catalog.catalog import Catalog
from metaflow_core.model.catalog.load import check_catalog, load_catalog
from metaflow_core.model.catalog.types import TYPES, Type
from metaflow_core.model.catalog.values import Column, Enum, Function, Member, Metric, Table, Tag

__all__ = [
    "TYPES",
    "Catalog",
    "Column",
    "Enum",
    "Function",
    "Member",
    "Metric",
    "Table",
    "Tag",
    "Type",
    "check_catalog",
    "load_catalog",
]

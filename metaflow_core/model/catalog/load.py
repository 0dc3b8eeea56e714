"""Opens the catalogue that the core ships."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from metaflow_core.errors import ConfigError, Problem
from metaflow_core.model.catalog.catalog import Catalog, LazyTables
from metaflow_core.model.catalog.check import check_table
from metaflow_core.model.catalog.data import DataFiles
from metaflow_core.model.catalog.rows import Row
from metaflow_core.model.catalog.values import Enum, Table

__all__ = ["check_catalog", "load_catalog"]


def load_catalog(root: Path | None = None) -> Catalog:
    """The catalogue of a directory of data; of the core's own when none is given.

    Reads the lists of tables, enumerations and functions (a few milliseconds); a table's columns when it is first used.

    :raises ConfigError: a file is missing or malformed, with file and line.
    """
    files = DataFiles(root or Path(__file__).parent / "data")
    enums = files.enums()
    entries: dict[str, Table | Callable[[], Mapping[str, Table]]] = {}
    for row in files.table_rows():
        build = _builder(files, row, enums)
        for precision in row.words("precisions") or ("",):
            entries[f"{row['name']}.{precision}" if precision else row["name"]] = build
    return Catalog(LazyTables(entries), enums, files.functions())


def _builder(files: DataFiles, row: Row, enums: dict[str, Enum]) -> Callable[[], Mapping[str, Table]]:
    return lambda: files.tables(row, enums)


def check_catalog(catalog: Catalog) -> list[Problem]:
    """Every mistake in every table; empty when the catalogue is right."""
    problems: list[Problem] = []
    for name in catalog.tables:
        try:
            problems += check_table(catalog.tables[name], catalog.enums)
        except ConfigError as error:
            problems += error.problems
    return list(dict.fromkeys(problems))

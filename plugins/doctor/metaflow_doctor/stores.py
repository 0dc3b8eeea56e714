"""Stores: which are installed, whether each can be built here, and what lies in the data directory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from metaflow_core.api import Finding, FindingState, Kind, StorageFactory, Surroundings

__all__ = ["look"]

_MOST_FILES = 200_000


def look(surroundings: Surroundings) -> Iterable[Finding]:
    """Of the installed storages; none of them is opened, since a running instance may have it."""
    return list(_look(surroundings.data_dir))


def _look(data_dir: Path) -> Iterator[Finding]:
    from metaflow_core import App
    from metaflow_core.config import read_document
    from metaflow_core.errors import MetaFlowError
    from metaflow_core.sdk import open_host

    factories = open_host(read_document({}), autoload=True).factories(Kind.STORAGE)
    # one that must be told something first keeps rows elsewhere: nothing can be said of it here
    stores = {
        name: each
        for name, each in factories.items()
        if isinstance(each, StorageFactory)
        and not any(field.is_required() for field in each.config.model_fields.values())
    }
    if not stores:
        remedy = "install one: pip install metaflow-storage-clickhouse (or -duckdb, -memory)"
        yield Finding(FindingState.MISSING, "storages", "none is installed: rows are shown and then gone", remedy)
        return
    for name, factory in sorted(stores.items()):
        folder = data_dir / name
        options = {"path": str(folder)} if "path" in factory.config.model_fields else {}
        try:
            App({"storages": {name: options}}, autoload=True).validate()
        except MetaFlowError as error:
            remedy = f"repair or install what it needs: pip install -U metaflow-storage-{name}"
            yield Finding(FindingState.PROBLEM, name, f"cannot be used: {error}", remedy)
            continue
        yield Finding(FindingState.OK, name, f"can be used{_size(folder) if options else ', in memory'}")


def _size(folder: Path) -> str:
    if not folder.exists():
        return f"; nothing is stored in {folder} yet"
    total = files = 0
    paths = [folder] if folder.is_file() else folder.rglob("*")
    for path in paths:
        try:
            if path.is_file():
                total += path.stat().st_size
                files += 1
        except OSError:
            # a part that the store merged away meanwhile
            continue
        if files >= _MOST_FILES:
            return f"; more than {total / 1e6:,.1f} MB in {folder}"
    return f"; {total / 1e6:,.1f} MB in {folder}"

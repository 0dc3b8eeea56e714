"""Writes the reference pages of the records from the catalogue: one page a table, one for enumerations, one for functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from metaflow_core.model.catalog.catalog import Catalog
from metaflow_core.model.catalog.check import METRIC_KINDS
from metaflow_core.model.catalog.types import TYPES
from metaflow_core.model.catalog.values import Column, Metric, Table, Tag

__all__ = ["NOTE", "reference_pages"]

NOTE = "<!-- Made from metaflow_core/model/catalog/data by `python -m metaflow_core.model.catalog.docs`. Edit the data. -->\n"
"""First line of every page that is made, by which such a page is known."""

_ABSENT = {"null": "may be missing", "must": "always there", "zero": ""}


def reference_pages(catalog: Catalog) -> dict[str, str]:
    """File name to content, for every page."""
    families = list(dict.fromkeys(table.family for table in catalog.tables.values()))
    pages = {f"{family}.md": _table_page(catalog.family(family), catalog) for family in families}
    pages["index.md"] = _index(families, catalog)
    pages["enums.md"] = _enums(catalog)
    pages["functions.md"] = _functions(catalog)
    return {name: NOTE + "\n" + text for name, text in pages.items()}


def _grid(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _index(families: list[str], catalog: Catalog) -> str:
    rows = [
        (f"[{f}]({f}.md)", t[0].signal, " ".join(p.precision for p in t) or "single rows", t[0].description)
        for f in families
        for t in (catalog.family(f),)
    ]
    types = [(f"`{t.name}`", t.description) for t in TYPES.values()]
    return (
        "# Records\n\n"
        "Every table that MetaFlow writes and answers from. [Enumerations](enums.md) tell what the numbers mean, "
        "[functions](functions.md) which aggregations are legal for which kind of metric, [expressions](expressions.md) how conditions "
        "are written, [plans](plans.md) what storages and dialects agree on. Plugins may add tables, columns and "
        "members of open enumerations; `mflow query \"SHOW TABLES\"` and `/v1/catalog` list what a running server has.\n\n"
        "In a table of two ends, `_0` is the client and `_1` the server. In such a table and in one of one end, tags of resources "
        "are stored as integers and read as names.\n\n"
        "Names of products appear in these pages where the reference model has them (kinds of resources, tag sources); protocols are "
        "named by the parsers that are installed.\n\n"
        "## Tables\n\n" + _grid(("Table", "Signal", "Precisions", "What it holds"), rows)
        + "\n## Types\n\n" + _grid(("Type", "Meaning"), types)
    )  # fmt: skip


def _table_page(precisions: tuple[Table, ...], catalog: Catalog) -> str:
    table = precisions[0]
    head = f"# {table.family}\n\n{table.description}\n\n"
    keeping = [
        (
            f"`{t.name}`",
            "written" if not t.rolled_from else f"from `{t.rolled_from.rpartition('.')[2]}`",
            t.partition,
            _days(t),
        )
        for t in precisions
    ]
    head += _grid(("Name", "Rows", "Partition", "Kept"), keeping)
    head += f"\nOrdered by {', '.join(f'`{name}`' for name in table.order_key)}. Time column: `{table.time}`.\n"
    tags = [column for column in table.columns if column.kind not in METRIC_KINDS]
    metrics = [column for column in table.columns if column.kind in METRIC_KINDS]
    parts = [head, "## Columns\n", _grid(("Column", "Type", "Group", "Values", "Meaning"), _column_rows(tags))]
    if metrics:
        parts += ["## Stored metrics\n", _metric_grid(metrics)]
    parts += ["## Computed metrics\n", _computed_grid(table.metrics)]
    if table.tags:
        parts += ["## Tags resolved when read\n", _grid(("Tag", "Resolved from", "Meaning"), _tag_rows(table.tags))]
    return "\n".join(parts)


def _days(table: Table) -> str:
    hours = table.ttl_hours
    return f"{hours} h" if hours % 24 or hours < 72 else f"{hours // 24} d"


def _values(column: Column) -> str:
    words = [f"[{column.enum}](enums.md#{column.enum})" if column.enum else "", column.unit, _ABSENT[column.absent]]
    return ", ".join(word for word in words if word)


def _column_rows(columns: Iterable[Column]) -> Iterator[tuple[str, ...]]:
    for column in columns:
        yield f"`{column.name}`", f"`{column.type}`", column.group, _values(column), column.description


def _metric_grid(columns: Iterable[Column]) -> str:
    rows = [(f"`{c.name}`", f"`{c.type}`", c.kind, c.unit, c.roll, c.description) for c in columns]
    return _grid(("Metric", "Type", "Kind", "Unit", "Rolled up by", "Meaning"), rows)


def _computed_grid(metrics: Iterable[Metric]) -> str:
    rows = [(f"`{m.name}`", m.kind, m.unit, f"`{m.text}`", m.description) for m in metrics]
    return _grid(("Metric", "Kind", "Unit", "Expression", "Meaning"), rows)


def _tag_rows(tags: Iterable[Tag]) -> Iterator[tuple[str, ...]]:
    for tag in tags:
        source = ", ".join(f"`{key}`" for key in tag.key) + (f" where `{tag.when}`" if tag.when else "")
        yield f"`{tag.name}`", source, tag.description


def _enums(catalog: Catalog) -> str:
    head = (
        "# Enumerations\n\n"
        "Rows hold the value; queries and output use the name. In a *set* each member is one bit. Plugins may add members to an "
        "*open* enumeration; a value without a name is shown as a number.\n"
    )
    parts = [head]
    for enum in catalog.enums.values():
        words = ", ".join(word for word, said in (("open", enum.open), ("set", enum.bits)) if said)
        rows = [(f"`{m.value}`", f"`{m.name}`", m.display, m.description) for m in enum.members]
        title = f"## {enum.name}\n\n{enum.description}" + (f" ({words})" if words else "")
        parts.append(f"{title}\n\n{_grid(('Value', 'Name', 'Shown as', 'Meaning'), rows)}")
    return "\n".join(parts)


def _functions(catalog: Catalog) -> str:
    rows = [
        (f"`{f.name}({', '.join(f.arguments)})`", f.result, ", ".join(f.kinds), f.description)
        for f in catalog.functions.values()
    ]
    kinds = [
        ("counter", "additive; missing intervals count as 0"),
        ("gauge", "a sampled level; summing it over time means nothing"),
        ("bounded_gauge", "a gauge of which 0 means no data"),
        ("delay", "a duration; rows without a measurement (0) do not count"),
        ("percentage", "numerator by denominator, summed apart, at most 100 %"),
        ("quotient", "numerator by denominator, summed apart"),
        ("other", "none of these"),
        ("tag", "no metric: something to group and filter by"),
    ]
    return (
        "# Functions\n\nAggregate functions, and the kinds of metric for which they are legal.\n\n"
        + _grid(("Function", "Result", "Legal for", "Meaning"), rows)
        + "\n## Kinds of metric\n\n"
        + _grid(("Kind", "Meaning"), kinds)
    )

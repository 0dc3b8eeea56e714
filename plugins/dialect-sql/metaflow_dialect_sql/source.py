"""The table that a SELECT names, and what may stand beside it in FROM."""

from __future__ import annotations

from sqlglot import exp

from metaflow_core.errors import QuerySyntaxError
from metaflow_core.model.catalog import Catalog
from metaflow_core.model.catalog.names import suggestion
from metaflow_dialect_sql.fields import Fields, find_table
from metaflow_dialect_sql.statements import at

__all__ = ["fields_of", "table_name"]


def table_name(tree: exp.Select) -> tuple[str, int | None, str]:
    """Name, place and alias of the one table.

    :raises QuerySyntaxError: there is none, or something else than a table.
    """
    source = tree.args.get("from_")
    node = source.this if source is not None else None
    if node is None:
        raise QuerySyntaxError("expected FROM and the name of a table; SHOW TABLES lists them")
    if isinstance(node, exp.Subquery):
        raise QuerySyntaxError("a question inside of a question is not taken", at(node))
    if not isinstance(node, exp.Table):
        raise QuerySyntaxError("FROM names one table", at(node))
    alias = node.args.get("alias")
    if not isinstance(node.this, exp.Identifier) or (alias is not None and alias.args.get("columns")):
        raise QuerySyntaxError(
            "FROM names one table of the catalogue; functions such as file(), url() or remote() are not taken", at(node)
        )
    for key, value in node.args.items():
        if value and key not in ("this", "db", "catalog", "alias"):
            raise QuerySyntaxError(f"{key.strip('_').upper()} is not taken in FROM", at(node))
    parts = [node.args.get(key) for key in ("catalog", "db", "this")]
    return ".".join(str(part.this) for part in parts if part), at(node), alias.name if alias is not None else ""


def fields_of(tree: exp.Select, catalog: Catalog, *, database: str = "", precision: str = "") -> Fields:
    """The names of the table that a SELECT asks.

    A table that is kept in several precisions, named without one, is asked in that of ``precision``, else in the coarsest whose
    rows fit into the question's buckets.

    :raises QuerySyntaxError: there is no such table.
    """
    name, place, alias = table_name(tree)
    table = find_table(catalog, name, place, database=database, precision=precision)
    if table.precision and not precision and not name.endswith(f".{table.precision}"):
        steps = [_step(node) for node in tree.find_all(exp.Anonymous) if str(node.this).lower() == "time"]
        known = [step for step in steps if step]
        if known:
            fitting = [
                each
                for each in catalog.family(table.name)
                if not known[0] % each.interval_s and each.interval_s <= table.interval_s
            ]
            table = fitting[-1] if fitting else table
    if precision and table.precision and table.precision != precision:
        known_names = [each.precision for each in catalog.family(table.name)]
        raise QuerySyntaxError(
            f"{table.family} is not kept in the precision {precision!r}, but in {', '.join(known_names)}{suggestion(precision, known_names)}",
            place,
        )
    return Fields(table, catalog, alias)


def _step(node: exp.Anonymous) -> int:
    argument = node.expressions[1] if len(node.expressions) > 1 else None
    text = str(argument.this) if isinstance(argument, exp.Literal) else ""
    return int(text) if text.isdecimal() and len(text) < 10 else 0

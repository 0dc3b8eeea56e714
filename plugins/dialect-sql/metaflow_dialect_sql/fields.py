"""What a name in a question stands for: tables by their old names too, columns, metrics, tags, keys of maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from metaflow_core.errors import QueryError, QuerySyntaxError
from metaflow_core.model.catalog import Catalog, Column, Metric, Table, Tag
from metaflow_core.model.catalog.names import suggestion

__all__ = ["OLD_TABLES", "Field", "Fields", "find_table", "kind_of"]

Field: TypeAlias = Column | Metric | Tag

OLD_TABLES = {
    "vtap_flow_port": "network",
    "vtap_flow_edge_port": "network_map",
    "vtap_app_port": "application",
    "vtap_app_edge_port": "application_map",
    "l4_flow": "l4_flow_log",
    "l7_flow": "l7_flow_log",
}
"""Names of tables in older versions of the reference model."""

_OLD_TAGS = {
    "tap_side": "observation_point",
    "vtap": "agent",
    "vtap_id": "agent_id",
    "tap": "capture_network_type_id",
    "tap_id": "capture_network_type_id",
    "capture_network_type": "capture_network_type_id",
    "tap_port": "capture_nic",
    "tap_port_type": "capture_nic_type",
    "l7_protocol_str": "l7_protocol",
}


def find_table(catalog: Catalog, name: str, place: int | None, *, database: str = "", precision: str = "") -> Table:
    """The table of a name, with or without database and precision.

    :param database: tried first when the name has none. :param precision: for a table kept in several, when the name has none.
    :raises QuerySyntaxError: there is no such table; the nearest is suggested.
    """
    parts = [OLD_TABLES.get(part, part) for part in name.split(".")]
    wanted = ".".join(parts)
    tries = [f"{database}.{wanted}", wanted] if database else [wanted]
    if precision:
        tries = [*(f"{each}.{precision}" for each in tries), *tries]
    for each in tries[:-1]:
        try:
            return catalog.table(each)
        except QueryError:
            continue
    try:
        return catalog.table(wanted)
    except QueryError as error:
        raise QuerySyntaxError(str(error), place) from None


def kind_of(field: Field) -> str:
    """The kind that decides which functions make sense; everything that is no metric is a ``tag``."""
    if isinstance(field, Tag) or field.kind in ("id", "text", "time", "attribute", "blob"):
        return "tag"
    return field.kind


@dataclass(frozen=True, slots=True)
class Fields:
    """The names of one table."""

    table: Table
    catalog: Catalog
    alias: str = ""

    def canonical(self, name: str) -> str:
        """The name in the catalogue: a table's name in front is taken off, old names of tags are replaced."""
        if self.find(name) is not None:
            return name
        for prefix in (self.alias, self.table.name, self.table.short, self.table.short.partition(".")[0]):
            if prefix and name.startswith(f"{prefix}."):
                name = name[len(prefix) + 1 :]
                break
        if self.find(name) is None:
            base, end = (name[:-2], name[-2:]) if name.endswith(("_0", "_1")) else (name, "")
            new = _OLD_TAGS.get(base, base) + end
            if self.find(new) is not None:
                return new
        return name

    def find(self, name: str) -> Field | None:
        """The column, metric or tag of a name; for ``k8s.label.KEY`` the map."""
        found = self.table.by_name.get(name)
        if found is not None:
            return found
        for tag in self.table.tags:
            if tag.kind == "map" and name.startswith(f"{tag.base}."):
                key = name[len(tag.base) + 1 :]
                if (tag.end is None and key) or (tag.end is not None and key.endswith(f"_{tag.end}")):
                    return tag
        return None

    def need(self, name: str, place: int | None) -> Field:
        """As :meth:`find`.

        :raises QuerySyntaxError: there is no such name; the nearest is suggested.
        """
        found = self.find(name)
        if found is None:
            raise QuerySyntaxError(
                f"there is no column {name!r} in {self.table.name}{suggestion(name, self.table.by_name)}", place
            )
        return found

    @property
    def time(self) -> Column:
        """The column of time."""
        return self.table.column(self.table.time)

"""The catalogue: every table, column, metric, tag, enumeration and function, in one immutable value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from metaflow_core.errors import ConfigError
from metaflow_core.model.catalog.names import nearest, unknown
from metaflow_core.model.catalog.values import Column, Enum, Function, Member, Metric, Table, Tag

__all__ = ["Catalog", "LazyTables"]


class LazyTables(Mapping[str, Table]):
    """Tables by full name; each is built when it is first asked for.

    Holds either a table or what builds one. A build returns a family: all precisions of the table at once.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[str, Table | Callable[[], Mapping[str, Table]]]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> Table:
        entry = self._entries[name]
        if isinstance(entry, Table):
            return entry
        self._entries.update(entry())
        built = self._entries[name]
        assert isinstance(built, Table)
        return built

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every table, enumeration and function that is known. Immutable: :meth:`extend` returns another."""

    tables: Mapping[str, Table]
    enums: Mapping[str, Enum]
    functions: Mapping[str, Function]

    def table(self, name: str) -> Table:
        """The table of a name.

        The database may be left out (``l7_flow_log``, ``network.1m``) where the rest is unambiguous. A table that is kept in
        several precisions, asked for without one, is answered with the coarsest that rows are written to (``1m``).

        :raises QueryError: there is no such table, or several; the sentence names the nearest.
        """
        if name in self.tables:
            return self.tables[name]
        matches = [full for full in self.tables if full.partition(".")[2] == name]
        if not matches:
            # A precision is the part after the family; look for families by full and by short name.
            inside = [
                full
                for full in self.tables
                if full.startswith(f"{name}.") or full.partition(".")[2].startswith(f"{name}.")
            ]
            family = {self.tables[full].family for full in inside}
            if len(family) == 1:
                return [self.tables[full] for full in inside if not self.tables[full].rolled_from][-1]
            matches = sorted(family)
        if len(matches) == 1:
            return self.tables[matches[0]]
        if matches:
            raise unknown("single table", name, (), f"(it could be {', '.join(matches)})")
        raise unknown("table", name, self._table_names())

    def _table_names(self) -> list[str]:
        names = list(self.tables)
        return [*names, *(name.partition(".")[2] for name in names)]

    def family(self, name: str) -> tuple[Table, ...]:
        """Every precision of a table, finest first; the table alone when it has none.

        :raises QueryError: there is no such table.
        """
        wanted = self.table(name).family
        found = [self.tables[full] for full in self.tables if full == wanted or full.startswith(f"{wanted}.")]
        return tuple(sorted((t for t in found if t.family == wanted), key=lambda table: table.interval_s))

    def enum(self, name: str) -> Enum:
        """The enumeration of a name.

        :raises QueryError: there is none.
        """
        if name in self.enums:
            return self.enums[name]
        raise unknown("enumeration", name, self.enums)

    def function(self, name: str) -> Function:
        """The aggregate function of a name, without regard to case.

        :raises QueryError: there is none; the sentence names the nearest.
        """
        found = self.functions.get(name)
        if found is None:
            near = nearest(name, self.functions)
            if near is not None and near.lower() == name.lower():
                return self.functions[near]
            raise unknown("function", name, self.functions)
        return found

    def legal(self, field: Column | Metric | Tag) -> tuple[Function, ...]:
        """The aggregate functions that make sense for a column, metric or tag."""
        kind = "tag" if isinstance(field, Tag) or field.kind in ("id", "text", "time", "attribute") else field.kind
        return tuple(function for function in self.functions.values() if kind in function.kinds)

    def extend(
        self,
        *,
        tables: tuple[Table, ...] = (),
        columns: Mapping[str, tuple[Column, ...]] | None = None,
        metrics: Mapping[str, tuple[Metric, ...]] | None = None,
        enums: tuple[Enum, ...] = (),
        members: Mapping[str, tuple[Member, ...]] | None = None,
    ) -> Catalog:
        """Another catalogue with more in it; this one stays as it is.

        :param tables: new tables.
        :param columns: further columns by table name; a name without precision means every precision.
        :param metrics: further metrics by table name, likewise.
        :param enums: new enumerations.
        :param members: further members of open enumerations, e.g. ``{"l7_protocol": (Member(20, "..."),)}``.
        :raises ConfigError: a name is taken, an enumeration is closed, or a column is wrong; every mistake at once.
        :raises QueryError: there is no such table or enumeration.
        """
        from metaflow_core.model.catalog.check import check_enums, check_table

        new_enums = dict(self.enums)
        problems = check_enums(new_enums, enums, members or {})
        if problems:
            raise ConfigError(problems)
        new_enums.update((each.name, each) for each in enums)
        for name, added in (members or {}).items():
            old = new_enums[name]
            kept = {member.value: member for member in (*old.members, *added)}
            new_enums[name] = replace(old, members=tuple(kept.values()))
        new_tables: dict[str, Table | Callable[[], Mapping[str, Table]]] = {
            name: self._entry(name) for name in self.tables
        }
        changed: dict[str, Table] = {}
        for name in {**(columns or {}), **(metrics or {})}:
            for old_table in self.family(name) if name not in self.tables else (self.tables[name],):
                changed[old_table.name] = replace(
                    old_table,
                    columns=(*old_table.columns, *(columns or {}).get(name, ())),
                    metrics=(*old_table.metrics, *(metrics or {}).get(name, ())),
                )
        for table in tables:
            if table.name in new_tables or table.name in changed:
                raise ConfigError(f"the table {table.name!r} exists already")
            changed[table.name] = table
        problems = [problem for table in changed.values() for problem in check_table(table, new_enums)]
        if problems:
            raise ConfigError(problems)
        return Catalog(LazyTables({**new_tables, **changed}), new_enums, self.functions)

    def _entry(self, name: str) -> Callable[[], Mapping[str, Table]]:
        """Builds a table of this catalogue when the new one needs it."""
        return lambda: {name: self.tables[name]}

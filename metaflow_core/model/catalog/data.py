"""Turns the files under ``data/`` into the values of the catalogue, one table at a time and only when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from metaflow_core.errors import ConfigError
from metaflow_core.model.catalog.resolve import resolve_metrics
from metaflow_core.model.catalog.rows import Row, read_rows
from metaflow_core.model.catalog.values import Column, Enum, Function, Member, Metric, Table, Tag

__all__ = ["DataFiles"]

_COLUMN = ("name", "type", "kind", "unit", "enum", "group", "absent", "roll", "from", "description")
_METRIC = ("name", "kind", "unit", "expression", "group", "description")
_TABLE = (
    "name", "signal", "ends", "precisions", "written", "time", "order_key", "partition", "ttl_hours", "description",
)  # fmt: skip
_ENDS: tuple[tuple[int, str], ...] = ((0, " (client)"), (1, " (server)"))


class DataFiles:
    """A directory of catalogue data. Holds what it has read; belongs to one catalogue."""

    __slots__ = ("_blocks", "_root")

    def __init__(self, root: Path) -> None:
        self._root = root
        self._blocks: dict[str, tuple[Row, ...]] = {}

    def table_rows(self) -> Iterator[Row]:
        """The rows of ``tables.csv``."""
        return read_rows(self._root / "tables.csv", _TABLE)

    def enums(self) -> dict[str, Enum]:
        """Every enumeration."""
        out: dict[str, Enum] = {}
        for row in read_rows(self._root / "enums.csv", ("name", "open", "bits", "description")):
            out[row["name"]] = Enum(
                row["name"],
                row["description"],
                tuple(self._members(row["name"])),
                row["open"] == "yes",
                row["bits"] == "yes",
            )
        return out

    def _members(self, enum: str) -> Iterator[Member]:
        for row in read_rows(self._root / "enums" / f"{enum}.csv", ("value", "name", "display", "description")):
            value = row["value"]
            number = int(value) if value.isdecimal() else value
            yield Member(number, row["name"], row["display"], row["description"])

    def functions(self) -> dict[str, Function]:
        """Every aggregate function."""
        header = ("name", "kinds", "arguments", "result", "description")
        return {
            row["name"]: Function(
                row["name"], row.words("kinds"), row.words("arguments"), row["result"], row["description"]
            )
            for row in read_rows(self._root / "functions.csv", header)
        }

    def tables(self, row: Row, enums: dict[str, Enum]) -> dict[str, Table]:
        """The table of a row of ``tables.csv``, or its precisions, by name.

        :raises ConfigError: a row of its files is wrong; every problem carries file and line.
        """
        family = row["name"]
        columns = tuple(self._columns(self._root / "tables" / f"{family}.csv"))
        tags = tuple(self._tags(columns))
        metrics = self._metrics(family, columns, enums)
        precisions, written = row.words("precisions") or ("",), row.words("written") or ("",)
        out: dict[str, Table] = {}
        for index, precision in enumerate(precisions):
            name = f"{family}.{precision}" if precision else family
            out[name] = Table(
                name=name,
                family=family,
                precision=precision,
                rolled_from="" if precision in written else f"{family}.{precisions[index - 1]}",
                description=row["description"],
                signal=row["signal"],
                ends=row["ends"],
                time=row["time"],
                order_key=row.words("order_key"),
                partition=row.words("partition")[index],
                ttl_hours=int(row.words("ttl_hours")[index]),
                columns=columns,
                metrics=metrics,
                tags=tags,
            )
        return out

    def _columns(self, path: Path) -> Iterator[Column]:
        seen: set[str] = set()
        for row in read_rows(path, _COLUMN):
            for column in self._expand(row):
                if column.name in seen:
                    raise ConfigError([row.problem(f"the column {column.name!r} is declared twice")])
                seen.add(column.name)
                yield column

    def _expand(self, row: Row) -> Iterator[Column]:
        """A row as columns: ``@block`` includes a file, an ending ``_*`` makes one column for each end."""
        name = row["name"]
        if not name.startswith("@"):
            if name.endswith("_*"):
                yield from (_column(row, name[:-2], end, suffix) for end, suffix in _ENDS)
            else:
                yield _column(row, name, None, "")
            return
        block, both = (name[1:-2], True) if name.endswith("_*") else (name[1:], False)
        rows = self._blocks.get(block)
        if rows is None:
            rows = self._blocks[block] = tuple(read_rows(self._root / "blocks" / f"{block}.csv", _COLUMN))
        ends: tuple[tuple[int | None, str], ...] = _ENDS if both else ((None, ""),)
        for end, suffix in ends:
            for inner in rows:
                yield _column(inner, inner["name"], end, suffix)

    def _metrics(self, family: str, columns: tuple[Column, ...], enums: dict[str, Enum]) -> tuple[Metric, ...]:
        rows = [*self._metric_rows("common"), *self._metric_rows(family)]
        return resolve_metrics(rows, {column.name: column for column in columns}, enums)

    def _metric_rows(self, name: str) -> Iterator[Row]:
        path = self._root / "metrics" / f"{name}.csv"
        if not path.exists():
            return
        for row in read_rows(path, _METRIC):
            if row["name"].startswith("@"):
                yield from self._metric_rows(row["name"][1:])
            else:
                yield row

    def _tags(self, columns: tuple[Column, ...]) -> Iterator[Tag]:
        names = {column.name for column in columns}
        header = ("name", "kind", "key", "when", "dictionary", "ends", "description")
        for row in read_rows(self._root / "tags.csv", header):
            keys = row.words("key")
            for ending, end in (("", None), ("_0", 0), ("_1", 1)):
                if ending and row["ends"] != "yes":
                    continue
                # The family of an address is one column for both ends.
                key = tuple(k if k == "is_ipv4" else k + ending for k in keys)
                present = tuple(k for k in key if k in names)
                needed = present[:1] if row["kind"] == "map" and row["dictionary"] else key
                if not present or any(k not in names for k in needed) or row["name"] + ending in names:
                    continue
                when = row["when"].replace("l3_device_type", "l3_device_type" + ending)
                when = when.replace("l3_epc_id", "l3_epc_id" + ending)
                yield Tag(
                    row["name"] + ending,
                    row["kind"],
                    present,
                    when,
                    row["dictionary"],
                    row["description"],
                    row["name"],
                    end,
                )


def _column(row: Row, name: str, end: int | None, suffix: str) -> Column:
    description = row["description"]
    return Column(
        name=name if end is None else f"{name}_{end}",
        type=row["type"],
        kind=row["kind"],
        unit=row["unit"],
        enum=row["enum"],
        group=row["group"],
        absent=row["absent"] or "zero",
        roll=row["roll"],
        sources=row.words("from"),
        description=description[:-1] + suffix + "." if suffix and description.endswith(".") else description,
        base=name,
        end=end,
    )

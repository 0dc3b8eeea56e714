"""Brings a store to what this version and this catalogue need, records what was done, and refuses what it cannot understand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from metaflow_core.errors import StartError
from metaflow_core.model.catalog import Catalog, Table
from metaflow_core.query import labels_of
from metaflow_storage_clickhouse.engines.base import Engine
from metaflow_storage_clickhouse.schema.ddl import create_statements
from metaflow_storage_clickhouse.schema.layout import Layout, root_of
from metaflow_storage_clickhouse.schema.sums import sums_of
from metaflow_storage_clickhouse.schema.types import arrow_name, widened
from metaflow_storage_clickhouse.series import list_columns, make_series, move_labels
from metaflow_storage_clickhouse.sql.quote import identifier, literal, table_name, text

__all__ = ["MIGRATIONS", "STORE_VERSION", "VERSIONS_TABLE", "Migration", "bring_up", "rebuild_rollup", "summing"]

VERSIONS_TABLE = "metaflow_system.schema_version"
"""One row a change: when, to which version, what."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from a version to the next.

    :ivar describe: one line for the table of versions. :ivar statements: makes them; they must bear being run twice, for a
        process can be killed between two of them.
    """

    describe: str
    statements: Callable[[Engine, Catalog, Layout], Sequence[str]]


def _narrowed(engine: Engine, catalog: Catalog, layout: Layout) -> Sequence[str]:
    """New parts, and old ones when they are merged, are compressed as in a new store."""
    present = _present(engine)
    statements = []
    for table in catalog.tables.values():
        found = present.get((table.database, table.short + ("_local" if layout.cluster else "")), {})
        changes = [
            f"MODIFY COLUMN {identifier(name)} CODEC({layout.codec_of(type_)})"
            for name, type_ in layout.columns(table).items()
            if found.get(name) == type_ and layout.codec_of(type_) != layout.codec
        ]
        if changes:
            statements.append(f"ALTER TABLE {layout.physical(table.name)}{layout.on_cluster()} {', '.join(changes)}")
    return statements


MIGRATIONS: Mapping[int, Migration] = MappingProxyType(
    {
        1: Migration("the first version", lambda *_: ()),
        2: Migration("labels of series are kept once a series", move_labels),
        3: Migration("numbers are compressed without their empty bits", _narrowed),
    }
)
"""Steps by the version that they lead to. What a catalogue adds (tables, columns, wider types) needs no step."""

STORE_VERSION = max(MIGRATIONS)
"""The version that this package writes."""


def bring_up(
    engine: Engine, catalog: Catalog, layout: Layout, migrations: Mapping[int, Migration] = MIGRATIONS
) -> list[str]:
    """Make or change what is needed.

    :returns: what was done, one line each; empty where the store was right already.
    :raises StartError: the store was written by a newer version, or a column cannot be changed in place.
    :raises ClickHouseError: a statement failed.
    """
    database, _, _ = VERSIONS_TABLE.partition(".")
    engine.command(f"CREATE DATABASE IF NOT EXISTS {identifier(database)}{layout.on_cluster()}")
    kind = (
        "ReplicatedMergeTree('/clickhouse/tables/all/{database}/{table}', '{replica}')"
        if layout.cluster
        else "MergeTree"
    )
    engine.command(
        f"CREATE TABLE IF NOT EXISTS {table_name(VERSIONS_TABLE)}{layout.on_cluster()} (applied DateTime64(6, 'UTC') DEFAULT now64(6), "
        f"version UInt32, kind LowCardinality(String), subject String, change String) ENGINE = {kind} ORDER BY applied"
    )
    wanted = max(migrations)
    found = _version(engine)
    if found > wanted:
        raise StartError(
            f"the store in {engine.place} has version {found}, this MetaFlow knows versions up to {wanted}; it was written by a "
            "newer MetaFlow: install that one or a later one, or give another path"
        )
    fingerprint = _fingerprint(catalog, layout)
    if found == wanted and _remembered(engine) == fingerprint:
        return []
    done: list[str] = []
    make_series(engine, catalog, layout)
    for version in range(found + 1, wanted + 1):
        # A new store is made in the newest form by what follows.
        if found:
            for statement in migrations[version].statements(engine, catalog, layout):
                engine.command(statement)
        _record(engine, version, "version", "store", migrations[version].describe)
        done.append(f"version {version}: {migrations[version].describe}")
    done += _catalogue(engine, catalog, layout, wanted)
    _record(engine, wanted, "catalogue", fingerprint, f"{len(catalog.tables)} tables")
    return done


def _version(engine: Engine) -> int:
    rows = engine.query(f"SELECT max(version) AS v FROM {table_name(VERSIONS_TABLE)}").to_pylist()
    return int(rows[0]["v"]) if rows else 0


def _remembered(engine: Engine) -> str:
    rows = engine.query(
        f"SELECT subject FROM {table_name(VERSIONS_TABLE)} WHERE kind = 'catalogue' ORDER BY applied DESC LIMIT 1"
    ).to_pylist()
    return str(rows[0]["subject"]) if rows else ""


def _record(engine: Engine, version: int, kind: str, subject: str, change: str) -> None:
    engine.command(
        f"INSERT INTO {table_name(VERSIONS_TABLE)} (version, kind, subject, change) "
        f"VALUES ({version}, {text(kind)}, {text(subject)}, {text(change)})"
    )


def _fingerprint(catalog: Catalog, layout: Layout) -> str:
    """Of everything that DDL is made from; equal means that there is nothing to do."""
    digest = hashlib.blake2b(repr((layout.codec, layout.cluster, layout.settings())).encode(), digest_size=16)
    for table in catalog.tables.values():
        parts = (
            table.name,
            layout.columns(table),
            layout.order_by(table),
            layout.ttl(table),
            layout.indexes(table),
            layout.sums(table),
        )
        digest.update(repr(parts).encode())
    return digest.hexdigest()


def _catalogue(engine: Engine, catalog: Catalog, layout: Layout, version: int) -> list[str]:
    done: list[str] = []
    for database in sorted({table.database for table in catalog.tables.values()}):
        engine.command(f"CREATE DATABASE IF NOT EXISTS {identifier(database)}{layout.on_cluster()}")
    present, expiring = _present(engine), _expiring(engine)
    changed: set[str] = set()
    for table in catalog.tables.values():
        columns = present.get((table.database, table.short + ("_local" if layout.cluster else "")))
        if columns is None:
            statements = create_statements(table, layout)
            note = "made"
        else:
            statements, note = _changes(table, columns, layout, _sorting(engine, table, layout))
            for statement in (*_expiry(table, layout, expiring), *summing(engine, table, layout)):
                engine.command(statement)
        for statement in statements:
            engine.command(statement)
        labels = labels_of(table)
        if labels is not None and (columns is None or labels.names not in columns or labels.values not in columns):
            for statement in list_columns(table, layout):
                engine.command(statement)
        if statements:
            changed.add(table.name)
            if columns is not None:
                _record(engine, version, "table", table.name, note)
            done.append(f"{table.name}: {note}")
    for table in catalog.tables.values():
        if table.rolled_from:
            source = root_of(table, catalog)
            if {table.name, source.name} & changed or (table.database, f"{table.short}_fill") not in present:
                _view(engine, table, source, layout)
    return done


def _present(engine: Engine) -> dict[tuple[str, str], dict[str, str]]:
    rows = engine.query(
        "SELECT database, `table`, name, type FROM system.columns WHERE database NOT IN "
        "('system', 'information_schema', 'INFORMATION_SCHEMA') ORDER BY database, `table`, position"
    ).to_pylist()
    out: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        out.setdefault((str(row["database"]), str(row["table"])), {})[str(row["name"])] = str(row["type"])
    return out


def _expiring(engine: Engine) -> set[tuple[str, str]]:
    """Tables that drop old rows."""
    rows = engine.query("SELECT database, name FROM system.tables WHERE engine_full LIKE '% TTL %'").to_pylist()
    return {(str(row["database"]), str(row["name"])) for row in rows}


def _expiry(table: Table, layout: Layout, expiring: set[tuple[str, str]]) -> list[str]:
    """Statements that set when rows go, and the other settings of a table that is there already."""
    alter = f"ALTER TABLE {layout.physical(table.name)}{layout.on_cluster()}"
    settings = ", ".join(f"{name} = {value}" for name, value in layout.settings().items())
    ttl, name = layout.ttl(table), table.short + ("_local" if layout.cluster else "")
    if ttl:
        return [
            f"{alter} MODIFY SETTING {settings}",
            f"{alter} MODIFY TTL {ttl} SETTINGS materialize_ttl_after_modify = 0",
        ]
    gone = [f"{alter} REMOVE TTL"] if (table.database, name) in expiring else []
    return [f"{alter} MODIFY SETTING {settings}", *gone]


def _sorting(engine: Engine, table: Table, layout: Layout) -> str:
    """What rows of a rollup become one by, as the store has it; empty for other tables."""
    if not table.rolled_from:
        return ""
    name = table.short + ("_local" if layout.cluster else "")
    asked = (
        f"SELECT sorting_key AS k FROM system.tables WHERE database = {text(table.database)} AND name = {text(name)}"
    )
    return "".join(str(row["k"]) for row in engine.query(asked).to_pylist())


def _changes(table: Table, found: Mapping[str, str], layout: Layout, sorting: str) -> tuple[list[str], str]:
    """Statements that add and widen columns. A column that no plugin knows any more stays: its rows are there.

    A new tag of a rollup joins its key, or rows that differ in it alone would become one; ClickHouse takes it in the statement that
    adds the column, and at the key's end.
    """
    statements, notes = [], []
    alter = f"ALTER TABLE {layout.physical(table.name)}{layout.on_cluster()}"
    for name, type_ in layout.columns(table).items():
        quoted = identifier(name)
        if name not in found:
            added = f"ADD COLUMN IF NOT EXISTS {quoted} {type_} CODEC({layout.codec_of(type_)})"
            if table.rolled_from and quoted in layout.order_by(table):
                sorting = f"{sorting}, {quoted}"
                added += f", MODIFY ORDER BY ({sorting})"
            statements.append(f"{alter} {added}")
            notes.append(f"column {name} added")
        elif found[name] != type_:
            if not widened(found[name], type_) or quoted in layout.order_by(table):
                # A column that holds more than is wanted can be written to and read; Arrow narrows what fits.
                if widened(type_, found[name]):
                    continue
                raise StartError(
                    f"the column {name!r} of {table.name} holds {arrow_name(found[name])} in the store and must become "
                    f"{arrow_name(type_)}, which cannot be done in place; export the table, drop it, and import it again"
                )
            statements.append(f"{alter} MODIFY COLUMN {quoted} {type_} CODEC({layout.codec_of(type_)})")
            notes.append(f"column {name} widened from {found[name]}")
    if layout.cluster and statements:
        over = f"ALTER TABLE {table_name(table.name)}{layout.on_cluster()}"
        statements += [each.replace(alter, over).partition(" CODEC(")[0] for each in list(statements)]
    return statements, ", ".join(notes)


def summing(engine: Engine, table: Table, layout: Layout) -> list[str]:
    """Sums by minute that a table of an earlier version lacks, or that are not wanted any more."""
    kept = sums_of(table)
    if not kept:
        return []
    name = table.short + ("_local" if layout.cluster else "")
    rows = engine.query(
        f"SELECT name FROM system.projections WHERE database = {text(table.database)} AND table = {text(name)}"
    ).to_pylist()
    present, wanted = {str(row["name"]) for row in rows}, layout.sums(table)
    alter = f"ALTER TABLE {layout.physical(table.name)}{layout.on_cluster()}"
    statements = [
        f"{alter} DROP PROJECTION {each.name}" for each in kept if each not in wanted and each.name in present
    ]
    for each in wanted:
        if each.name not in present:
            statements.append(f"{alter} ADD PROJECTION IF NOT EXISTS {each.name} ({each.definition(table)})")
            # Older parts get theirs in the background; until then they are read row by row.
            statements.append(f"{alter} MATERIALIZE PROJECTION {each.name} SETTINGS mutations_sync = 0")
    return statements


def _view(engine: Engine, table: Table, source: Table, layout: Layout) -> None:
    view, on = layout.view(table), layout.on_cluster()
    select = layout.rollup(table, source).format(where="")
    engine.command(f"DROP VIEW IF EXISTS {view}{on} SYNC")
    engine.command(f"CREATE MATERIALIZED VIEW IF NOT EXISTS {view}{on} TO {layout.physical(table.name)} AS {select}")


def rebuild_rollup(engine: Engine, table: Table, source: Table, layout: Layout, first_s: int, last_s: int) -> None:
    """Make the rows of a rollup between two moments again from its source; what was there before goes.

    :param first_s: and :param last_s: moments in seconds; widened to whole intervals.
    """
    step = table.interval_s
    start, end = first_s // step * step, (last_s // step + 1) * step
    time = identifier(table.time)
    within = f"{time} >= toDateTime({literal(start)}, 'UTC') AND {time} < toDateTime({literal(end)}, 'UTC')"
    engine.command(
        f"ALTER TABLE {layout.physical(table.name)}{layout.on_cluster()} DELETE WHERE {within} SETTINGS mutations_sync = 2"
    )
    columns = ", ".join(identifier(name) for name in (*(column.name for column in table.columns), "_stored"))
    where = f" WHERE {within.replace(time, f'src.{time}')}"
    # On a cluster the rows of all shards went, and rows of all shards come; on which shard a sum is does not matter.
    engine.command(
        f"INSERT INTO {table_name(table.name)} ({columns}) {layout.rollup(table, source, whole=True).format(where=where)}"
    )

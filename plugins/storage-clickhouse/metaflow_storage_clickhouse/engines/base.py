"""What the storage needs of a ClickHouse, wherever it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Engine", "Insert", "Settings", "settings_clause"]

Settings: TypeAlias = Mapping[str, int | float | str]
"""Settings of one statement."""


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows for one table.

    :ivar table: quoted name. :ivar columns: quoted names, in the order of the blocks. :ivar blocks: of the Native format, each as the pieces it is made of.
    """

    table: str
    columns: Sequence[str]
    blocks: Sequence[Sequence[bytes | memoryview]]
    settings: Settings = field(default_factory=dict)

    def statement(self) -> str:
        """The INSERT without its FORMAT."""
        return f"INSERT INTO {self.table} ({', '.join(self.columns)}){settings_clause(self.settings)}"


def settings_clause(settings: Settings) -> str:
    """`` SETTINGS a = 1, b = 'x'``, or nothing. Names and values come from this package and from checked options."""
    from metaflow_storage_clickhouse.sql.quote import text

    shown = [f"{name} = {text(value) if isinstance(value, str) else repr(value)}" for name, value in settings.items()]
    return f" SETTINGS {', '.join(shown)}" if shown else ""


class Engine(Protocol):
    """Runs statements. Every method may be called from any thread and blocks; errors are :class:`ClickHouseError`."""

    @property
    def place(self) -> str:
        """Where it is, for sentences: a directory or the URL of the endpoint in use, without a password."""
        ...

    def open(self) -> None:
        """Acquire it.

        :raises StartError: with a sentence.
        """
        ...

    def close(self) -> None:
        """Give it back. Idempotent."""
        ...

    def query(self, sql: str, settings: Settings | None = None, query_id: str = "") -> pa.Table:
        """Rows of a SELECT. A result without rows may come without columns too."""
        ...

    def fetch(self, sql: str, form: str, settings: Settings | None, query_id: str, max_bytes: int) -> bytes:
        """The rows of a reading statement in one of ClickHouse's forms.

        :param settings: None for a statement that takes none (SHOW, DESCRIBE).
        :raises ClickHouseError: among others with the number 396 when the answer has more bytes than it may.
        """
        ...

    def command(self, sql: str) -> None:
        """A statement without a result."""
        ...

    def insert(self, insert: Insert) -> None:
        """Store rows; when this returns, they are on disk as far as the engine's settings go."""
        ...

    def kill(self, query_id: str) -> None:
        """Stop a query of :meth:`query`; nothing happens when it has ended."""
        ...

    def disk(self) -> Mapping[str, Any]:
        """Bytes free and in use, where it can tell."""
        ...

"""ClickHouse inside this process: chDB over a directory."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflow_core.errors import StartError, UnavailableError
from metaflow_storage_clickhouse.engines.base import Insert, Settings, settings_clause
from metaflow_storage_clickhouse.engines.lock import DirectoryLock
from metaflow_storage_clickhouse.errors import ClickHouseError, as_storage_error, too_long
from metaflow_storage_clickhouse.sql.quote import text

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["EmbeddedEngine"]

_STREAMED = frozenset(
    ["TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "JSONEachRow", "JSONStringsEachRow", "JSONCompactEachRow",
     "JSONCompactStringsEachRow", "BSONEachRow", "RowBinary", "Native", "LineAsString", "RawBLOB", "Null"]
)  # fmt: skip
"""Forms of rows and nothing around them. A stream of chDB writes each block as a whole document of its form, head and foot included."""
_FORMAT: Settings = {
    "output_format_arrow_string_as_string": 1,
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    "output_format_arrow_fixed_string_as_fixed_byte_array": 1,
    "output_format_arrow_compression_method": "none",
}
_PIECES = min(os.sysconf("SC_IOV_MAX"), 1024)
_CONFIG = """<clickhouse>
  <!-- written by MetaFlow at every start -->
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <mark_cache_size>268435456</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>2</background_pool_size>
  <background_schedule_pool_size>2</background_schedule_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
</clickhouse>
"""


class EmbeddedEngine:
    """chDB sessions, one a thread (measured: twice the throughput of a shared one), over one directory.

    The engine lives in threads that a forked child does not have, so a child that uses it would wait for ever: it is refused.

    :param path: the store's directory. :param memory: bytes that the engine may use in all.
    """

    def __init__(self, path: Path, memory: int) -> None:
        self._path = path.absolute()
        self._memory = memory
        self._lock = DirectoryLock(self._path)
        self._local = threading.local()
        self._sessions: list[Any] = []
        self._guard = threading.Lock()
        self._pid: int | None = None
        self._connection = ""

    @property
    def place(self) -> str:
        """The directory."""
        return str(self._path)

    @property
    def clean(self) -> bool:
        """Whether the last owner closed the store."""
        return self._lock.clean

    def open(self) -> None:
        """Lock the directory and start the engine.

        :raises StartError: another process owns it, or it cannot be used. :raises UnavailableError: chDB is not installed.
        """
        if any(character in str(self._path) for character in "?&#%"):
            raise StartError(
                f"the path {str(self._path)!r} holds one of ? & # %, which chDB takes for options; rename it"
            )
        self._lock.acquire()
        try:
            config = self._path / "engine.xml"
            config.write_text(_CONFIG.format(memory=self._memory))
            self._connection = f"{self._path / 'data'}?config-file={config}"
            self._pid = os.getpid()
            self.command("SELECT 1")
        except ImportError as error:
            self._lock.abandon()
            raise UnavailableError(f"chDB cannot be loaded ({error}); install it with: pip install chdb") from error
        except (OSError, ClickHouseError) as error:
            self._pid = None
            self._close_sessions()
            self._lock.abandon()
            if "already initialized with path" in str(error):
                raise StartError(
                    f"the store in {self._path} cannot be opened: chDB holds one directory a process, and this one has another "
                    "open; close that first or use a process for each"
                ) from error
            cause = as_storage_error(error, self.place) if isinstance(error, ClickHouseError) else error
            said = str(error).rstrip(" .:\n")
            # the engine writes what it found to standard error, and hands over nothing
            why = "ClickHouse wrote the reason above" if said.endswith("EmbeddedServer") else said
            raise StartError(f"the store in {self._path} cannot be opened: {why}") from cause

    def close(self) -> None:
        """End all sessions and unlock the directory."""
        if self._pid is None or self._pid != os.getpid():
            return
        self._pid = None
        self._close_sessions()
        self._lock.release()

    def _close_sessions(self) -> None:
        with self._guard:
            sessions, self._sessions = self._sessions, []
        for session in sessions:
            with contextlib.suppress(Exception):
                session.close()
        self._local = threading.local()

    def _session(self) -> Any:
        if self._pid is None:
            raise ClickHouseError("the store is not open", 0, definite=True)
        if self._pid != os.getpid():
            raise ClickHouseError(
                f"the store was opened by the process {self._pid} and cannot be used in {os.getpid()}, which was forked from it: "
                "chDB's threads do not survive a fork; start processes with 'spawn', or open the store after forking",
                0,
                definite=True,
            )
        session = getattr(self._local, "session", None)
        if session is None:
            import chdb

            session = chdb.connect(self._connection)
            self._local.session = session
            with self._guard:
                self._sessions.append(session)
        return session

    def query(self, sql: str, settings: Settings | None = None, query_id: str = "") -> pa.Table:
        """Rows of a SELECT, streamed into Arrow."""
        import pyarrow as pa

        session = self._session()
        mark = {"log_comment": query_id} if query_id else {}
        statement = sql + settings_clause({**_FORMAT, **(settings or {}), **mark})
        try:
            if not sql.startswith(("SELECT", "WITH")):
                # DESCRIBE, SHOW and EXISTS do not stream.
                held = session.query(statement, "ArrowStream").bytes()
                return pa.ipc.open_stream(held).read_all() if held else pa.table({})
            return pa.RecordBatchReader.from_stream(session.send_query(statement, "Arrow")).read_all()
        except (RuntimeError, pa.ArrowException, OSError) as error:
            # What is left of a stream that broke off would be read as the answer of the next query.
            self._discard(session)
            raise ClickHouseError(str(error)) from error

    def fetch(self, sql: str, form: str, settings: Settings | None, query_id: str, max_bytes: int) -> bytes:
        """Rows of a reading statement in one of ClickHouse's forms."""
        session = self._session()
        try:
            if settings is None:
                held = bytes(session.query(sql, form).bytes())
                if len(held) > max_bytes:
                    raise too_long(max_bytes)
                return held
            mark = {"log_comment": query_id} if query_id else {}
            if form not in _STREAMED:
                held = bytes(session.query(sql + settings_clause({**settings, **mark}), form).bytes())
                if len(held) > max_bytes:
                    raise too_long(max_bytes)
                return held
            parts, size = [], 0
            for part in session.send_query(sql + settings_clause({**settings, **mark}), form):
                data = bytes(part.bytes())
                size += len(data)
                if size > max_bytes:
                    raise too_long(max_bytes)
                parts.append(data)
            if not parts and form != "Null":
                # A stream without rows comes without the form's head, too.
                return bytes(session.query(sql + settings_clause({**settings, **mark}), form).bytes())
        except (RuntimeError, OSError, ClickHouseError) as error:
            self._discard(session)
            raise error if isinstance(error, ClickHouseError) else ClickHouseError(str(error)) from error
        return b"".join(parts)

    def _discard(self, session: Any) -> None:
        """End this thread's session; the next statement gets a new one."""
        with self._guard:
            self._sessions = [each for each in self._sessions if each is not session]
        self._local.session = None
        with contextlib.suppress(Exception):
            session.close()

    def command(self, sql: str) -> None:
        """A statement without a result."""
        try:
            self._session().query(sql, "Null" if sql.startswith("SELECT") else "CSV")
        except RuntimeError as error:
            raise ClickHouseError(str(error)) from error

    def insert(self, insert: Insert) -> None:
        """Native blocks through a file in memory.

        Not through chDB's ``send_insert``: in 4.4 its ``finish`` succeeds when the table could not be written (measured on a full
        disk), and a batch that is nowhere would be acknowledged. This way costs the same.
        """
        session = self._session()
        file = os.memfd_create("metaflow-insert", os.MFD_CLOEXEC)
        try:
            for block in insert.blocks:
                for at in range(0, len(block), _PIECES):
                    _write(file, block[at : at + _PIECES])
            source = f" FROM INFILE '/proc/self/fd/{file}'{settings_clause(insert.settings)} FORMAT Native"
            session.query(f"INSERT INTO {insert.table} ({', '.join(insert.columns)}){source}", "CSV")
        except RuntimeError as error:
            raise ClickHouseError(str(error)) from error
        finally:
            os.close(file)

    def kill(self, query_id: str) -> None:
        """Stop a query."""
        with contextlib.suppress(ClickHouseError):
            self.command(f"KILL QUERY WHERE Settings['log_comment'] = {text(query_id)} SYNC")

    def disk(self) -> Mapping[str, Any]:
        """Bytes of the directory's disk."""
        usage = shutil.disk_usage(self._path)
        return {"disk_free_bytes": usage.free, "disk_total_bytes": usage.total}


def _write(file: int, pieces: Sequence[bytes | memoryview]) -> None:
    """All of the pieces, in one call but for a kernel that takes less at once."""
    written = os.writev(file, pieces)
    if written < sum(map(len, pieces)):
        rest = memoryview(b"".join(pieces))[written:]
        while rest:
            rest = rest[os.write(file, rest) :]

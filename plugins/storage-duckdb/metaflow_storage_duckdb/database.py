"""The file: opened by one process, written by one connection, asked by many; DuckDB's errors as sentences."""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import duckdb

from metaflow_core.errors import MetaFlowError, QueryError, StorageError, UnwritableStore
from metaflow_core.model.catalog import Catalog
from metaflow_core.query import Histories
from metaflow_storage_duckdb.config import DuckdbConfig
from metaflow_storage_duckdb.filling import TOO_MANY
from metaflow_storage_duckdb.naming import load_names
from metaflow_storage_duckdb.native import install
from metaflow_storage_duckdb.schema import Stored, prepare_file

__all__ = ["Database", "Running"]

MEMORY = ":memory:"
_UNWRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT})


class Running:
    """A question under way: may be stopped from any thread, also before it has begun."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._ended = threading.Event()
        self._insisting: threading.Thread | None = None
        self.stopped = ""

    def begin(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Now with this cursor.

        :raises QueryError: it was stopped before.
        """
        with self._lock:
            if self.stopped:
                raise QueryError(self.stopped)
            self._cursor = cursor

    def end(self) -> None:
        """No longer."""
        self._ended.set()
        with self._lock:
            self._cursor, insisting = None, self._insisting
        if insisting is not None:
            insisting.join()

    def stop(self, why: str) -> None:
        """Stops it; ``why`` is the sentence that whoever asked gets."""
        with self._lock:
            self.stopped = why
            if self._cursor is not None:
                self._cursor.interrupt()
                # DuckDB forgets an interruption that comes while it plans.
                self._insisting = threading.Thread(target=self._insist, daemon=True)
                self._insisting.start()

    def _insist(self) -> None:
        while not self._ended.wait(0.1):
            with self._lock:
                if self._cursor is not None:
                    self._cursor.interrupt()


class Database:
    """An open DuckDB file.

    :param path: the file, or ``:memory:``.
    """

    def __init__(self, path: str, config: DuckdbConfig, catalog: Catalog) -> None:
        self.path = path
        self._catalog = catalog
        self._config = config
        self._connection: duckdb.DuckDBPyConnection | None = None
        self.tables: Stored = {}
        self.names = Histories()

    def open(self) -> None:
        """Opens the file and makes our tables in a new one.

        :raises StorageError: it cannot be opened: another process has it, it is damaged, of something else, or not writable.
        """
        config = self._config
        read_only = config.read_only and self.path != MEMORY
        if self.path != MEMORY and not read_only:
            try:
                Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                kind = UnwritableStore if error.errno in _UNWRITABLE else StorageError
                raise kind(f"{self.path}: its directory cannot be made: {error.strerror}") from error
        connection: duckdb.DuckDBPyConnection | None = None
        try:
            connection = duckdb.connect(self.path, read_only=read_only, config=_settings(config))
            install(connection)
            # Nothing of the machine can be reached from SQL, and no statement can change that.
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            self.tables = prepare_file(connection, self._catalog, read_only=read_only)
            self.names = load_names(connection)
        except duckdb.Error as error:
            _close(connection)
            raise self._opening(error) from error
        except StorageError as error:
            _close(connection)
            raise StorageError(f"{self.path}: {error}") from error
        self._connection = connection

    def _opening(self, error: duckdb.Error) -> StorageError:
        text = _first_line(error)
        if "lock" in text.lower():
            return StorageError(
                f"{self.path}: another process has this file open, and a DuckDB file has one owner; stop the other, or ask it "
                f"for what you want ({text})"
            )
        if "No such file" in text or "does not exist" in text:
            return StorageError(f"{self.path}: there is no such file; write to it first, without read_only ({text})")
        if "Permission denied" in text or "read-only" in text.lower() or "Read-only" in text:
            return UnwritableStore(
                f"{self.path}: cannot be opened for writing; make it writable for this user or set read_only: true ({text})"
            )
        if "No space left" in text:
            return UnwritableStore(f"{self.path}: the disk is full; make room ({text})")
        return StorageError(
            f"{self.path}: is no DuckDB file that can be read, or is damaged; move it away to begin with a new one, "
            f"or restore a copy ({text})"
        )

    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection that everything else comes from.

        :raises StorageError: the file is not open.
        """
        if self._connection is None:
            raise StorageError(f"{self.path}: the storage is not started")
        return self._connection

    @contextlib.contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of one's own, closed at the end."""
        cursor = self.connection().cursor()
        try:
            yield cursor
        finally:
            _close(cursor)

    def close(self) -> None:
        """Writes what is in the log into the file, and gives the file back."""
        connection, self._connection = self._connection, None
        _close(connection)

    def failed(self, error: duckdb.Error, what: str) -> NoReturn:
        """Raises DuckDB's error as one of ours.

        :raises StorageError: the file or disk has a defect. :raises QueryError: the question takes too much or makes no sense.
        """
        raise self._translated(error, what) from error

    def _translated(self, error: duckdb.Error, what: str) -> MetaFlowError:
        text = _first_line(error)
        if TOO_MANY in text:
            return QueryError(f"the groups and intervals are {TOO_MANY}")
        if "No space left" in text or "File too large" in text or "Disk quota" in text:
            return UnwritableStore(f"{self.path}: {what} failed because the disk is full; make room ({text})")
        if "Read-only file system" in text or "read-only mode" in text:
            return UnwritableStore(f"{self.path}: {what} failed because the file is read-only ({text})")
        if isinstance(error, duckdb.OutOfMemoryException) or "max_temp_directory_size" in text:
            return QueryError(
                "the question takes more memory than the storage may use; narrow the range of time, group by fewer columns, "
                f"or raise max_memory_bytes ({text})"
            )
        if isinstance(error, duckdb.OutOfRangeException | duckdb.ConversionException):
            return QueryError(
                f"a result is beyond whole numbers of 64 bits, or no number; make an operand a real, as in 1.0 * x ({text})"
            )
        if isinstance(
            error, duckdb.IOException | duckdb.InternalException | duckdb.FatalException | duckdb.SerializationException
        ):
            return StorageError(f"{self.path}: {what} failed; the file may be damaged or the disk at fault ({text})")
        return QueryError(f"DuckDB cannot answer this: {text}")


def _settings(config: DuckdbConfig) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "threads": config.threads,
        "memory_limit": f"{config.max_memory_bytes}B",
        "max_temp_directory_size": f"{config.max_temp_bytes}B",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,
        "preserve_insertion_order": True,
    }


def _close(connection: duckdb.DuckDBPyConnection | None) -> None:
    if connection is not None:
        # A file that became invalid cannot be closed in order; what was committed is in its log.
        with contextlib.suppress(duckdb.Error):
            connection.close()


def _first_line(error: duckdb.Error) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__

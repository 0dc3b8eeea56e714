"""Reads one CSV file of the catalogue's data, keeping the place of every row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from metaflow_core.errors import ConfigError, Problem

__all__ = ["Row", "read_rows"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells by column name, and where it stands."""

    file: str
    line: int
    cells: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.cells[name]

    def words(self, name: str) -> tuple[str, ...]:
        """A cell that holds words with spaces between."""
        return tuple(self.cells[name].split())

    def problem(self, message: str) -> Problem:
        """A mistake in this row."""
        return Problem(self.cells.get("name", ""), message, self.file, self.line)


def read_rows(path: Path, header: tuple[str, ...]) -> Iterator[Row]:
    """The rows of a file that must begin with ``header``.

    :raises ConfigError: the file is missing, has another header, or a row has too few or too many cells.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([Problem("", f"the catalogue cannot read it: {error.strerror}", str(path))]) from error
    reader = csv.reader(text.splitlines(keepends=True))
    found = tuple(next(reader, []))
    if found != header:
        raise ConfigError(
            [Problem("", f"the header is {','.join(found)!r}, expected {','.join(header)!r}", str(path), 1)]
        )
    for cells in reader:
        if len(cells) != len(header):
            message = f"{len(cells)} cells, expected {len(header)}; a text with commas stands in double quotes"
            raise ConfigError([Problem("", message, str(path), reader.line_num)])
        yield Row(str(path), reader.line_num, dict(zip(header, cells, strict=True)))

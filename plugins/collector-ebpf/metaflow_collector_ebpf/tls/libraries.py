"""Which files with functions of OpenSSL or GnuTLS a process has mapped."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from metaflow_collector_ebpf.kernel.elf import BadElf, Elf
from metaflow_collector_ebpf.points import LIBRARIES, LibraryPoint

__all__ = ["WELL_KNOWN", "Library", "LibraryFinder"]

# so that the first process that uses them is seen from its first byte
WELL_KNOWN = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")
_NAMES = {"libssl": "openssl", "libgnutls": "gnutls"}
_MOST_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Library:
    """A file with TLS functions.

    :ivar key: device and inode: one file, however many paths and mount namespaces show it.
    :ivar path: one path that leads there from here. :ivar points: function and offset in the file.
    """

    key: tuple[int, int]
    path: str
    points: tuple[tuple[LibraryPoint, int], ...] = field(default=())


class LibraryFinder:
    """Finds libraries; remembers files by inode, so that each is read once."""

    def __init__(self, root: Path = Path("/proc")) -> None:
        self._root = root
        self._known: dict[tuple[int, int, int], Library | None] = {}

    def of_process(self, pid: int) -> list[Library]:
        """Libraries that a process has mapped, and its own program when OpenSSL is linked into it."""
        found: list[Library] = []
        base = self._root / str(pid)
        for path in self._mapped(pid):
            library = self._look(f"{base}/root{path}")
            if library:
                found.append(library)
        program = self._look(f"{base}/exe")
        if program:
            found.append(program)
        return found

    def well_known(self) -> Iterator[Library]:
        """Libraries of this machine that no process need have mapped yet."""
        for folder in WELL_KNOWN:
            for pattern in ("libssl.so*", "*/libssl.so*", "libgnutls.so*", "*/libgnutls.so*"):
                for path in sorted(Path(folder).glob(pattern)):
                    library = self._look(str(path))
                    if library:
                        yield library

    def _mapped(self, pid: int) -> list[str]:
        try:
            text = (self._root / str(pid) / "maps").read_text(errors="replace")
        except OSError:
            return []
        paths: dict[str, None] = {}
        for line in text.splitlines():
            at = line.find("/")
            name = line[line.rfind("/") + 1 :] if at >= 0 else ""
            if name.startswith(tuple(_NAMES)) and ".so" in name:
                paths[line[at:].removesuffix(" (deleted)")] = None
        return list(paths)

    def _look(self, path: str) -> Library | None:
        try:
            status = Path(path).stat()
        except OSError:
            return None
        key = (status.st_dev, status.st_ino, status.st_mtime_ns)
        if key in self._known:
            return self._known[key]
        found = self._read(path, (status.st_dev, status.st_ino), status.st_size)
        if len(self._known) > 20_000:
            self._known.clear()
        self._known[key] = found
        return found

    @staticmethod
    def _read(path: str, key: tuple[int, int], size: int) -> Library | None:
        if not 64 < size <= _MOST_BYTES:
            return None
        name = Path(path).name
        kinds = [kind for prefix, kind in _NAMES.items() if name.startswith(prefix)] or ["openssl"]
        try:
            with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content:
                view = memoryview(content)
                try:
                    points = [point for kind in kinds for point in LIBRARIES[kind]]
                    offsets = Elf(view).function_offsets(frozenset(point.function for point in points))
                finally:
                    view.release()
        except (OSError, ValueError, BadElf, BufferError):
            return None
        found = tuple((point, offsets[point.function]) for point in points if point.function in offsets)
        return Library(key, path, found) if found else None

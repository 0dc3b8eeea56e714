"""Which files with functions of OpenSSL, BoringSSL, GnuTLS or Go's crypto/tls a process has mapped."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from metaflow_collector_ebpf.kernel.elf import BadElf, Elf
from metaflow_collector_ebpf.points import GO, GO_ASKS, LIBRARIES, LibraryPoint
from metaflow_collector_ebpf.routines.runtime import GoRuntime, read_runtime
from metaflow_collector_ebpf.tls.go import find_go_functions, is_go

__all__ = ["WELL_KNOWN", "Library", "LibraryFinder"]

# so that the first process that uses them is seen from its first byte
WELL_KNOWN = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")
_NAMES = {"libssl": "openssl", "libgnutls": "gnutls"}
# libraries that may hold OpenSSL or BoringSSL themselves: Python's _ssl, interpreters, network libraries of wheels
_MAY_HOLD = ("libpython", "libnode", "libcurl", "libboringssl", "libconscrypt", "libnetty_tcnative")
_MOST_BYTES = 512 << 20
Point = tuple[LibraryPoint, int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Library:
    """A file with TLS functions.

    :ivar key: device and inode: one file, however many paths and mount namespaces show it.
    :ivar path: one path that leads there from here. :ivar points: function, offset in the file, and offsets of its returns where
        they must be known. :ivar runtime: of a Go program, which runs many coroutines on its threads. :ivar asks: where its HTTP client hands
        requests on.
    """

    key: tuple[int, int]
    path: str
    points: tuple[Point, ...] = field(default=())
    runtime: GoRuntime | None = None
    asks: tuple[Point, ...] = field(default=())


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
        if program and program.points:
            found.append(program)
        return found

    def go_program(self, pid: int) -> Library | None:
        """A process's program where that is one that runs many coroutines on each of its threads (Go)."""
        program = self._look(f"{self._root}/{pid}/exe")
        return program if program and program.runtime else None

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
            if ".so" in name and (name.startswith((*_NAMES, *_MAY_HOLD)) or "_ssl" in name):
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
                    found = _examine(view, kinds, key, path)
                finally:
                    view.release()
        except (OSError, ValueError, BadElf, BufferError):
            return None
        return found if found.points or found.runtime else None


def _examine(view: memoryview, kinds: list[str], key: tuple[int, int], path: str) -> Library:
    """Functions of a file, and the runtime of a Go program."""
    elf = Elf(view)
    wanted = [point for kind in kinds for point in LIBRARIES[kind]]
    offsets = elf.function_offsets(frozenset(point.function for point in wanted))
    found: list[Point] = [(point, offsets[point.function], ()) for point in wanted if point.function in offsets]
    if not is_go(elf):
        return Library(key, path, tuple(found))
    places = {item.name: item for item in find_go_functions(elf, frozenset({*GO, GO_ASKS.function}))}
    found += [(GO[name], item.offset, item.returns) for name, item in places.items() if name in GO]
    asks = tuple((GO_ASKS, item.offset, ()) for name, item in places.items() if name == GO_ASKS.function)
    return Library(key, path, tuple(found), read_runtime(elf), asks)

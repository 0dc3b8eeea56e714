"""``python3 slim.py FOLDER``: what nobody reads at run time leaves an environment of an image, and its modules are compiled.

A container's file system is read-only as a rule: without compiled modules each start would compile all of them anew. What goes are
tests of other packages, headers and sources for compilers, and modules of Arrow and Kubernetes that nothing here imports.
"""

from __future__ import annotations

import compileall
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# of compilers, not of programs
_SOURCES = {".h", ".hpp", ".pxd", ".pxi", ".pyx", ".c", ".cc", ".cpp", ".a"}
# collector-ebpf's backend bcc compiles its C on the spot; numpy.testing imports from its tests
_KEPT = ("metaflow_", "numpy")
_UNUSED = (
    "kubernetes/aio",
    "kubernetes/e2e_test",
    "pyarrow/_flight*",
    "pyarrow/_s3fs*",
    "pyarrow/flight.py",
    "pyarrow/include",
    "pyarrow/libarrow_flight*",
    "pyarrow/libarrow_python_flight*",
    "pyarrow/src",
)

_CHECKED = """
import importlib, importlib.util
for name in ("pyarrow.parquet", "pyarrow.dataset", "pyarrow.compute", "numpy", "pandas", "kubernetes.client", "chdb", "duckdb"):
    if importlib.util.find_spec(name.partition(".")[0]) is not None:
        importlib.import_module(name)
"""


def superfluous(packages: Path) -> Iterator[Path]:
    """Files and folders below ``site-packages`` that no program of ours reads."""
    for pattern in _UNUSED:
        yield from packages.glob(pattern)
    for package in packages.iterdir():
        if package.name.startswith(_KEPT) or not package.is_dir():
            continue
        yield from (path for path in package.rglob("tests") if path.is_dir())
        yield from (path for path in package.rglob("*") if path.suffix in _SOURCES and path.is_file())


def size(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def main() -> int:
    """Exit code."""
    folder = Path(sys.argv[1])
    found = list(folder.glob("lib/python3*/site-packages"))
    if len(found) != 1:
        print(f"{folder}: holds {len(found)} folders lib/python3*/site-packages; one is expected", file=sys.stderr)
        return 1
    before = size(folder)
    for path in list(superfluous(found[0])):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    # by content, not by time: layers lose the fractions of a second
    compileall.compile_dir(folder, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    # a library that another one is linked with would be missed only when somebody asks
    check = subprocess.run([folder / "bin" / "python3", "-c", _CHECKED], check=False)
    if check.returncode:
        print(f"{folder}: what is left does not load; see _UNUSED in {__file__}", file=sys.stderr)
        return 1
    print(
        f"{folder}: {before / 1e6:.0f} MB, {size(folder) / 1e6:.0f} MB after what nobody reads went and modules were compiled"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

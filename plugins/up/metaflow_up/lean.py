"""What watches a machine shares it with what it watches: what is never used is not loaded."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["settle", "slim", "without_pandas"]


class _Absent:
    """Answers imports of one package as where it is not installed; of all others nothing."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == self._name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def slim() -> None:
    """Let pyarrow take as little as an agent needs: no pandas, and memory from malloc, which gives it back; a pool of its own keeps 5 MiB.

    To be called before rows are made.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    without_pandas()


def without_pandas() -> None:
    """Let pyarrow find no pandas: it looks once, at its first array, and would load 45 MiB to recognise data frames that nobody gives it here.

    Whoever wants pandas in this process (a plugin) can import it still, but pyarrow gives it no frames.
    """
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    absent = _Absent("pandas")
    sys.meta_path.insert(0, absent)
    try:
        pa.array([None])
    finally:
        sys.meta_path.remove(absent)


def settle() -> None:
    """Give back what only the start needed, and have the collector of garbage, which works from now on, pass over what stays: it
    need not be looked through again."""
    gc.collect()
    gc.freeze()
    gc.enable()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    # musl has none, and gives back by itself
    if trim is not None:
        trim(0)

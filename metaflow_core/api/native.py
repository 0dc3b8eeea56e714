"""The native library that a wheel brings along: a plain C library beside the package's modules, called through ctypes.

ctypes lets go of the interpreter's lock during a call.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from importlib import machinery
from pathlib import Path
from typing import Any, TypeAlias

from metaflow_core.errors import UnavailableError

__all__ = ["Signatures", "load_native", "native_library"]

Signatures: TypeAlias = Mapping[str, tuple[Any, Sequence[Any]]]
"""Result and arguments of each function, in ctypes' types."""


def native_library(package: Path) -> Path | None:
    """The library ``_native`` in a package's folder, None when it was installed without one; of several builds the newest."""
    found = [package / f"_native{suffix}" for suffix in machinery.EXTENSION_SUFFIXES]
    return max((path for path in found if path.exists()), key=lambda path: path.stat().st_mtime, default=None)


def load_native(
    path: Path | None, signatures: Signatures, *, what: str, distribution: str, otherwise: str = ""
) -> ctypes.CDLL:
    """Load a library and declare its functions.

    :param what: the library's name in a sentence. :param otherwise: what to do instead of installing it again; begins with a comma.
    :raises UnavailableError: there is none (``path`` is None), or it cannot be loaded, or a function is not in it.
    """
    if path is None:
        raise UnavailableError(
            f"{distribution} was installed without its native library (no Rust compiler was at hand, or no wheel fits "
            f"this platform); reinstall it where cargo is available{otherwise}"
        )
    try:
        library = ctypes.CDLL(str(path))
        for name, (result, arguments) in signatures.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise UnavailableError(f"{what} {path} cannot be loaded: {error}") from error
    return library

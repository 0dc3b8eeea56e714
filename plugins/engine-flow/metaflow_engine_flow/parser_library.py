"""Native parsers: shared objects with the ``mf_*`` symbols, as a table of functions that the engine calls by itself."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from ctypes import POINTER, Structure, byref, c_int64, c_uint32, c_void_p
from pathlib import Path

from metaflow_core.api import ParserFault, ParserLimits
from metaflow_core.errors import PluginLoadError

PARSER_ABI = 1


class Vtable(Structure):
    """The function table of docs/explanation/data-plane.md, "Parsers"."""

    _fields_ = (
        ("abi", c_uint32),
        ("size", c_uint32),
        ("create", c_void_p),
        ("destroy", c_void_p),
        ("input", c_void_p),
        ("configure", c_void_p),
        ("check", c_void_p),
        ("parse", c_void_p),
        ("segment", c_void_p),
        ("collect", c_void_p),
    )


class ParserLibrary:
    """A loaded shared object.

    :raises PluginLoadError: it cannot be loaded, or lacks a symbol.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.functions = ctypes.CDLL(str(path))
            for name in ("mf_abi_v1", "mf_create", "mf_destroy", "mf_input", "mf_check", "mf_parse"):
                getattr(self.functions, name)
        except OSError as error:
            raise PluginLoadError(f"the parser {path} cannot be loaded: {error}") from error
        except AttributeError as error:
            raise PluginLoadError(f"{path} is no native parser of mf_abi_v1: {error}") from error
        call = [c_void_p, c_uint32, POINTER(c_void_p)]
        self.functions.mf_create.restype = c_void_p
        self.functions.mf_destroy.argtypes = [c_void_p]
        self.functions.mf_input.restype, self.functions.mf_input.argtypes = c_void_p, [c_void_p, c_uint32]
        self.has_configure = hasattr(self.functions, "mf_configure")
        self.has_segment = hasattr(self.functions, "mf_segment") and hasattr(self.functions, "mf_collect")
        for name in ("mf_check", "mf_parse", *(["mf_configure"] if self.has_configure else [])):
            function = getattr(self.functions, name)
            function.restype, function.argtypes = c_int64, call

    def vtable(self) -> Vtable:
        """The table; the library must stay loaded as long as it is used."""

        def address(name: str) -> int | None:
            return ctypes.cast(getattr(self.functions, name), c_void_p).value

        return Vtable(
            PARSER_ABI, ctypes.sizeof(Vtable), address("mf_create"), address("mf_destroy"), address("mf_input"),
            address("mf_configure") if self.has_configure else None, address("mf_check"), address("mf_parse"),
            *((address("mf_segment"), address("mf_collect")) if self.has_segment else (None, None)),
        )  # fmt: skip


class NativeParser:
    """A native parser as a runtime: the native engine takes its table, any other host calls ``check`` and ``parse``.

    :param options: for ``mf_configure`` when this object is called itself; an engine that takes the table configures
        its own instance by the options of the parser's description.
    """

    def __init__(self, library: ParserLibrary, options: Mapping[str, str] | None = None) -> None:
        self._library = library
        self._table = library.vtable()
        self._options = "".join(f"{key}={value}\n" for key, value in (options or {}).items()).encode()
        self._context: int | None = None

    @property
    def vtable(self) -> int:
        """Address of the function table."""
        return ctypes.addressof(self._table)

    def try_options(self) -> None:
        """Make an instance, so that an option that the parser refuses is told before the first packet.

        :raises PluginLoadError: it takes no options, or refuses one.
        """
        if self._options and not self._library.has_configure:
            names = ", ".join(line.partition("=")[0] for line in self._options.decode().splitlines())
            raise PluginLoadError(f"{self._library.path}: it takes no options (no symbol mf_configure), found {names}")
        try:
            self._instance()
        except ParserFault as error:
            raise PluginLoadError(str(error)) from error

    def check(self, batch: memoryview) -> bytes:
        """See :class:`metaflow_core.api.ParserRuntime`."""
        return self._run("mf_check", batch)

    def parse(self, batch: memoryview) -> bytes:
        """See :class:`metaflow_core.api.ParserRuntime`."""
        return self._run("mf_parse", batch)

    def restart(self) -> None:
        """Make a new instance."""
        self.close()

    def close(self) -> None:
        """End the instance. Idempotent."""
        if self._context is not None:
            self._library.functions.mf_destroy(self._context)
            self._context = None

    def _instance(self) -> int:
        if self._context is None:
            self._context = self._library.functions.mf_create()
            if not self._context:
                self._context = None
                raise ParserFault(f"{self._library.path}: mf_create gave no instance")
            if self._options and self._library.has_configure:
                refused = self._call("mf_configure", self._context, self._options).decode("utf-8", "replace").split()
                if refused:
                    self.close()
                    raise PluginLoadError(f"{self._library.path}: it refused its options: {' '.join(refused)}")
        return self._context

    def _run(self, name: str, batch: memoryview | bytes) -> bytes:
        return self._call(name, self._instance(), batch)

    def _call(self, name: str, context: int, batch: memoryview | bytes) -> bytes:
        import pyarrow as pa

        room = self._library.functions.mf_input(context, len(batch))
        if not room:
            raise ParserFault(f"{self._library.path}: mf_input has no room for {len(batch)} bytes")
        source = pa.py_buffer(batch)
        ctypes.memmove(room, source.address, source.size)
        out = c_void_p()
        length = getattr(self._library.functions, name)(context, len(batch), byref(out))
        if length < 0:
            raise ParserFault(f"{self._library.path}: {name} gave error {-length}")
        return ctypes.string_at(out.value, length) if length and out.value else b""


def load(path: Path, options: Mapping[str, str], _limits: ParserLimits) -> Callable[[], NativeParser]:
    """Load a shared object once; the result makes runtimes of it. Limits do not bind native code."""
    library = ParserLibrary(path)
    trial = NativeParser(library, options)
    trial.try_options()
    trial.close()
    return lambda: NativeParser(library, options)

"""Loading modules: inspect, compile (or take from the cache), try, and make instances."""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

import wasmtime

from metaflow_core.api import ParserFault, ParserLimits, ParserRuntime, abi
from metaflow_core.errors import PluginLoadError, UnavailableError
from metaflow_loader_wasm.calls import has_short_call
from metaflow_loader_wasm.guest_log import GuestLog
from metaflow_loader_wasm.inspection import inspect_module
from metaflow_loader_wasm.instance import Environment, Instance
from metaflow_loader_wasm.module_cache import ModuleCache
from metaflow_loader_wasm.runtime import WasmRuntime, options_text
from metaflow_loader_wasm.ticker import Ticker

__all__ = ["WasmLoader", "new_engine"]

WASMTIME = importlib.metadata.version("wasmtime")
_LARGEST_MODULE = 64 << 20
_CONFIG = "epoch,1"
"""Part of the cache's key: change it with :func:`new_engine`."""


def new_engine() -> wasmtime.Engine:
    """An engine as the ABI wants it: plain deterministic modules that can be interrupted."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    config.wasm_threads = False
    config.wasm_memory64 = False
    config.wasm_multi_memory = False
    config.wasm_relaxed_simd_deterministic = True
    return wasmtime.Engine(config)


class WasmLoader:
    """Loads ``.wasm`` files. One engine and one ticker for all of its modules; nothing is shared with another loader.

    :param cache: where compiled modules are kept; default the user's cache directory.
    :param short_calls: False keeps to wasmtime's public interface.
    :raises UnavailableError: wasmtime does not do on this machine what it should.
    """

    def __init__(
        self,
        *,
        cache: ModuleCache | None = None,
        short_calls: bool = True,
        logger: logging.Logger | None = None,
    ) -> None:
        self._logger = logger or logging.getLogger("metaflow.loader.wasm")
        self._cache = cache or ModuleCache()
        self._lock = threading.Lock()
        self._modules: dict[str, wasmtime.Module] = {}
        try:
            engine = new_engine()
            short = short_calls and has_short_call(engine)
        except Exception as error:
            raise UnavailableError(
                f"wasmtime {WASMTIME} does not start on this machine: {error}; "
                "reinstall it (pip install --force-reinstall 'wasmtime>=50,<51'), or run the parsers natively"
            ) from error
        self._environment = Environment(engine, Ticker(engine.increment_epoch), short)
        weakref.finalize(self, _free, self._environment, self._modules)
        self._self_test()

    @property
    def ticker(self) -> Ticker:
        """The engine's clock."""
        return self._environment.ticker

    @property
    def uses_short_calls(self) -> bool:
        """Whether the short way of calling proved itself."""
        return self._environment.short

    def compile(self, data: bytes, name: str) -> wasmtime.Module:
        """Compile a module, or take it from memory or the cache.

        :raises PluginLoadError: it is not a valid module.
        """
        key = f"{hashlib.sha256(data).hexdigest()}-{WASMTIME}-{_CONFIG}"
        with self._lock:
            known = self._modules.get(key)
        if known is not None:
            return known
        module = self._from_cache(key)
        if module is None:
            try:
                module = wasmtime.Module(self._environment.engine, data)
            except wasmtime.WasmtimeError as error:
                raise PluginLoadError(f"{name}: this is not a WebAssembly module: {_first_line(error)}") from error
            self._cache.put(key, bytes(module.serialize()))
        with self._lock:
            return self._modules.setdefault(key, module)

    def load(self, path: Path, options: Mapping[str, str], limits: ParserLimits) -> Callable[[], ParserRuntime]:
        """Read, inspect and try a module; returns what makes runtimes of it.

        :raises PluginLoadError: it cannot be read, is not a parser of this ABI, refuses an option, or does not start.
        """
        data = _read(path)
        module = self.compile(data, str(path))
        facts = inspect_module(module, limits.memory_mib << 20)
        if facts.problems:
            raise PluginLoadError(f"{path}: {'; '.join(facts.problems)}")
        if options and not facts.can_configure:
            names = ", ".join(sorted(options))
            raise PluginLoadError(f"{path}: it takes no options (no export {abi.EXPORT_CONFIGURE}), found {names}")
        try:
            text = options_text(options)
        except ValueError as error:
            raise PluginLoadError(f"{path}: {error}") from error
        log = GuestLog(path.name, self._logger)

        def create() -> Instance:
            instance = Instance(self._environment, module, limits, log)  # it needs the loader alive: see `_free`
            if facts.can_configure:
                refused = instance.call(abi.EXPORT_CONFIGURE, text).decode("utf-8", "replace").strip()
                if refused:
                    instance.close()
                    raise PluginLoadError(f"{path}: {' '.join(refused.splitlines())}")
            return instance

        try:
            create().close()  # so that what is wrong with it is said now, not when the first packet comes
        except ParserFault as error:
            raise PluginLoadError(f"{path}: {error}") from error
        return lambda: WasmRuntime(create)

    def _from_cache(self, key: str) -> wasmtime.Module | None:
        content = self._cache.get(key)
        if content is None:
            return None
        try:
            return wasmtime.Module.deserialize(self._environment.engine, content)
        except wasmtime.WasmtimeError:
            return None  # of another build of wasmtime: compile again

    def _self_test(self) -> None:
        """An endless loop must end and a greedy guest must not grow, or no limit of ours means anything.

        :raises UnavailableError: one of them is not so.
        """
        source = """(module (memory (export "memory") 2)
            (func (export "mf_input") (param i32) (result i32) (i32.const 8))
            (func (export "mf_check") (param i32) (result i64) (loop (br 0)) (i64.const 0))
            (func (export "mf_parse") (param i32) (result i64) (i64.extend_i32_s (memory.grow (i32.const 32)))))"""
        module = wasmtime.Module(self._environment.engine, source)
        log = GuestLog("self-test", self._logger)
        limits = ParserLimits(memory_mib=1, deadline_ms=10, batch_bytes=4096)
        failed = []
        instance = Instance(self._environment, module, limits, log)
        try:
            instance.call("mf_parse", b"")
            failed.append("a guest grew beyond its memory limit")
        except ParserFault:
            pass
        try:
            instance.call("mf_check", b"")
            failed.append("an endless loop came back")
        except ParserFault as error:
            if "deadline" not in str(error):
                failed.append(f"an endless loop ended by something else than its deadline ({error})")
        instance.close()
        if failed:
            raise UnavailableError(
                f"wasmtime {WASMTIME} fails the self-test: {'; '.join(failed)}; "
                "install a version this loader was tested with (pip install 'wasmtime>=50,<51')"
            )


def _free(environment: Environment, modules: dict[str, wasmtime.Module]) -> None:
    """The end of a loader, after all of its runtimes (each holds it) or at the interpreter's end."""
    environment.ticker.stop()
    for module in modules.values():
        module.close()
    environment.engine.close()


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST_MODULE:
            raise PluginLoadError(
                f"{path}: a module of {path.stat().st_size >> 20} MiB; at most {_LARGEST_MODULE >> 20} MiB are read"
            )
        return path.read_bytes()
    except OSError as error:
        raise PluginLoadError(f"{path}: the module cannot be read: {error.strerror or error}") from error


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and line.strip() != "Caused by:"]
    return "; ".join(lines[:2]) or type(error).__name__

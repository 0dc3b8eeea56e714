"""Calling a guest's function: wasmtime's public interface, and a shorter way that is used only when it proves itself.

The public call converts every argument through Python objects (18 to 30 us); ``wasmtime_func_call_unchecked`` of the C
API, which the wheel contains, takes a raw value in place. It is reached through names that wasmtime-py does not promise,
so a self-test compares both on a known guest, traps included, and the public way stays whenever anything differs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import wasmtime

__all__ = ["Call", "bind", "has_short_call", "public_call"]

Call = Callable[[int], int]
"""Takes and gives one integer. Raises :class:`wasmtime.Trap` or :class:`wasmtime.WasmtimeError`."""

_TEST = """(module
  (func (export "mix") (param i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.const -3)))
  (func (export "same") (param i32) (result i32) (local.get 0))
  (func (export "stop") (param i32) (result i64) unreachable))"""


def public_call(store: wasmtime.Store, function: wasmtime.Func) -> Call:
    """The promised way."""
    return lambda value: int(function(store, value))


def _short_call(store: wasmtime.Store, function: wasmtime.Func, *, wide: bool) -> Call:
    """The short way; ``wide`` for a 64-bit result."""
    from wasmtime import _ffi as ffi

    context = store._context()  # noqa: SLF001 - see above
    raw = ffi.wasmtime_val_raw()
    handle = function._func  # noqa: SLF001
    run: Any = ffi.wasmtime_func_call_unchecked
    function_ref, raw_ref = ctypes.byref(handle), ctypes.byref(raw)
    trap_pointer = ctypes.POINTER(ffi.wasm_trap_t)

    def call(value: int) -> int:
        trap = trap_pointer()
        raw.i64 = 0
        raw.i32 = value
        error = run(context, function_ref, raw_ref, 1, ctypes.byref(trap))
        if error:
            raise wasmtime.WasmtimeError._from_ptr(error)  # noqa: SLF001
        if trap:  # type: ignore[truthy-bool]  # a ctypes pointer is false when it is null
            raise wasmtime.Trap._from_ptr(trap)  # noqa: SLF001
        return int(raw.i64 if wide else raw.i32)

    return call


def bind(store: wasmtime.Store, function: wasmtime.Func, *, wide: bool, short: bool) -> Call:
    """A function of an instance as a plain call. ``short`` only after :func:`has_short_call` said yes."""
    return _short_call(store, function, wide=wide) if short else public_call(store, function)


def has_short_call(engine: wasmtime.Engine) -> bool:
    """Try the short way on a known guest: values, signs and traps must be those of the public way."""
    try:
        store = wasmtime.Store(engine)
        store.set_epoch_deadline(1 << 30)
        exports: Any = wasmtime.Instance(store, wasmtime.Module(engine, _TEST), []).exports(store)
        for name, wide in (("mix", True), ("same", False)):
            public, short = public_call(store, exports[name]), _short_call(store, exports[name], wide=wide)
            if any(public(value) != short(value) for value in (0, 1, 77, 0x7FFF_FFFF)):
                return False
        stop = _short_call(store, exports["stop"], wide=True)
        for _ in range(3):
            try:
                stop(1)
            except wasmtime.Trap:
                continue
            return False
    except Exception:  # noqa: BLE001 - whatever has changed, the public way remains
        return False
    return True

"""Calling the WebAssembly engine: wasmtime's public interface, and a shorter way that is used only when it proves itself.

The public call makes a Python object of every argument and of every argument's type (100 us for the eight of ``mfe_push_part``,
as much as the engine needs for 150 packets); ``wasmtime_func_call_unchecked`` of the C API, which the wheel contains,
takes raw values in place (3 us). It is reached through names that wasmtime-py does not promise, so a test on a known
module compares both, traps included, and the public way stays whenever anything differs.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import wasmtime

__all__ = ["Call", "Place", "bind", "has_short_calls", "place_of"]

Call = Callable[..., int]
"""Takes unsigned integers, gives a signed one (0 for a function without result). Raises ``wasmtime.Trap`` or
``wasmtime.WasmtimeError``."""

Place = Callable[[], tuple[int, int]]
"""The address of a linear memory now (growing may have moved it) and its size in bytes."""

_TEST = """(module (memory (export "memory") 1)
  (func (export "mix") (param i32 i64 i32) (result i64)
    (i64.sub (i64.xor (local.get 1) (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 7))) (i64.extend_i32_s (local.get 2))))
  (func (export "same") (param i32) (result i32) (local.get 0))
  (func (export "none") (param i32 i32) (memory.fill (local.get 0) (local.get 1) (i32.const 2)))
  (func (export "stop") unreachable))"""
_BYTES_OF_A_VALUE = 16


def bind(store: wasmtime.Store, function: wasmtime.Func, *, short: bool) -> Call:
    """A function of an instance as a plain call. ``short`` only after :func:`has_short_calls` said yes."""
    kind = function.type(store)
    parameters, results = [str(one) for one in kind.params], [str(one) for one in kind.results]
    if short:
        return _short_call(store, function, parameters, results)
    widths = [64 if one == "i64" else 32 for one in parameters]

    def call(*values: int) -> int:
        signed = (
            value - (1 << width) if value >> (width - 1) else value for value, width in zip(values, widths, strict=True)
        )
        return int(function(store, *signed) or 0)

    return call


def place_of(store: wasmtime.Store, memory: wasmtime.Memory, *, short: bool) -> Place:
    """Where an instance's memory is, as a plain call."""
    address = ctypes.addressof
    if not short:
        return lambda: (address(memory.data_ptr(store).contents), int(memory.data_len(store)))
    from wasmtime import _ffi as ffi

    context, reference = store._context(), ctypes.byref(memory._memory)  # noqa: SLF001 - see above
    find: Any = ffi.wasmtime_memory_data
    measure: Any = ffi.wasmtime_memory_data_size
    return lambda: (address(find(context, reference).contents), measure(context, reference))


def _short_call(store: wasmtime.Store, function: wasmtime.Func, parameters: list[str], results: list[str]) -> Call:
    from wasmtime import Trap, WasmtimeError
    from wasmtime import _ffi as ffi

    count = max(len(parameters), len(results))
    room = ctypes.create_string_buffer(_BYTES_OF_A_VALUE * max(count, 1))
    raw = ctypes.cast(room, ctypes.POINTER(ffi.wasmtime_val_raw))
    pack = struct.Struct("<" + "Q8x" * len(parameters)).pack_into  # a 32-bit value is the lower half of its room
    take = struct.Struct("<q" if results == ["i64"] else "<i").unpack_from if results else lambda _: (0,)
    context, reference = store._context(), ctypes.byref(function._func)  # noqa: SLF001 - see above
    run: Any = ffi.wasmtime_func_call_unchecked
    trap_pointer = ctypes.POINTER(ffi.wasm_trap_t)

    def call(*values: int) -> int:
        trap = trap_pointer()
        pack(room, 0, *values)
        error = run(context, reference, raw, count, ctypes.byref(trap))
        if error:
            raise WasmtimeError._from_ptr(error)  # noqa: SLF001
        if trap:  # type: ignore[truthy-bool]  # a ctypes pointer is false when it is null
            raise Trap._from_ptr(trap)  # noqa: SLF001
        return int(take(room)[0])

    return call


def has_short_calls(engine: wasmtime.Engine) -> bool:
    """Try the short way on a known module: values, signs, memory and traps must be those of the public way."""
    try:
        import wasmtime

        store = wasmtime.Store(engine)
        exports: Any = wasmtime.Instance(store, wasmtime.Module(engine, _TEST), []).exports(store)

        def both(name: str) -> tuple[Call, Call]:
            return bind(store, exports[name], short=False), bind(store, exports[name], short=True)

        public, short = both("mix")
        for values in ((0, 0, 0), (77, 1 << 63, 1), (0xFFFF_FFFF, (1 << 64) - 1, 0x8000_0000)):
            if public(*values) != short(*values):
                return False
        public, short = both("same")
        if any(public(value) != short(value) for value in (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)):
            return False
        place = place_of(store, exports["memory"], short=True)
        if place() != place_of(store, exports["memory"], short=False)():
            return False
        for call, byte in zip(both("none"), (3, 4), strict=True):
            if call(8, byte) != 0 or ctypes.string_at(place()[0] + 8, 2) != bytes((byte, byte)):
                return False
        for call in both("stop"):
            try:
                call()
            except wasmtime.Trap:
                continue
            return False
        store.close()
    except Exception:  # noqa: BLE001 - whatever has changed, the public way remains
        return False
    return True

"""One running guest: its own store, memory limit, deadline, and no trust in what it returns."""

from __future__ import annotations

import ctypes
import struct
import weakref
from dataclasses import dataclass
from functools import partial

import wasmtime

from metaflow_core.api import ParserFault, ParserLimits, abi
from metaflow_loader_wasm.calls import Call, bind
from metaflow_loader_wasm.guest_log import GuestLog
from metaflow_loader_wasm.ticker import Ticker

__all__ = ["Environment", "Instance"]

_ERRORS = {
    abi.ERROR_MALFORMED: "the parser calls the batch malformed",
    abi.ERROR_NO_MEMORY: "the parser has no memory left",
    abi.ERROR_UNSUPPORTED: "the parser does not support this call",
    abi.ERROR_INTERNAL: "the parser reports an internal error",
}
_SMALLEST_ARENA = 1 << 16
_TABLES, _TABLE_ELEMENTS = 4, 65_536
_NAMES = (abi.EXPORT_INPUT, abi.EXPORT_CHECK, abi.EXPORT_PARSE, abi.EXPORT_CONFIGURE)


@dataclass(frozen=True, slots=True)
class Environment:
    """What the instances of a loader share.

    :ivar engine: compiles and runs. :ivar ticker: its clock. :ivar short: the short call proved itself.
    """

    engine: wasmtime.Engine
    ticker: Ticker
    short: bool


class Instance:
    """A guest from start to its end. After a fault of kind trap it is dead: make another.

    :raises ParserFault: it cannot be started within its limits.
    """

    def __init__(self, environment: Environment, module: wasmtime.Module, limits: ParserLimits, log: GuestLog) -> None:
        self._ticker = environment.ticker
        self._deadline = environment.ticker.ticks(limits.deadline_ms)
        self._limits = limits
        self._memory_limit = limits.memory_mib << 20
        self._log = log
        self._dead = ""
        self._capacity = 0
        self._address = 0
        self._room: tuple[int, int, memoryview] = 0, 0, memoryview(b"")
        self._store = wasmtime.Store(environment.engine)
        # at the interpreter's end too: wasmtime-py's own clean-up comes too late there and complains
        self._free = weakref.finalize(self, self._store.close)
        self._store.set_limits(
            memory_size=self._memory_limit, instances=1, memories=1, tables=_TABLES, table_elements=_TABLE_ELEMENTS
        )
        imports = [self._log_import() for _ in module.imports]  # the inspection let nothing else through
        exports = self._guarded("its start", lambda: wasmtime.Instance(self._store, module, imports)).exports(
            self._store
        )
        memory = exports[abi.EXPORT_MEMORY]
        assert isinstance(memory, wasmtime.Memory)
        self._memory = memory
        self._calls: dict[str, Call] = {}
        for name in _NAMES:
            function = exports.get(name)
            if isinstance(function, wasmtime.Func):
                self._calls[name] = bind(self._store, function, wide=name != abi.EXPORT_INPUT, short=environment.short)
        self._reserve(_SMALLEST_ARENA)

    @property
    def memory_bytes(self) -> int:
        """Size of its memory now."""
        return int(self._memory.data_len(self._store))

    def call(self, name: str, data: bytes | bytearray | memoryview) -> bytes:
        """Put ``data`` into the guest's arena, call ``name`` and copy its result out.

        :raises ParserFault: a trap, the deadline, an error code, or a result outside of its memory.
        """
        if self._dead:
            raise ParserFault(f"the instance is gone ({self._dead}); restart it")
        size = len(data)
        if size > self._limits.batch_bytes:
            raise ParserFault(f"a batch of {size} bytes; the parser's limit is {self._limits.batch_bytes} bytes")
        if size > self._capacity:
            self._reserve(size)
        self._arena()[:size] = data  # a memmove, from read-only memory too
        return self._result(name, self._run(name, size))

    def close(self) -> None:
        """Free the store. Idempotent."""
        if not self._dead:
            self._dead = "closed"
        self._calls.clear()
        self._free()

    def _arena(self) -> memoryview:
        """The guest's input arena as bytes; made anew only when it has moved, since each new array type costs 50 us."""
        at = self._base() + self._address
        if self._room[:2] != (at, self._capacity):
            room = (ctypes.c_char * self._capacity).from_address(at)
            self._room = at, self._capacity, memoryview(room).cast("B")
        return self._room[2]

    def _base(self) -> int:
        """Where the guest's memory is now; growing may have moved it."""
        return ctypes.addressof(self._memory.data_ptr(self._store).contents)

    def _reserve(self, size: int) -> None:
        """Ask for an arena; on growth for twice as much, so that it is seldom asked."""
        wanted = min(max(_SMALLEST_ARENA, 1 << (size - 1).bit_length()), max(size, self._limits.batch_bytes))
        address = self._run(abi.EXPORT_INPUT, wanted) & 0xFFFF_FFFF
        if address == 0:
            raise ParserFault(f"the parser has no room for {wanted} bytes of input (mf_input returned 0)")
        if address + wanted > self.memory_bytes:
            self._dead = "its input arena is not in its memory"
            raise ParserFault(
                f"mf_input({wanted}) returned address {address}; that many bytes do not fit into its memory of "
                f"{self.memory_bytes} bytes"
            )
        self._address, self._capacity = address, wanted

    def _run(self, name: str, value: int) -> int:
        call = self._calls.get(name)
        if call is None:
            raise ParserFault(f"the parser does not export {name}")
        self._ticker.begin()
        self._store.set_epoch_deadline(self._deadline)
        try:
            return call(value)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            self._dead = self._reason(name, error)
            raise ParserFault(self._dead) from error
        finally:
            self._ticker.end()

    def _guarded(self, what: str, start: object) -> wasmtime.Instance:
        assert callable(start)
        self._ticker.begin()
        self._store.set_epoch_deadline(self._deadline)
        try:
            found = start()
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            self._dead = self._reason(what, error)
            self._free()
            raise ParserFault(self._dead) from error
        finally:
            self._ticker.end()
        assert isinstance(found, wasmtime.Instance)
        return found

    def _reason(self, what: str, error: Exception) -> str:
        """A trap as a sentence."""
        if isinstance(error, wasmtime.Trap):
            code = error.trap_code
            if code == wasmtime.TrapCode.INTERRUPT:
                return f"{what} did not come back within its deadline of {self._limits.deadline_ms} ms"
            named = code.name.lower().replace("_", " ") if code is not None else "an unknown reason"
            return f"{what} trapped: {named}"
        return f"{what} failed: {str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}"

    def _result(self, name: str, packed: int) -> bytes:
        if packed < 0:
            known = _ERRORS.get(-packed)
            raise ParserFault(
                f"{name} returned {packed}" + (f": {known}" if known else ", which the ABI does not know")
            )
        pointer, length = packed >> 32, packed & 0xFFFF_FFFF
        size = self.memory_bytes
        if pointer + length > size:
            raise ParserFault(
                f"{name} returned {length} bytes at address {pointer}, its memory has {size} bytes; the result was not read"
            )
        return ctypes.string_at(self._base() + pointer, length) if length else b""

    def _log_import(self) -> wasmtime.Func:
        i32 = wasmtime.ValType.i32()
        write = partial(
            _write_log, self._log
        )  # no way back to the instance: wasmtime-py keeps callbacks in a table of its own
        return wasmtime.Func(self._store, wasmtime.FuncType([i32, i32, i32], []), write, access_caller=True)


def _write_log(log: GuestLog, caller: wasmtime.Caller, level: int, pointer: int, length: int) -> None:
    """``metaflow_v1.log``: a lie about the place of the text costs the line."""
    if not log.accepts():
        return
    memory = caller.get(abi.EXPORT_MEMORY)
    if not isinstance(memory, wasmtime.Memory):
        return
    start, count = pointer & 0xFFFF_FFFF, min(length & 0xFFFF_FFFF, 1024)
    if start + count <= memory.data_len(caller):
        log.write(level, bytes(memory.read(caller, start, start + count)))


def batch_count(batch: bytes | bytearray | memoryview) -> int:
    """The number of segments that a batch claims; 0 when it has no header."""
    if len(batch) < abi.BUFFER_HEADER_SIZE:
        return 0
    return int(struct.unpack_from("<I", batch, abi.BUFFER_HEADER_COUNT)[0])

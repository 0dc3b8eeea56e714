"""What a module says of itself before any of its code runs: imports, exports and their types against ``mf_abi_v1``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metaflow_core.api import abi

if TYPE_CHECKING:
    import wasmtime

__all__ = ["ModuleFacts", "inspect_module"]

FUNCTIONS = {
    abi.EXPORT_MARKER: ((), ()),
    abi.EXPORT_INPUT: (("i32",), ("i32",)),
    abi.EXPORT_CHECK: (("i32",), ("i64",)),
    abi.EXPORT_PARSE: (("i32",), ("i64",)),
    abi.EXPORT_CONFIGURE: (("i32",), ("i64",)),
}
_OPTIONAL = frozenset({abi.EXPORT_CONFIGURE})
_ALLOWED_IMPORT = (abi.IMPORT_MODULE, abi.IMPORT_LOG)
_LOG_TYPE = (("i32", "i32", "i32"), ())
_PAGE = 65_536
_HINTS = {
    "wasi_snapshot_preview1": "build it for wasm32-unknown-unknown or wasm32-freestanding, not for WASI",
    "wasi_unstable": "build it for wasm32-unknown-unknown or wasm32-freestanding, not for WASI",
    "env": "link it without undefined symbols (AssemblyScript: --use abort=)",
}


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """What a module imports and exports, and whether it fits.

    :ivar imports: ``module.name: type``. :ivar exports: ``name: type``. :ivar memory_pages: initial memory, 64 KiB pages.
    :ivar problems: sentences; empty when it is a parser of this ABI. :ivar can_configure: it takes options.
    """

    imports: tuple[str, ...]
    exports: tuple[str, ...]
    memory_pages: int
    problems: tuple[str, ...]
    can_configure: bool


def inspect_module(module: wasmtime.Module, memory_limit: int | None = None) -> ModuleFacts:
    """Look at a compiled module; nothing of it runs.

    :param memory_limit: bytes of memory it may have at most.
    """
    exports = {item.name: item.type for item in module.exports}
    pages, memory_problems = _memory(exports, memory_limit)
    return ModuleFacts(
        imports=tuple(f"{item.module}.{item.name}: {_show(item.type)}" for item in module.imports),
        exports=tuple(f"{name}: {_show(kind)}" for name, kind in exports.items()),
        memory_pages=pages,
        problems=(*_marker(exports), *_imports(module), *memory_problems, *_functions(exports)),
        can_configure=abi.EXPORT_CONFIGURE in exports,
    )


def _signature(kind: Any) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    import wasmtime

    if not isinstance(kind, wasmtime.FuncType):
        return None
    return tuple(map(str, kind.params)), tuple(map(str, kind.results))


def _show_signature(signature: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    params, results = signature
    return f"({', '.join(params)}) -> {', '.join(results) or '()'}"


def _show(kind: Any) -> str:
    signature = _signature(kind)
    return type(kind).__name__.removesuffix("Type").lower() if signature is None else _show_signature(signature)


def _marker(exports: dict[str, Any]) -> list[str]:
    if abi.EXPORT_MARKER in exports:
        return []
    others = sorted(name for name in exports if re.fullmatch(r"mf_abi_v\d+", name))
    if others:
        return [
            f"it was made for parser ABI {others[-1][8:]}, this loader runs ABI {abi.VERSION}; build it again with a matching SDK"
        ]
    return [f"it does not export {abi.EXPORT_MARKER}, so it is not a parser of ABI {abi.VERSION}"]


def _imports(module: wasmtime.Module) -> list[str]:
    found: list[str] = []
    for item in module.imports:
        name = (item.module, item.name)
        if name != _ALLOWED_IMPORT:
            hint = _HINTS.get(item.module)
            found.append(
                f"it imports {item.module}.{item.name}; a parser may import {'.'.join(_ALLOWED_IMPORT)} and nothing else"
                + (f": {hint}" if hint else "")
            )
        elif _signature(item.type) != _LOG_TYPE:
            found.append(
                f"it imports {'.'.join(name)} as {_show(item.type)}, the ABI says {_show_signature(_LOG_TYPE)}"
            )
    return found


def _memory(exports: dict[str, Any], limit: int | None) -> tuple[int, list[str]]:
    import wasmtime

    memory = exports.get(abi.EXPORT_MEMORY)
    if memory is None:
        return 0, [f"it does not export its memory as {abi.EXPORT_MEMORY!r}"]
    if not isinstance(memory, wasmtime.MemoryType):
        return 0, [f"its export {abi.EXPORT_MEMORY!r} is a {_show(memory)}, not a memory"]
    if memory.is_64 or memory.is_shared:
        return memory.limits.min, ["its memory is 64-bit or shared; the ABI wants a plain 32-bit one"]
    pages = memory.limits.min
    if limit is not None and pages * _PAGE > limit:
        sentence = f"it begins with {pages * _PAGE >> 20} MiB of memory, its limit is {limit >> 20} MiB; "
        return pages, [sentence + "raise limits.memory_mib in its manifest or make its static buffers smaller"]
    return pages, []


def _functions(exports: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for name, wanted in FUNCTIONS.items():
        if name not in exports:
            if name not in _OPTIONAL and name != abi.EXPORT_MARKER:
                found.append(f"it does not export {name}")
            continue
        if _signature(exports[name]) != wanted:
            found.append(f"its export {name} is {_show(exports[name])}, the ABI says {_show_signature(wanted)}")
    return found

"""Does a module look like a parser of this ABI? Said from its declarations alone."""

from __future__ import annotations

from metaflow_core.api import abi
from metaflow_wasm_tools.binary import ModuleView

__all__ = ["problems"]

_WANTED = {
    abi.EXPORT_MEMORY: "memory",
    abi.EXPORT_MARKER: "() -> ()",
    abi.EXPORT_INPUT: "(i32) -> i32",
    abi.EXPORT_CHECK: "(i32) -> i64",
    abi.EXPORT_PARSE: "(i32) -> i64",
}
_LOG = f"{abi.IMPORT_MODULE}.{abi.IMPORT_LOG}"


def problems(view: ModuleView, memory_mib: int | None = None) -> list[str]:
    """Sentences; empty when it looks right."""
    found = [
        f"it does not export {name}"
        if name not in view.exports
        else f"its export {name} is {view.exports[name]}, the ABI says {wanted}"
        for name, wanted in _WANTED.items()
        if view.exports.get(name) != wanted
    ]
    if view.exports.get(abi.EXPORT_CONFIGURE, "(i32) -> i64") != "(i32) -> i64":
        found.append(
            f"its export {abi.EXPORT_CONFIGURE} is {view.exports[abi.EXPORT_CONFIGURE]}, the ABI says (i32) -> i64"
        )
    found += [
        f"it imports {name}; a parser may import {_LOG} and nothing else" for name in view.imports if name != _LOG
    ]
    if memory_mib is not None and view.memory_pages > memory_mib * 16:
        found.append(f"it begins with {view.memory_pages // 16} MiB of memory, its limit is {memory_mib} MiB")
    return found

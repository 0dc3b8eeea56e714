"""MetaFlow's flow engine: a native library and its WebAssembly build behind one interface.

from metaflow_engine_flow import make_engine
engine = make_engine("auto", {"explain": True}, logging.getLogger(__name__))
engine.push(block)
for table, rows in engine.tables(): ...
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metaflow_engine_flow.choice import make_engine
    from metaflow_engine_flow.interface import EngineError, FlowEngine
    from metaflow_engine_flow.native import NativeEngine
    from metaflow_engine_flow.sharded import ShardedEngine
    from metaflow_engine_flow.wasm import WasmEngine

__all__ = ["EngineError", "FlowEngine", "NativeEngine", "ShardedEngine", "WasmEngine", "make_engine"]

_HOMES = {
    "EngineError": "interface",
    "FlowEngine": "interface",
    "NativeEngine": "native",
    "ShardedEngine": "sharded",
    "WasmEngine": "wasm",
    "make_engine": "choice",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)

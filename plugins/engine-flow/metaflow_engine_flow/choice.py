"""Chooses the build of the engine."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from metaflow_core.errors import UnavailableError
from metaflow_engine_flow.description import Option
from metaflow_engine_flow.interface import FlowEngine
from metaflow_engine_flow.native import NativeEngine
from metaflow_engine_flow.wasm import WasmEngine


def make_engine(build: str, options: Mapping[str, Option], logger: logging.Logger) -> FlowEngine:
    """An engine of the build that was asked for: ``native``, ``wasm``, or ``auto`` (native where it can be had).

    :raises UnavailableError: that build cannot be had here; for ``auto`` the sentence says why of both.
    :raises EngineError: an option is wrong.
    """
    if build == "native":
        return NativeEngine(options)
    if build == "wasm":
        return WasmEngine(options)
    try:
        return NativeEngine(options)
    except UnavailableError as native:
        try:
            engine = WasmEngine(options)
        except UnavailableError as wasm:
            raise UnavailableError(f"no build of the flow engine can be used: {native}; {wasm}") from wasm
        logger.warning("the WebAssembly engine is used, at about half the speed: %s", native)
        return engine

"""The plugin's hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from metaflow_core import ArtifactLoader, ParserLimits, ParserRuntime, RuntimeKind, Stability, hookimpl


class _Lazy:
    """Owns the loader of one plugin host; wasmtime is imported when a module is loaded, not when plugins are listed."""

    def __init__(self) -> None:
        self._loader: Callable[[Path, Mapping[str, str], ParserLimits], Callable[[], ParserRuntime]] | None = None

    def load(self, path: Path, options: Mapping[str, str], limits: ParserLimits) -> Callable[[], ParserRuntime]:
        if self._loader is None:
            from metaflow_loader_wasm.loader import WasmLoader

            self._loader = WasmLoader().load
        return self._loader(path, options, limits)


@hookimpl
def metaflow_loaders() -> Iterable[ArtifactLoader]:
    """Offer the loader of ``.wasm`` files."""
    return [
        ArtifactLoader(
            type="wasm",
            suffixes=(".wasm",),
            runtime=RuntimeKind.WASM,
            load=_Lazy().load,
            stability=Stability.BETA,
            summary="WebAssembly parsers on wasmtime, with memory and time limits.",
        )
    ]

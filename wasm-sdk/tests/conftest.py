"""Builds of the KV1 parser in every language, each once; what cannot be built here skips with its reason."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from metaflow_core.api import ParserLimits, ParserRuntime

SDK = Path(__file__).resolve().parents[1]
ROOT = SDK.parent
LIMITS = ParserLimits(memory_mib=64, deadline_ms=5000, batch_bytes=1 << 20)


def run(command: list[str], folder: Path, **environment: str) -> None:
    """Run a compiler; its output is the failure's text."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


def need_zig() -> list[str]:
    """The command that starts zig."""
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang"]
    if shutil.which("zig"):
        return ["zig"]
    pytest.skip("no zig: pip install ziglang")


def build_c(out: Path) -> None:
    """C with zig's clang."""
    flags = ["-target", "wasm32-freestanding", "-O2", "-mbulk-memory", "-nostdlib", "-Wl,--no-entry"]
    run(
        [*need_zig(), "cc", *flags, "-Wall", "-Wextra", "-Werror", "-I", str(SDK / "c"), "kv1.c", "-o", str(out)],
        SDK / "c/example",
    )


def build_zig(out: Path) -> None:
    """Zig."""
    command = [
        *need_zig(), "build-exe", "-target", "wasm32-freestanding", "-mcpu=generic+bulk_memory", "-fno-entry", "-rdynamic",
        "-O", "ReleaseFast", "-fstrip", "--dep", "metaflow", "-Mroot=kv1.zig", f"-Mmetaflow={SDK / 'zig/metaflow.zig'}",
        f"-femit-bin={out}",
    ]  # fmt: skip
    run(command, SDK / "zig/example")


def build_assemblyscript(out: Path) -> None:
    """AssemblyScript."""
    asc = os.environ.get("METAFLOW_ASC") or shutil.which("asc") or str(ROOT / "target/npm/node_modules/.bin/asc")
    if not Path(asc).exists():
        pytest.skip(
            "no AssemblyScript: npm install assemblyscript, and put node_modules/.bin on PATH (or set METAFLOW_ASC)"
        )
    run([asc, "kv1.ts", "-O3", "--runtime", "stub", "--use", "abort=", "-o", str(out)], SDK / "assemblyscript/example")


def build_rust(out: Path) -> None:
    """Rust, by script/build-wasm."""
    if shutil.which("cargo") is None and not Path("/usr/bin/cargo").exists():
        pytest.skip("no Rust: install cargo and its wasm32-unknown-unknown target")
    done = subprocess.run(
        [ROOT / "script/build-wasm", SDK / "rust-example", out],
        capture_output=True, text=True, check=False,
        env={**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target" / "wasm-sdk-example")},
    )  # fmt: skip
    if done.returncode and "no Rust for" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr


BUILDS: dict[str, Callable[[Path], None]] = {
    "c": build_c, "zig": build_zig, "assemblyscript": build_assemblyscript, "rust": build_rust,
}  # fmt: skip


@pytest.fixture(scope="session", params=sorted(BUILDS))
def module(request, tmp_path_factory) -> Path:
    """The KV1 parser as a module, in one language after the other."""
    out = tmp_path_factory.mktemp("kv1") / f"kv1_{request.param}.wasm"
    BUILDS[request.param](out)
    return out


@pytest.fixture(scope="session")
def loader(tmp_path_factory):
    """A loader with a cache of its own."""
    from metaflow_loader_wasm.loader import WasmLoader
    from metaflow_loader_wasm.module_cache import ModuleCache

    return WasmLoader(cache=ModuleCache(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def create(loader, module) -> Callable[[], ParserRuntime]:
    """Makes runtimes of the module."""
    return loader.load(module, {}, LIMITS)


@pytest.fixture(scope="session")
def reference() -> Callable[[], ParserRuntime]:
    """Makes runtimes of the parser in Python."""
    spec = importlib.util.spec_from_file_location("kv1_python", SDK / "python-example/kv1.py")
    assert spec is not None
    assert spec.loader is not None
    kv1 = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kv1)
    return lambda: kv1.FACTORY.python(None)

"""Building a module: the toolchain of its language, found or explained."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from metaflow_core.errors import InputError, UnavailableError
from metaflow_wasm_tools.project import Project

__all__ = ["build"]

_TARGET = "wasm32-unknown-unknown"


def build(project: Project) -> list[str]:
    """Build the project's module; returns the command that did it.

    :raises UnavailableError: the toolchain is not there; the sentence says how to install it.
    :raises InputError: there is nothing to build, or the compiler refused it; its output is in the message.
    """
    if project.source is None:
        raise InputError(
            f"{project.folder}: no source to build; expected a .c, .zig or .ts file or a Cargo.toml, here or in source/"
        )
    project.artifact.parent.mkdir(parents=True, exist_ok=True)
    return _BUILDERS[project.language](project, project.source)


def _run(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> list[str]:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    if done.returncode:
        raise InputError(f"the build failed: {' '.join(command)}\n{done.stderr or done.stdout}".rstrip())
    return command


def _zig() -> list[str]:
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang"]
    found = shutil.which("zig")
    if found:
        return [found]
    raise UnavailableError("C and Zig are built with Zig, which is not here; run: pip install ziglang")


def _build_c(project: Project, source: Path) -> list[str]:
    flags = [
        "-target",
        "wasm32-freestanding",
        "-O2",
        "-mbulk-memory",
        "-nostdlib",
        "-Wall",
        "-Wextra",
        "-Wl,--no-entry",
        "-s",
    ]
    return _run([*_zig(), "cc", *flags, source.name, "-o", str(project.artifact.resolve())], source.parent)


def _build_zig(project: Project, source: Path) -> list[str]:
    flags = [
        "-target",
        "wasm32-freestanding",
        "-mcpu=generic+bulk_memory",
        "-fno-entry",
        "-rdynamic",
        "-O",
        "ReleaseFast",
        "-fstrip",
    ]
    modules = ["--dep", "metaflow", f"-Mroot={source.name}", "-Mmetaflow=metaflow.zig"]
    out = f"-femit-bin={project.artifact.resolve()}"
    return _run([*_zig(), "build-exe", *flags, *modules, out], source.parent)


def _build_assemblyscript(project: Project, source: Path) -> list[str]:
    places = [
        folder / "node_modules" / ".bin" / "asc" for folder in (source.parent.resolve(), *source.resolve().parents)
    ]
    found = (
        next((str(path) for path in places if path.exists()), None)
        or os.environ.get("METAFLOW_ASC")
        or shutil.which("asc")
    )
    if not found:
        raise UnavailableError(
            "AssemblyScript's compiler is not here; run: npm install assemblyscript (in the parser's folder)"
        )
    flags = ["-O3", "--runtime", "stub", "--use", "abort="]
    return _run([found, source.name, *flags, "-o", str(project.artifact.resolve())], source.parent)


def _build_rust(project: Project, source: Path) -> list[str]:
    name = tomllib.loads(source.read_text(encoding="utf-8"))["package"]["name"].replace("-", "_")
    command, environment = _cargo()
    target = Path(os.environ.get("CARGO_TARGET_DIR") or source.parent / "target").resolve()
    _run(command, source.parent, {**environment, "CARGO_TARGET_DIR": str(target)})
    shutil.copyfile(target / _TARGET / "release" / f"{name}.wasm", project.artifact)
    return command


def _cargo() -> tuple[list[str], Mapping[str, str]]:
    """Rustup's target where it is installed; else Debian's cargo with the standard library's source."""
    flags = "-C link-arg=-zstack-size=262144 -C strip=symbols"
    rustup, cargo = shutil.which("rustup"), shutil.which("cargo")
    if rustup and cargo:
        listed = subprocess.run([rustup, "target", "list", "--installed"], capture_output=True, text=True, check=False)
        if _TARGET in listed.stdout.split():
            return [cargo, "build", "--release", "--target", _TARGET], {"RUSTFLAGS": flags}
    if (
        Path("/usr/lib/rustlib/src/rust/library/std").is_dir()
        and Path("/usr/bin/cargo").exists()
        and shutil.which("wasm-ld")
    ):
        return ["/usr/bin/cargo", "build", "--release", "--target", _TARGET, "-Z", "build-std=std,panic_abort"], {
            "RUSTC_BOOTSTRAP": "1",
            "RUSTC": "/usr/bin/rustc",
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER": "wasm-ld",
            "RUSTFLAGS": f"-C linker-flavor=wasm-ld {flags}",
        }
    raise UnavailableError(
        f"Rust cannot build for {_TARGET} here; run: rustup target add {_TARGET} (or on Debian: apt-get install cargo-web rustc-web rust-web-src lld)"
    )


_BUILDERS: Mapping[str, Callable[[Project, Path], list[str]]] = {
    "c": _build_c,
    "zig": _build_zig,
    "assemblyscript": _build_assemblyscript,
    "rust": _build_rust,
}

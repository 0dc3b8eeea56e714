"""The packages that ``mflow new plugin parser NAME --wasm --lang L`` makes: entry points of ``metaflow.templates.v1``.

Each begins as the parser of KV1 (wasm-sdk/README.md), which builds, installs and passes its tests; the author replaces the
protocol. The kit's files are copied, so that the package is complete and pins its version of the kit.
"""

from __future__ import annotations

from pathlib import Path

from metaflow_wasm_tools.kits import kit_folder

__all__ = ["render_assemblyscript", "render_c", "render_rust", "render_wasm_template", "render_zig"]

_HERE = Path(__file__).parent / "template"
_COMPILERS = {
    "c": "pip install ziglang",
    "zig": "pip install ziglang",
    "assemblyscript": "npm install assemblyscript",
    "rust": "rustup target add wasm32-unknown-unknown",
}
_SDK_MANIFEST = """[package]
name = "metaflow-parser-sdk"
version = "0.1.0"
edition = "2021"
license = "Apache-2.0"
description = "Copied from MetaFlow's wasm-sdk/rust"

[features]
testing = []
"""
_CRATE_MANIFEST = """[package]
name = "@dist@"
version = "0.1.0"
edition = "2021"
publish = false

[workspace]

[lib]
crate-type = ["cdylib", "rlib"]

[dependencies]
metaflow-parser-sdk = { path = "sdk" }

[dev-dependencies]
metaflow-parser-sdk = { path = "sdk", features = ["testing"] }

[profile.release]
opt-level = 3
lto = true
codegen-units = 1
"""


def render_wasm_template(name: str, lang: str, folder: Path) -> list[Path]:
    """Write the package of a parser called ``name`` in ``lang`` into ``folder``; returns the files."""
    values = {"@name@": name, "@dist@": name.replace("_", "-"), "@lang@": lang, "@compiler@": _COMPILERS[lang]}
    made = [
        _write(folder / _place(source, name), source.read_text(encoding="utf-8"), values)
        for source in sorted(path for path in _HERE.rglob("*.txt") if path.is_file())
    ]
    source = folder / "source"
    match lang:
        case "c":
            made += _copy(kit_folder("c"), "*.h", source)
            made.append(
                _write(source / f"{name}.c", (kit_folder("c") / "example/kv1.c").read_text(encoding="utf-8"), {})
            )
        case "zig":
            made += _copy(kit_folder("zig"), "*.zig", source)
            made.append(
                _write(source / f"{name}.zig", (kit_folder("zig") / "example/kv1.zig").read_text(encoding="utf-8"), {})
            )
        case "assemblyscript":
            made += _copy(kit_folder("assemblyscript"), "*.ts", source)
            text = (kit_folder("assemblyscript") / "example/kv1.ts").read_text(encoding="utf-8")
            made.append(_write(source / f"{name}.ts", text, {'"../': '"./'}))
        case "rust":
            made += _copy(kit_folder("rust") / "src", "**/*.rs", source / "sdk/src")
            made.append(_write(source / "sdk/Cargo.toml", _SDK_MANIFEST, {}))
            made.append(_write(source / "Cargo.toml", _CRATE_MANIFEST, values))
            made.append(
                _write(
                    source / "src/lib.rs", (kit_folder("rust-example") / "src/lib.rs").read_text(encoding="utf-8"), {}
                )
            )
    return made


def _place(source: Path, name: str) -> str:
    return str(source.relative_to(_HERE)).removesuffix(".txt").replace("NAME", name).replace("dot.", ".")


def _write(path: Path, text: str, values: dict[str, str]) -> Path:
    for key, value in values.items():
        text = text.replace(key, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _copy(kit: Path, pattern: str, folder: Path) -> list[Path]:
    return [
        _write(folder / path.relative_to(kit), path.read_text(encoding="utf-8"), {})
        for path in sorted(kit.glob(pattern))
        if "example" not in path.relative_to(kit).parts
    ]


def render_c(name: str, folder: Path) -> list[Path]:
    """A parser in C."""
    return render_wasm_template(name, "c", folder)


def render_zig(name: str, folder: Path) -> list[Path]:
    """A parser in Zig."""
    return render_wasm_template(name, "zig", folder)


def render_assemblyscript(name: str, folder: Path) -> list[Path]:
    """A parser in AssemblyScript."""
    return render_wasm_template(name, "assemblyscript", folder)


def render_rust(name: str, folder: Path) -> list[Path]:
    """A parser in Rust."""
    return render_wasm_template(name, "rust", folder)

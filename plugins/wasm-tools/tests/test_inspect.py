"""Inspecting modules, good, hostile and broken, without running them."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st
from metaflow_wasm_tools.binary import read_module
from metaflow_wasm_tools.verdict import problems

from metaflow_core.errors import ParseError

FOLDER = Path(__file__).resolve().parents[3] / "wasm-sdk" / "conformance"


def module(name):
    return bytes(wasmtime.wat2wasm((FOLDER / f"{name}.wat").read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.wat")), ids=lambda path: path.stem)
def test_declarations_agree_with_wasmtime(path):
    data = module(path.stem)
    view = read_module(data)
    compiled = wasmtime.Module(wasmtime.Engine(), data)
    assert list(view.exports) == [item.name for item in compiled.exports]
    assert list(view.imports) == [f"{item.module}.{item.name}" for item in compiled.imports]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("wrong_marker", "does not export mf_abi_v1"),
        ("no_parse", "does not export mf_parse"),
        ("wrong_type", "mf_parse is (i32) -> i32, the ABI says (i32) -> i64"),
        ("forbidden_import", "imports wasi_snapshot_preview1.fd_write"),
        ("huge_memory", "begins with 256 MiB"),
        ("memory_is_function", "its export memory is () -> ()"),
    ],
)
def test_what_is_wrong_is_said(name, sentence):
    assert any(sentence in problem for problem in problems(read_module(module(name)), 64))


@pytest.mark.parametrize("name", ["echo", "log_flood", "trap", "start_loop", "endless_loop"])
def test_what_looks_right_is_right_whatever_it_would_do(name):
    assert problems(read_module(module(name)), 64) == []


def test_no_module_is_a_sentence():
    for data in (b"", b"\x7fELF", b"\0asm\x0d\0\1\0"):
        with pytest.raises(ParseError, match="not a WebAssembly module"):
            read_module(data)


@given(st.data())
def test_damage_raises_parse_error_or_nothing(data):
    source = bytearray(module("log_flood"))
    for _ in range(data.draw(st.integers(1, 5))):
        source[data.draw(st.integers(8, len(source) - 1))] = data.draw(st.integers(0, 255))
    try:
        problems(read_module(bytes(source[: data.draw(st.integers(0, len(source)))])))
    except ParseError as error:
        assert str(error)  # noqa: PT017 - it may also succeed

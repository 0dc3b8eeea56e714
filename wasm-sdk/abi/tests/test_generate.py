"""The views of the ABI are those that its source gives, and a source that contradicts itself is refused."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The generator, which is a script and not a package."""
    spec = importlib.util.spec_from_file_location("abi_generate", FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_no_view_is_out_of_date(generate: ModuleType) -> None:
    """Who changes `v1.toml` commits the views with it."""
    assert generate.main(["--check"]) == 0


def test_two_columns_with_one_id_are_refused(generate: ModuleType, tmp_path: Path) -> None:
    """An id is never given a second meaning."""
    text = (FOLDER / "v1.toml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(text + 'again = { id = 32, type = "utf8" }\n', encoding="utf-8")
    with pytest.raises(SystemExit, match="record_column"):
        generate.load(wrong)


def test_magics_read_as_text(generate: ModuleType) -> None:
    """The first four bytes of a buffer are its name."""
    values = {item.name: item.value for item in generate.load(FOLDER / "v1.toml").constants if item.group == "magic"}
    assert {name: value.to_bytes(4, "little") for name, value in values.items()} == {
        "batch": b"MFB1",
        "checks": b"MFC1",
        "records": b"MFR1",
    }

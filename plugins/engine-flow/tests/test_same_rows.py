"""The same capture gives the same rows in the same order, whoever runs the parsers and wherever it is cut."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pytest
from engine_testing import CAPTURES, PROTOCOLS, blocks, build

from metaflow_core.cli.root import run_cli

_REPOSITORY = Path(__file__).parents[3]
_SHOP = _REPOSITORY / "tests" / "captures" / "shop.pcap"
_FILES = [_SHOP, *sorted(CAPTURES.glob("*.pcap")), *sorted(_REPOSITORY.glob("plugins/parser-*/tests/captures/*.pcap"))]
_SIZES = (4096, 65536, 1 << 20)
_TABLES = ("l7_message", "l7_flow_log", "explain")


def _rows(kind: str, data: memoryview, link_type: int, size: int) -> dict[str, list[dict[str, object]]]:
    """The L7 rows as they come, taken after every block."""
    engine = build(kind, PROTOCOLS, explain=True)
    found: dict[str, list[pa.RecordBatch]] = {name: [] for name in _TABLES}
    for block in blocks(data, size):
        engine.push(type(block)(block.data, block.format, link_type))
        for name, rows in engine.tables():
            if name in found:
                found[name].append(rows)
    engine.finish()
    for name, rows in engine.tables():
        if name in found:
            found[name].append(rows)
    engine.close()
    return {name: pa.Table.from_batches(parts).to_pylist() if parts else [] for name, parts in found.items()}


@pytest.mark.parametrize("path", _FILES, ids=lambda path: f"{path.parents[2].name}-{path.stem}")
def test_rows_do_not_depend_on_who_parses_or_on_blocks(path: Path) -> None:
    data = memoryview(path.read_bytes())
    link_type, records = int.from_bytes(data[20:22], "little"), data[24:]
    expected = _rows("native", records, link_type, _SIZES[-1])
    for kind in ("native", "external"):
        for size in _SIZES:
            assert _rows(kind, records, link_type, size) == expected, (kind, size)


@pytest.mark.parametrize("table", ["l7_flow_log", "l7_message"])
def test_native_and_wasm_parsers_give_the_same_bytes(table: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    def read(*options: str) -> bytes:
        code = run_cli(["read", str(_SHOP), "--table", table, "--format", "jsonl", *options])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        if code and b"wasm" in err:
            pytest.skip(f"the WebAssembly parsers cannot be used here: {err.decode()}")
        assert code == 0, err.decode()
        return out

    native = read()
    assert native.count(b"\n") > 40
    everyone = [f"--set=parsers.{name}.runtime=wasm" for name in PROTOCOLS]
    for options in (everyone, everyone[:1], [*everyone, "--set=collectors.pcap.block_bytes=4096"]):
        assert read(*options) == native, options

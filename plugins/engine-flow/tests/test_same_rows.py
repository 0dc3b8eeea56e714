"""The same capture gives the same rows in the same order, whoever runs the parsers and wherever it is cut."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from engine_testing import CAPTURES, PROTOCOLS, Connection, blocks, build
from metaflow_engine_flow.tables import TABLES
from metaflow_engine_flow.wasm import module_path

from metaflow_core.cli.root import run_cli

_REPOSITORY = Path(__file__).parents[3]
_SHOP = _REPOSITORY / "tests" / "captures" / "shop.pcap"
_FILES = [_SHOP, *sorted(CAPTURES.glob("*.pcap")), *sorted(_REPOSITORY.glob("plugins/parser-*/tests/captures/*.pcap"))]
_SIZES = (4096, 65536, 1 << 20)


def _rows(
    kind: str, protocols: Sequence[str], data: memoryview, link_type: int, size: int
) -> dict[str, list[dict[str, object]]]:
    """The rows of every table as they come, taken after every block."""
    engine = build(kind, protocols, explain=True)
    found: dict[str, list[pa.RecordBatch]] = {name: [] for name in TABLES}
    for block in blocks(data, size):
        engine.push(type(block)(block.data, block.format, link_type))
        for name, rows in engine.tables():
            found[name].append(rows)
    engine.finish()
    for name, rows in engine.tables():
        found[name].append(rows)
    engine.close()
    return {name: pa.Table.from_batches(parts).to_pylist() if parts else [] for name, parts in found.items()}


@pytest.mark.parametrize("path", _FILES, ids=lambda path: f"{path.parents[2].name}-{path.stem}")
def test_rows_do_not_depend_on_who_parses_or_on_blocks(path: Path) -> None:
    data = memoryview(path.read_bytes())
    link_type, records = int.from_bytes(data[20:22], "little"), data[24:]
    plugin = path.parents[2].name
    own = {plugin.removeprefix("parser-")} if plugin.startswith("parser-") else set()
    protocols = [*PROTOCOLS, *sorted(own.difference(PROTOCOLS))]
    expected = _rows("native", protocols, records, link_type, _SIZES[-1])
    others = [(kind, size) for kind in ("native", "external") for size in _SIZES]
    # The WebAssembly engine asks every parser through the host; compiling it takes long, and once.
    others += [("wasm", _SIZES[-1])] if module_path().exists() else []
    for kind, size in others:
        assert _rows(kind, protocols, records, link_type, size) == expected, (kind, size)


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


def test_a_row_of_a_flow_says_what_was_found_until_its_minute_was_over() -> None:
    """Ten requests in each of three minutes, in one block: nobody who is asked after it could tell their minutes apart."""
    data = memoryview(b"".join(_three_minutes()))
    for kind in ("native", "external", "wasm"):
        rows = _rows(kind, ["redis"], data, 101, 1 << 20)["l4_flow_log"]
        assert [(row["l7_request"], row["l7_response"], row["rrt_count"]) for row in rows] == [(10, 10, 10)] * 3, kind
        sums = _rows(kind, ["redis"], data, 101, 1 << 20)["network.1m"]
        assert [row["l7_request"] for row in sums if row["role"] == 1] == [10, 10, 10], kind


def _three_minutes() -> Iterator[bytes]:
    """A connection to port 6379 with a PING and its answer every six seconds, from the beginning of a minute on."""
    talk = Connection(6379, 1_700_000_040)
    yield from talk.opened()
    for number in range(30):
        yield talk.sent(6 * number + 0.2, 0, b"PING\r\n")
        yield talk.sent(6 * number + 0.3, 1, b"+PONG\r\n")

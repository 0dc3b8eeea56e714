"""Batches as bytes, the compiled protocol, and bytes that are neither."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from link_peers import batch
from metaflow_link.wire.batches import Packing, pack, unpack
from metaflow_link.wire.descriptor import SOURCE_SHA256
from metaflow_link.wire.messages import messages

import metaflow_core as mf
from metaflow_core.api import RecordBatch
from metaflow_core.errors import ParseError

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parents[1]
WIRE = HERE / "metaflow_link" / "wire"
MOST = 1 << 30


def parsed(data: bytes) -> object:
    return messages()["Batch"].FromString(data)


def test_the_description_is_that_of_the_protocol() -> None:
    text = (WIRE / "agent.proto").read_bytes()
    assert hashlib.sha256(text).hexdigest() == SOURCE_SHA256, "agent.proto changed: run generate.py"


def test_generating_it_again_gives_the_same() -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed; it is needed to compile agent.proto only")
    spec = importlib.util.spec_from_file_location("generate", HERE / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.compiled() == (WIRE / "descriptor.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("packing", list(Packing))
def test_every_table_survives(packing: Packing) -> None:
    """Rows of a real capture: dictionaries, lists, missing values, addresses."""
    capture = mf.read_pcap(str(ROOT / "tests" / "captures" / "shop.pcap"))
    for table in ("flow_log.l7_flow_log", "flow_log.l4_flow_log"):
        data = capture.table(table).to_arrow().combine_chunks().to_batches()[0]
        [packed] = pack(RecordBatch(table, data, "id-1"), packing, MOST)
        found = unpack(parsed(packed.data), MOST)
        assert (found.id, found.table, packed.rows) == ("id-1", table, data.num_rows)
        assert found.data.equals(data)


def test_a_large_batch_goes_in_parts() -> None:
    whole = batch(1, rows=1000)
    parts = list(pack(whole, Packing.ZSTD, 4096))
    found = [unpack(parsed(part.data), MOST) for part in parts]
    assert len(parts) > 3
    assert [each.id for each in found] == [f"b-1#{number}" for number in range(len(parts))]
    assert pa.Table.from_batches([each.data for each in found]).combine_chunks().to_batches()[0].equals(whole.data)
    assert [part.data for part in pack(whole, Packing.ZSTD, 4096)] == [part.data for part in parts]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 1 << 40}, "at most"),
        ({"packing": 7}, "packing 7 is not known"),
        ({"rows": 77}, "says 77 rows and holds 5"),
        ({"data": b""}, "no Arrow stream"),
        ({"data": b"\xff" * 100}, "no Arrow stream"),
    ],
)
def test_what_cannot_be_true_is_a_sentence(change: dict[str, object], said: str) -> None:
    [packed] = pack(batch(1), Packing.ZSTD, MOST)
    message = parsed(packed.data)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ParseError, match=said):
        unpack(message, 1 << 20)


def test_a_stream_without_rows() -> None:
    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, pa.schema([("a", pa.int64())])).close()
    message = messages()["Batch"](id="x", table="t", size=1000, data=sink.getvalue().to_pybytes())
    with pytest.raises(ParseError, match="no record batch"):
        unpack(message, MOST)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_batches_never_break(data: st.DataObject) -> None:
    packing = data.draw(st.sampled_from(list(Packing)))
    [packed] = pack(batch(1), packing, MOST)
    message = parsed(packed.data)
    body = bytearray(message.data)[: data.draw(st.integers(0, len(message.data)))]
    for at in data.draw(st.lists(st.integers(0, max(len(body) - 1, 0)), max_size=5)):
        if body:
            body[at] = data.draw(st.integers(0, 255))
    message.data = bytes(body)
    with contextlib.suppress(ParseError):
        unpack(message, 1 << 20)

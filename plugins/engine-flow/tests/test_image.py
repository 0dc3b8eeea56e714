"""The column image of the WebAssembly build: what is true is read, what lies is refused."""

from __future__ import annotations

import ctypes
import random

import pyarrow as pa
import pytest
from engine_testing import blocks, build, pcap
from metaflow_engine_flow.image import read_image
from metaflow_engine_flow.library import Raw, load_library

from metaflow_core.errors import ParseError


@pytest.fixture(scope="module")
def image() -> bytes:
    """An image made by the native build, which can write them too."""
    engine = build("native", ["http"])
    for block in blocks(pcap("http")):
        engine.push(block)
    engine.finish()
    raw = Raw()
    assert load_library().mfe_take_raw(engine._handle, 1, ctypes.byref(raw)) == 0
    return ctypes.string_at(raw.ptr, raw.len)


def test_an_image_is_read(image: bytes) -> None:
    name, rows = read_image(pa.py_buffer(image))
    assert (name, len(rows)) == ("l7_flow_log", 40)
    assert set(rows["request_type"].to_pylist()) == {"GET", "HEAD", "POST"}


def test_lies_are_refused(image: bytes) -> None:
    with pytest.raises(ParseError, match="a header has"):
        read_image(pa.py_buffer(image[:10]))
    with pytest.raises(ParseError, match="begins with"):
        read_image(pa.py_buffer(b"XXXX" + image[4:]))
    with pytest.raises(ParseError):
        read_image(pa.py_buffer(image[: len(image) // 2]))


def test_damaged_heads_do_not_crash(image: bytes) -> None:
    rng = random.Random(1)
    for _ in range(1000):
        damaged = bytearray(image)
        for _ in range(3):
            damaged[rng.randrange(24 + 88 * 56)] = rng.randrange(256)
        try:
            read_image(pa.py_buffer(bytes(damaged)))
        except (ParseError, pa.ArrowInvalid):
            continue


def test_texts_that_are_all_empty_are_read_without_their_offsets(image: bytes) -> None:
    _, rows = read_image(pa.py_buffer(image))
    rows.validate(full=True)
    empty = [
        name
        for name in rows.schema.names
        if rows.schema.field(name).type == pa.utf8() and not any(rows[name].to_pylist())
    ]
    assert empty
    names = [rows.schema.names.index(name) for name in empty]
    lying = bytearray(image)
    for index in names:
        first = int.from_bytes(image[24 + 88 * index + 40 : 24 + 88 * index + 48], "little")
        lying[first + 4 : first + 8] = (1 << 30).to_bytes(4, "little")
    _, read = read_image(pa.py_buffer(bytes(lying)))
    read.validate(full=True)
    assert all(not any(read[name].to_pylist()) for name in empty)
